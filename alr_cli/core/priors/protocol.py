"""R(x) at one noise level is a Regularizer; what a weights file holds, for all noise levels, is a Prior

A prior of one's own is a class with the members of `Regularizer` (to be used in an `Energy`) or of `Prior`
(to be used wherever a noise level is given as a number). The other protocols here are capabilities that a
regularizer or prior may have in addition; whoever can use one asks for it, and does without it elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
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

    tile: side in pixels of the blocks that are evaluated at once; 0 for the whole picture, None for a size
    that suits the machine. It bounds memory and changes nothing but rounding.  precision: of the
    convolutions; sums stay in float32.
    """

    tile: int | None = 0
    precision: torch.dtype = torch.float32


class Regularizer(Protocol):
    """R at one noise level: all that an energy and a solver need to know of a prior.

    channels: of the pictures it sees.  margin: how many pixels beyond each side of the frame it wants to see,
    0 for none.
    """

    @property
    def channels(self) -> int: ...
    @property
    def margin(self) -> int: ...

    def value_and_grad(self, x: Tensor) -> tuple[Tensor | None, Tensor]:
        """x: (B, C, H, W) -> (R (B,), dR/dx like x), in float32 or the precision of x.

        R is a sum over patches or pixels, not a mean: the energy alone divides by the number of pixels. The
        value is None where only a gradient is known.
        """
        ...


class Prior(Protocol):
    """R for every noise level, and how much it should count.

    channels, margin: as those of its regularizers.  sigma_range: the noise levels it was made for.
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
        """lambda(sigma), the weight of R when white noise of that level is to be removed."""
        ...

    def gain(self, problem: Problem) -> float:
        """What the operator of a problem makes of lambda(sigma); 1 for denoising and for missing pixels."""
        ...


class StoredPrior(Prior, Protocol):
    """A prior that weights files can hold.

    kind: its key in `registry.PRIORS`.  network: the module whose tensors are stored.
    """

    kind: str

    @property
    def network(self) -> nn.Module: ...

    @property
    def description(self) -> dict[str, Any]:
        """The architecture as JSON-able data, with its kind."""
        ...

    @classmethod
    def described(
        cls, architecture: Mapping[str, Any], sigma_range: tuple[float, float], lam: LambdaOfSigma
    ) -> StoredPrior:
        """The inverse of `description`, of shapes alone (on torch's meta device): its numbers are still to be
        loaded. Raises TypeError or ValueError for what describes none."""
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
    """A regularizer that can be seen a part at a time, the parts taking turns."""

    def glimpses(self, frame: tuple[int, int] | None) -> Regularizer:
        """One part at each evaluation, scaled to stand for all of them.  frame: (H, W) of a picture that goes
        on at its opposite side, None for others."""
        ...


@runtime_checkable
class HasPreconditioner(Protocol):
    """A regularizer whose Hessian is known on average over places."""

    def preconditioner(self, problem: Problem, lam: float) -> Circulant | None:
        """P of the energy with this lambda; None where the operator is no multiplier of frequencies."""
        ...


@runtime_checkable
class HasScores(Protocol):
    """A regularizer that says where in a picture it sees what it penalises."""

    def scores(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W) -> the score of each patch, (B, H - margin, W - margin)."""
        ...


@runtime_checkable
class HasTiles(Protocol):
    """A prior that can be evaluated block by block."""

    def tile(self, shape: tuple[int, ...], device: torch.device, precision: torch.dtype) -> int:
        """The side of the blocks in which pictures of shape (B, C, H, W) are best evaluated; 0 for all of
        it."""
        ...


@runtime_checkable
class HasReach(Protocol):
    """A prior that sees further than its margin, which is 0 where it needs nothing beyond the frame."""

    @property
    def reach(self) -> int:
        """How many pixels away from a missing one matter to it."""
        ...


@runtime_checkable
class HasProx(Protocol):
    """A regularizer whose proximal map is known."""

    def prox(self, x: Tensor, step: float) -> Tensor:
        """arg min_z 1/2 ||z - x||^2 + step R(z), like x."""
        ...


@runtime_checkable
class Denoises(Protocol):
    """A regularizer of which one gradient step removes the noise of its level."""

    def denoise(self, y: Tensor, share: float = 1.0) -> Tensor:
        """y - share grad R(y): y (B, C, H, W) with white noise -> an estimate of the picture, like y."""
        ...


@runtime_checkable
class Anneals(Denoises, Protocol):
    """A regularizer that denoises at its own level of noise, and can be had for any other."""

    @property
    def sigma(self) -> float: ...
    def at(self, sigma: float) -> Denoises:
        """The same for noise of standard deviation sigma on [0,1]."""
        ...


@runtime_checkable
class ChoosesLevel(Protocol):
    """A prior that is to be asked for another level than that of the noise, by what happened to a picture."""

    def level(self, problem: Problem, sigma: float) -> float:
        """For which level of noise the prior is asked where the noise of a problem is sigma."""
        ...
