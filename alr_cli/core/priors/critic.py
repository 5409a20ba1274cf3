"""r_theta : (B, C, p, p) -> (B, 1, 1, 1), a fully convolutional critic of p x p patches    (sec. 3.1)

The paper says "six layers of 3x3" and "15 x 15". Six layers give 13 x 13, so there are seven, without
padding. Applied to a picture (B, C, H, W), the same network scores every patch at once: (B, 1, H - p + 1, W -
p + 1).

With a stride s of 2 the first layer (4x4) halves the resolution, as in FFDNet (Zhang et al. 2018). Seven
layers then see 28 x 28 pixels at a quarter of the cost of each feature, and the patches are s pixels apart.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from alr_cli.core.numerics.chunks import parts
from alr_cli.core.numerics.reductions import total
from alr_cli.core.operators.kernels import norm_of
from alr_cli.core.priors.local import LocalNetwork, LocalPrior, SumAndGrad
from alr_cli.core.priors.orientations import turned_back
from alr_cli.core.problems import Problem

Activation = Literal["relu", "leaky_relu", "silu", "softplus"]


class Softplus(nn.Module):
    """log(1 + exp(beta t)) / beta - log(2) / beta: a ReLU with a rounded corner that maps 0 to 0."""

    def __init__(self, beta: float = 20.0) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, t: Tensor) -> Tensor:
        return nn.functional.softplus(t, beta=self.beta) - 0.6931471805599453 / self.beta


_ACTIVATIONS: dict[str, tuple[type[nn.Module], float]] = {
    # constructor, and the gain g that preserves magnitudes between layers: E phi(g z)^2 = 1 for z ~ N(0, 1)
    "relu": (nn.ReLU, 1.4142),
    "leaky_relu": (nn.LeakyReLU, 1.4141),
    "silu": (nn.SiLU, 1.5588),
    "softplus": (Softplus, 1.4413),
}


@dataclass(frozen=True)
class Architecture:
    """A critic as data, as stored in a weights file.

    Attributes:
        channels: Channels of the pictures, 1 or 3.
        width: Number of feature channels.
        depth: Number of convolutions.
        activation: Activation between them.
        stride: Stride s of the first convolution, which is (s + 2) x (s + 2); the others are 3x3.
    """

    channels: int = 3
    width: int = 32
    depth: int = 7
    activation: Activation = "relu"
    stride: int = 1

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ValueError(f"a critic sees 1 or 3 channels, not {self.channels}")
        if not (1 <= self.width <= 4096 and 2 <= self.depth <= 64):
            raise ValueError(f"unusable critic of width {self.width} and depth {self.depth}")
        if not 1 <= self.stride <= 8:
            raise ValueError(f"unusable critic of stride {self.stride}")
        if self.activation not in _ACTIVATIONS:
            raise ValueError(f"unknown activation {self.activation!r}, use one of {', '.join(_ACTIVATIONS)}")

    @property
    def patch(self) -> int:
        """p, the side of the receptive field in pixels."""
        return self.stride + 2 + 2 * self.stride * (self.depth - 1)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Critic(LocalNetwork):
    """r_theta(x): (B, C, H, W) in [0,1] -> scores (B, 1, (H - p) // s + 1, (W - p) // s + 1).

    Scores are large where the picture is noisy.
    """

    sides = 8  # after training, a picture and its rotations have slightly different scores

    def __init__(self, architecture: Architecture, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.architecture = architecture
        widths = [architecture.channels] + [architecture.width] * (architecture.depth - 1) + [1]
        activation, gain = _ACTIVATIONS[architecture.activation]
        layers: list[nn.Module] = []
        for n, (fan_in, fan_out) in enumerate(pairwise(widths)):
            stride = architecture.stride if n == 0 else 1
            side = stride + 2
            convolution = nn.Conv2d(fan_in, fan_out, side, stride)
            last = n == architecture.depth - 1
            std = (1.0 if last else gain) / (side**2 * fan_in) ** 0.5
            with torch.no_grad():
                convolution.weight.normal_(0.0, std, generator=generator)
                nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
            layers += [convolution] if last else [convolution, activation()]
        self.layers = nn.Sequential(*layers)

    def at(self, sigma: float) -> Critic:
        """The critic for noise of this level. It is the same for all levels."""
        return self

    def turned(self, side: int) -> Critic:
        """The same critic with its kernels turned back. Turning kernels is cheaper than turning the
        picture."""
        result = copy.deepcopy(self)
        with torch.no_grad():
            for layer in result.layers:
                if isinstance(layer, nn.Conv2d):
                    layer.weight.copy_(turned_back(layer.weight, side))
        return result

    def operations(self, side: int) -> int:
        count = 0
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                side = (side - layer.kernel_size[0]) // layer.stride[0] + 1
                count += 2 * 2 * side**2 * layer.weight.numel()
        return count

    def summed(self, precision: torch.dtype) -> SumAndGrad:
        """A function from x (B, C, H, W) and w to the sum of the scores (B,) and its gradient.

        It processes blocks of w pixels of each row.
        """
        return partial(_sum_and_grad, self, precision)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)  # type: ignore[no-any-return]


def _sum_and_grad(
    critic: Critic, precision: torch.dtype, x: Tensor, wide: int, valued: bool = True
) -> tuple[Tensor, Tensor]:
    value, gradient = x.new_zeros(x.shape[0]), torch.zeros_like(x)
    for _, columns in parts(x, -1, critic.patch, critic.stride, wide):
        block_value, block_gradient = _of_block(critic, precision, x[..., columns])
        value += block_value
        gradient[..., columns] += block_gradient
    return value, gradient


def _of_block(critic: Critic, precision: torch.dtype, x: Tensor) -> tuple[Tensor, Tensor]:
    leaf = x.detach().contiguous(memory_format=torch.channels_last).requires_grad_(True)
    low = precision != torch.float32
    with torch.enable_grad(), torch.autocast(leaf.device.type, dtype=precision, enabled=low):
        scores = critic(leaf)
        summed = scores.sum()  # a scalar, because the gradient of a map would load torch's symbolic shapes
    value = total(scores.detach().to(x.dtype))
    (gradient,) = torch.autograd.grad(summed, leaf)
    return value, gradient.to(x.dtype)


def scored(critic: Callable[[Tensor], Tensor], x: Tensor, bfloat16: bool) -> Tensor:
    """critic(x) in float32, with convolutions in bfloat16 if requested; differentiable."""
    with torch.autocast(x.device.type, torch.bfloat16, enabled=bfloat16):
        return critic(x.contiguous(memory_format=torch.channels_last)).float()


class CriticPrior(LocalPrior):
    """A deep critic, the same for every noise level."""

    kind = "deep"

    @staticmethod
    def build(architecture: Mapping[str, Any]) -> Critic:
        with torch.device("meta"), WithoutDraws():
            return Critic(Architecture(**architecture))

    def gain(self, problem: Problem) -> float:
        """||k||_2 of a blur: the share of white noise that reaches the gradient of the data term.

        lambda(sigma) is fitted to denoising. For the two gradients to balance (Lunz, Oktem and Schoenlieb
        2018, sec. 4), a blur multiplies it by this number.
        """
        return 1.0 if problem.kernel is None else norm_of(problem.kernel)


class WithoutDraws(TorchFunctionMode):
    """A context that skips random initialisation. To draw numbers on the meta device, torch would load its
    compiler (0.8 s)."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return args[0] if func is Tensor.normal_ else func(*args, **(kwargs or {}))
