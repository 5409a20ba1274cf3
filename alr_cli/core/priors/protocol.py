"""R(x) at one noise level is a Regularizer; a Prior, the content of a weights file, gives one for each level

To use your own prior, write a class with the members of `Regularizer` (for an `Energy`) or of `Prior`
(wherever a noise level is given as a number). The other protocols are capabilities that a regularizer or
prior may have in addition. Code that can use a capability asks for it, and works without it otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from alr_cli.core.priors.preconditioner import Circulant
    from alr_cli.core.problems import Problem


@dataclass(frozen=True)
class Arithmetic:
    """How a regularizer computes.

    Attributes:
        tile: Side in pixels of the blocks that are evaluated at once; 0 for the whole picture, None for a
            size that suits the machine. It bounds the memory and changes nothing but rounding.
        precision: Precision of the convolutions. Sums stay in float32.
    """

    tile: int | None = 0
    precision: torch.dtype = torch.float32


class Regularizer(Protocol):
    """R at one noise level: all that an energy and a solver need to know of a prior.

    Attributes:
        channels: Channels of the pictures it sees.
        margin: Number of pixels beyond each side of the frame that it wants to see; 0 for none.
    """

    @property
    def channels(self) -> int: ...
    @property
    def margin(self) -> int: ...

    def value_and_grad(self, x: Tensor) -> tuple[Tensor | None, Tensor]:
        """x: (B, C, H, W) -> (R (B,), dR/dx like x), in float32 or the precision of x.

        R is a sum over patches or pixels and not a mean: only the energy divides by the number of pixels. The
        value is None if only the gradient is known.
        """
        ...


class Prior(Protocol):
    """R for every noise level, and its weight.

    Attributes:
        channels, margin: Those of its regularizers.
        sigma_range: The noise levels it was made for.
    """

    @property
    def channels(self) -> int: ...
    @property
    def margin(self) -> int: ...
    @property
    def sigma_range(self) -> tuple[float, float]: ...

    def at(self, sigma: float, arithmetic: Arithmetic = Arithmetic()) -> Regularizer:
        """R for noise of standard deviation sigma on [0,1]."""
        ...

    def lam(self, sigma: float) -> float:
        """lambda(sigma), the weight of R for removing white noise of this level."""
        ...

    def gain(self, problem: Problem) -> float:
        """The factor by which lambda(sigma) changes for the operator of a problem; 1 for denoising and
        missing pixels."""
        ...


class Stored(Protocol):
    """What weights files can store.

    Attributes:
        network: The module whose tensors are stored.
    """

    @property
    def network(self) -> nn.Module: ...

    @property
    def description(self) -> dict[str, Any]:
        """The architecture, with its kind, as data that JSON can represent."""
        ...


class StoredPrior(Prior, Stored, Protocol):
    """A prior that weights files can store.

    Attributes:
        kind: Its key in `registry.PRIORS`.
    """

    kind: str

    @classmethod
    def described(
        cls, architecture: Mapping[str, Any], sigma_range: tuple[float, float], lam: LambdaOfSigma
    ) -> StoredPrior:
        """The inverse of `description`, without numbers (on torch's meta device); these are loaded later.

        Raises TypeError or ValueError for an invalid description.
        """
        ...

    def to(self, device: torch.device) -> StoredPrior:
        """A copy on that device."""
        ...


class LambdaOfSigma(Protocol):
    def __call__(self, sigma: float, /) -> float: ...


@runtime_checkable
class HasGradient(Protocol):
    """A regularizer whose gradient is cheaper without its value."""

    def grad(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W) -> dR/dx like x, the same as that of `value_and_grad`."""
        ...


@runtime_checkable
class HasGlimpses(Protocol):
    """A regularizer that can be evaluated one part at a time, with the parts taking turns."""

    def glimpses(self, frame: tuple[int, int] | None) -> Regularizer:
        """A regularizer that uses one part at each evaluation, scaled to represent all of them.

        `frame` is (H, W) of a periodic picture, and None for others.
        """
        ...


@runtime_checkable
class HasPreconditioner(Protocol):
    """A regularizer whose average Hessian is known."""

    def preconditioner(self, problem: Problem, lam: float) -> Circulant | None:
        """P of the energy with this lambda. None if the operator has no multiplier of frequencies."""
        ...


@runtime_checkable
class HasScores(Protocol):
    """A regularizer that can show where in a picture it sees what it penalises."""

    def scores(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W) -> the score of each patch, (B, H - margin, W - margin)."""
        ...


@runtime_checkable
class HasTiles(Protocol):
    """A prior that can be evaluated block by block."""

    def tile(self, shape: tuple[int, ...], device: torch.device, precision: torch.dtype) -> int:
        """The best side of the blocks in which pictures of shape (B, C, H, W) are evaluated; 0 for the
        whole."""
        ...


@runtime_checkable
class HasReach(Protocol):
    """A prior that depends on pixels beyond its margin, which is 0 if it needs nothing beyond the frame."""

    @property
    def reach(self) -> int:
        """The distance in pixels at which other pixels affect a missing one."""
        ...


@runtime_checkable
class HasProx(Protocol):
    """A regularizer whose proximal map is known."""

    def prox(self, x: Tensor, step: float) -> Tensor:
        """arg min_z 1/2 ||z - x||^2 + step R(z), like x."""
        ...


@runtime_checkable
class Denoises(Protocol):
    """A regularizer that removes noise of its level in one step."""

    def denoise(self, y: Tensor, share: float = 1.0) -> Tensor:
        """A picture y (B, C, H, W) with white noise -> an estimate of the clean picture.

        It is y - share grad R(y), or the proximal map of share R.
        """
        ...


@runtime_checkable
class Anneals(Denoises, Protocol):
    """A regularizer that denoises at its own noise level, and is available for any other."""

    @property
    def sigma(self) -> float: ...
    def at(self, sigma: float) -> Denoises:
        """The same regularizer for noise of standard deviation sigma on [0,1]."""
        ...


@runtime_checkable
class WeighsGradient(Protocol):
    """A regularizer whose gradient, which was learned, needs another weight than its denoiser."""

    def gradient_weight(self, problem: Problem) -> float:
        """The factor by which lambda changes where a solver uses the gradient."""
        ...


@runtime_checkable
class TakesLevels(Protocol):
    """A regularizer that denoises pictures whose noise differs between pixels."""

    def with_levels(self, relative: Tensor) -> Denoises:
        """The same regularizer for noise that is `relative` times as strong at each pixel, (B, 1, H, W)."""
        ...

    def turned(self, side: int) -> Denoises:
        """The same regularizer for turned pictures, whose levels are turned with them; see
        `orientations.turned`."""
        ...


@runtime_checkable
class PostProcesses(Denoises, Protocol):
    """A regularizer whose D turns the start of a problem into a good estimate in one step.

    Attributes:
        postprocesses: True.
    """

    @property
    def postprocesses(self) -> bool: ...


@runtime_checkable
class HasDescent(Protocol):
    """A regularizer that was trained on the pictures of a descent, which is the one to use it with."""

    def descent(self, lam: float) -> Sequence[tuple[Denoises, float]]:
        """D and tau of each step x+ = prox_{tau f}(D(x)), for this lambda."""
        ...


@runtime_checkable
class ChoosesLevel(Protocol):
    """A prior that needs another level than that of the noise, depending on the operator."""

    def level(self, problem: Problem, sigma: float) -> float:
        """The level for the prior if the noise of a problem has standard deviation sigma."""
        ...
