"""Psi_theta: (B, C, N, N) -> (B,), a critic that sees the whole picture    (Lunz, Oktem and Schoenlieb 2018)

Psi is trained to distinguish clean pictures from unregularized reconstructions, with gradients no longer than
1. It is then close to the distance from the clean pictures. Their eq. 5 is ||A x - y||^2 + lam Psi(x) with
lam = 2 E||A* e||, which grows with the root of the number of pixels N^2. With R = N Psi, lambda(sigma) = 2
sigma at any size if each pixel is seen with weight 1, both in denoising and in scaled tomography.

As a regularizer, Psi is the mean over the eight orientations of the picture, each shifted by another number
of pixels. The strides make the gradient of a single view depend on the position, which is left in the picture
as grain; the mean is 1.3 to 1.5 dB better. A critic that was trained on its own reconstructions descends by
steps that see one view each (descent.py).

Six convolutions of 5 x 5 pixels reduce the picture to N / 16, and two linear layers to a number. The critic
is therefore for pictures of one size, and it has no patches: margin = 0.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from alr_cli.core.priors.critic import WithoutDraws
from alr_cli.core.priors.descent import descent
from alr_cli.core.priors.orientations import turned
from alr_cli.core.priors.protocol import Arithmetic, Denoises, LambdaOfSigma
from alr_cli.errors import WeightsError

if TYPE_CHECKING:
    from alr_cli.core.problems import Problem

_SIDE, _SLOPE = 5, 0.1
_STRIDES = (1, 1, 2, 2, 2, 2)
_MOST = 1024
_MARGIN = 2
_OWN = "own"  # in a description
SHIFTS = ((2, 2), (3, 1), (0, 3), (1, 0), (2, 0), (3, 3), (0, 1), (1, 2))  # rows and columns, from 2 before


@dataclass(frozen=True)
class GlobalArchitecture:
    """A global critic as data, as stored in a weights file.

    Attributes:
        side: N.
        channels: Channels of the pictures.
        width: Features of the first convolution. The others have 2, 2, 4, 4 and 8 times as many, and the
            first linear layer 16 times.
    """

    side: int = 128
    channels: int = 1
    width: int = 16

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ValueError(f"a critic sees 1 or 3 channels, not {self.channels}")
        if self.side % 16 or not 16 <= self.side <= _MOST:
            raise ValueError(f"the side must be a multiple of 16 up to {_MOST}, not {self.side}")
        if not 1 <= self.width <= 256:
            raise ValueError(f"unusable critic of width {self.width}")

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of features after each convolution."""
        return tuple(self.width * factor for factor in (1, 2, 2, 4, 4, 8))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class GlobalCritic(nn.Module):
    """Psi: (B, C, N, N) in [0,1] -> (B,). It is large for noisy pictures."""

    def __init__(self, architecture: GlobalArchitecture, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.architecture = architecture
        layers: list[nn.Module] = []
        before = architecture.channels
        for features, stride in zip(architecture.widths, _STRIDES, strict=True):
            layers += [nn.Conv2d(before, features, _SIDE, stride, _SIDE // 2), nn.LeakyReLU(_SLOPE)]
            before = features
        self.convolutions = nn.Sequential(*layers)
        flat = before * (architecture.side // 16) ** 2
        wide = 16 * architecture.width
        self.scores = nn.Sequential(nn.Linear(flat, wide), nn.LeakyReLU(_SLOPE), nn.Linear(wide, 1))
        gain = math.sqrt(2 / (1 + _SLOPE**2))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                with torch.no_grad():
                    layer.weight.normal_(0.0, gain / math.sqrt(layer.weight[0].numel()), generator=generator)
                    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        score: Tensor = self.scores(self.convolutions(x).flatten(1))
        return score[:, 0]


@dataclass(frozen=True)
class GlobalRegularizer:
    """R = N Psi / sqrt(C) for pictures of one size, with the mean of Psi over eight views."""

    critic: GlobalCritic
    precision: torch.dtype = torch.float32
    margin: int = 0

    @property
    def channels(self) -> int:
        return self.critic.architecture.channels

    @property
    def scale(self) -> float:
        """N / sqrt(C)."""
        return self.critic.architecture.side / math.sqrt(self.channels)

    @property
    def views(self) -> int:
        return len(SHIFTS)

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, C, N, N) -> (R (B,), dR/dx like x). Raises WeightsError for another size."""
        self._check(x)
        with torch.enable_grad(), self._arithmetic(x):
            seen = x.detach().requires_grad_(True)
            value = self.critic(_views(seen)).float().reshape(self.views, -1).mean(0)
            (gradient,) = torch.autograd.grad(value.sum(), seen)
        return value.detach() * self.scale, gradient.float() * self.scale

    def slope(self, x: Tensor, view: int) -> Tensor:
        """See `descent.Viewed`. Raises WeightsError for another size."""
        self._check(x)
        with torch.enable_grad(), self._arithmetic(x):
            seen = x.detach().requires_grad_(True)
            (gradient,) = torch.autograd.grad(self.critic(seen_from(seen, view)).float().sum(), seen)
        return gradient.float()

    def _check(self, x: Tensor) -> None:
        side = self.critic.architecture.side
        if tuple(x.shape[-2:]) != (side, side):
            raise WeightsError(
                f"this prior is for whole pictures of {side} x {side} pixels and not of {x.shape[-1]} x "
                f"{x.shape[-2]}: choose a prior for any size, such as gray-wide, or train one for this size"
            )

    def _arithmetic(self, x: Tensor) -> torch.autocast:
        return torch.autocast(x.device.type, torch.bfloat16, enabled=self.precision == torch.bfloat16)


@dataclass(frozen=True)
class OwnRegularizer(GlobalRegularizer):
    """R of a critic that was trained on its own reconstructions."""

    def descent(self, lam: float) -> Sequence[tuple[Denoises, float]]:
        """See `protocol.HasDescent`."""
        return descent(self, lam)


def seen_from(x: Tensor, view: int) -> Tensor:
    """x (B, C, N, N) in one of the eight orientations, shifted. The border is repeated."""
    rows, columns = x.shape[-2:]
    top, left = SHIFTS[view]
    wide = functional.pad(x, (_MARGIN,) * 4, mode="replicate")
    return turned(wide[..., top : top + rows, left : left + columns], view)


def _views(x: Tensor) -> Tensor:
    """All views of x (B, C, N, N): (8 B, C, N, N)."""
    return torch.cat([seen_from(x, view) for view in range(len(SHIFTS))])


class GlobalPrior:
    """A global critic. Psi is the same for all noise levels, and lambda is 2 sigma or fitted.

    Attributes:
        own: Whether it was trained on its own reconstructions.
    """

    kind = "global"

    def __init__(
        self,
        network: GlobalCritic,
        sigma_range: tuple[float, float],
        lam: LambdaOfSigma,
        own: bool = False,
    ) -> None:
        self.network = network
        self.sigma_range = sigma_range
        self._lam = lam
        self.own = own

    @classmethod
    def described(
        cls, architecture: Mapping[str, Any], sigma_range: tuple[float, float], lam: LambdaOfSigma
    ) -> Self:
        """See `protocol.StoredPrior`."""
        fields = dict(architecture)
        own = fields.pop(_OWN, False)
        if not isinstance(own, bool):
            raise ValueError(f"{_OWN} is true or false, not {own}")
        with torch.device("meta"), WithoutDraws():
            return cls(GlobalCritic(GlobalArchitecture(**fields)), sigma_range, lam, own)

    @property
    def description(self) -> dict[str, Any]:
        """See `protocol.StoredPrior`."""
        own = {_OWN: True} if self.own else {}
        return {"kind": self.kind, **self.network.architecture.as_dict(), **own}

    def to(self, device: torch.device) -> Self:
        """A copy on that device."""
        twin = copy.copy(self)
        twin.network = copy.deepcopy(self.network).to(device).eval().requires_grad_(False)
        return twin

    @property
    def channels(self) -> int:
        return self.network.architecture.channels

    @property
    def margin(self) -> int:
        return 0

    def at(self, sigma: float, arithmetic: Arithmetic = Arithmetic()) -> GlobalRegularizer:  # noqa: B008 - immutable
        """R, which is the same for every level."""
        return (OwnRegularizer if self.own else GlobalRegularizer)(self.network, arithmetic.precision)

    def lam(self, sigma: float) -> float:
        """The weight of R for noise of this level per pixel."""
        return self._lam(sigma)

    def gain(self, problem: Problem) -> float:
        return 1.0
