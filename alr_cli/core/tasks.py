"""y = A x + eps: a description of what happened to a picture    (eq. 1)

The same description serves restoration, which derives from it the problem to solve, and measurements, which
derive from it what would have been observed of a picture. The commands create it from the options.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alr_cli.core import problems
from alr_cli.core.coloured_noise import coloured_noise
from alr_cli.core.jpeg import Coefficients
from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.operators.convolution import Boundary, Convolution
from alr_cli.core.operators.downsample import Smaller, bicubic
from alr_cli.core.operators.protocol import Shape
from alr_cli.core.problems import Problem
from alr_cli.core.windows import Window, windows
from alr_cli.errors import UsageError

UPSCALING_LEVEL = 0.005  # noise level for the prior if the noise is weaker; see docs/notebook/wide.md
NEGLIGIBLE = 0.5 / 255  # noise level that no 8-bit file shows
WIDE_FROM = 0.01  # noise level; weaker noise is left to fields of experts (docs/notebook/wide.md)
WIDE_UP_TO = 0.7  # share of missing pixels; above it fields of experts are better
HELD_LEVEL = 0.2  # noise level for the prior if known pixels are held; see docs/notebook/critics.md

Floats = NDArray[np.float32]


class Task(ABC):
    """The operator A, independent of the size of a picture. The defaults are those of denoising.

    Attributes:
        name: Name of the command that restores such pictures.
    """

    name: ClassVar[str]

    def wide(self, sigma: float) -> bool:
        """Whether, for noise of this level, a wide prior that denoises in one step is better than fields of
        experts.

        This was measured on validation pictures, see docs/notebook/wide.md.
        """
        return True

    @abstractmethod
    def problem(self, y: Tensor, margin: int, sigma: float) -> Problem:
        """The problem to solve for an observation.

        Args:
            y: The observation (B, C, H', W').
            margin: How many pixels beyond the frame the prior sees.
            sigma: Noise level on [0,1].
        """

    def observe(self, x: Tensor) -> Tensor:
        """A x, without noise: (B, C, H, W) -> (B, C, H', W')."""
        return x

    def hide(self, y: Floats) -> Floats:
        """A noisy observation (H', W', C) as it would be seen: black where nothing was observed."""
        return y

    def frame(self, x: Tensor) -> Tensor:
        """The part of a picture (B, C, H, W) that can be restored from what is observed of it."""
        return x

    def solved(self, sigma: float) -> bool:
        """Whether an observation with this noise is already the solution."""
        return False

    def held(self, sigma: float) -> bool:
        """Whether pixels that are known exactly are held."""
        return False

    def parts(self, sigma: float, reach: int) -> list[tuple[Window, Task]] | None:
        """Boxes outside which nothing has to be restored, and the degradation in each.

        None if the whole picture has to be restored. The prior must not depend on pixels further away than
        `reach`.
        """
        return None

    def level(self, sigma: float) -> float:
        """The noise level for the prior."""
        return sigma

    def finish(self, restored: Floats, y: Floats, sigma: float) -> Floats:
        """A restored picture (H, W, C) with rounding errors corrected, for instance of pixels that are known
        exactly."""
        return restored


@dataclass(frozen=True)
class Denoising(Task):
    """A = identity. `noise` is None for white noise of one level."""

    noise: NoiseModel | None = None
    name: ClassVar[str] = "denoise"

    def wide(self, sigma: float) -> bool:
        return sigma >= WIDE_FROM

    def problem(self, y: Tensor, margin: int, sigma: float) -> Problem:
        return problems.denoising(y, margin, None if self.noise is None else coloured_noise(y, self.noise))

    def solved(self, sigma: float) -> bool:
        return sigma == 0

    def finish(self, restored: Floats, y: Floats, sigma: float) -> Floats:
        return within(restored, y, sigma)


@dataclass(frozen=True)
class Untouched(Denoising):
    """A = identity, for a picture that stays as it is, whatever its noise."""

    def wide(self, sigma: float) -> bool:
        return False

    def solved(self, sigma: float) -> bool:
        return True


@dataclass(frozen=True)
class Deblurring(Task):
    """A = convolution with `kernel` (h, w), both odd, sum 1. `boundary` says what lies beyond the frame."""

    kernel: NDArray[np.float64]
    boundary: Boundary = "valid"
    name: ClassVar[str] = "deblur"

    def problem(self, y: Tensor, margin: int, sigma: float) -> Problem:
        return problems.deblurring(y, self.kernel, margin, self.boundary)

    def observe(self, x: Tensor) -> Tensor:
        return Convolution(self.kernel, (x.shape[-2], x.shape[-1]), self.boundary).forward(x)

    def frame(self, x: Tensor) -> Tensor:
        if self.boundary != "valid":
            return x
        rows, columns = (side // 2 for side in self.kernel.shape)
        return x[..., rows : x.shape[-2] - rows, columns : x.shape[-1] - columns]


@dataclass(frozen=True)
class Guess:
    """What is known of missing pixels, apart from their neighbours: x ~ N(pixels, deviation^2).

    Attributes:
        pixels: (H, W, C), used where pixels are missing.
        deviation: (H, W) on [0,1], positive, and infinite where nothing is known.
    """

    pixels: Floats
    deviation: Floats

    def part(self, box: Window) -> Guess:
        """The guess for a part of the picture."""
        return Guess(self.pixels[box], self.deviation[box])

    def planes(self, like: Tensor) -> Tensor:
        """The pixels in the layout of an observation (B, C', H, W), which has one plane for three equal
        channels, or three for one."""
        planes = torch.from_numpy(np.ascontiguousarray(self.pixels.transpose(2, 0, 1), np.float32))
        count = like.shape[0] * like.shape[1]
        planes = planes if len(planes) <= count else planes.mean(0, keepdim=True)
        return planes.expand(count, -1, -1).reshape(like.shape).to(like.device)


@dataclass(frozen=True)
class Inpainting(Task):
    """A keeps some pixels. Without noise these come back exactly.

    Attributes:
        missing: (H, W), True where nothing was observed.
        guess: What else is known of the missing pixels, or None. It is used only if the known pixels have no
            noise.
    """

    missing: NDArray[np.bool_]
    guess: Guess | None = None
    name: ClassVar[str] = "inpaint"

    def problem(self, y: Tensor, margin: int, sigma: float) -> Problem:
        missing, exact, guess = self._missing(y), self.held(sigma), self.guess
        if guess is None or not exact:
            return problems.inpainting(self.observe(y), missing, margin, exact)
        deviation = torch.from_numpy(np.ascontiguousarray(guess.deviation, np.float32)).to(y.device)
        y = torch.where(missing, guess.planes(y), y)
        return problems.retouching(y, missing, deviation, margin)

    def wide(self, sigma: float) -> bool:
        return self.held(sigma) and float(np.mean(self.missing)) <= WIDE_UP_TO

    def observe(self, x: Tensor) -> Tensor:
        return torch.where(self._missing(x), 0.0, x)

    def hide(self, y: Floats) -> Floats:
        return np.where(self.missing[..., None], np.float32(0), y)

    def held(self, sigma: float) -> bool:
        return sigma == 0

    def parts(self, sigma: float, reach: int) -> list[tuple[Window, Task]] | None:
        boxes = windows(self.missing, reach) if self.held(sigma) else None
        return None if boxes is None else [(box, self._part(box)) for box in boxes]

    def level(self, sigma: float) -> float:
        return sigma or HELD_LEVEL

    def finish(self, restored: Floats, y: Floats, sigma: float) -> Floats:
        return np.where(self.missing[..., None], restored, within(restored, y, sigma))

    def _missing(self, like: Tensor) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(self.missing, dtype=bool)).to(like.device)

    def _part(self, box: Window) -> Inpainting:
        return Inpainting(self.missing[box], None if self.guess is None else self.guess.part(box))


@dataclass(frozen=True)
class PartlySeen(Task):
    """The degradation of a picture whose observation is partly unknown, for example where it is transparent.

    Attributes:
        of: The degradation of the other pixels.
        hidden: (H', W'), True where the observation is unknown. The numbers there are returned unchanged.
    """

    of: Task
    hidden: NDArray[np.bool_]

    @property
    def name(self) -> str:  # type: ignore[override]  # differs between tasks
        return self.of.name

    def wide(self, sigma: float) -> bool:
        return self.of.wide(sigma)

    def problem(self, y: Tensor, margin: int, sigma: float) -> Problem:
        hidden = torch.from_numpy(np.ascontiguousarray(self.hidden)).to(y.device)
        return problems.partly_seen(y, hidden, lambda filled: self.of.problem(filled, margin, sigma))

    def observe(self, x: Tensor) -> Tensor:
        return self.of.observe(x)

    def hide(self, y: Floats) -> Floats:
        return self.of.hide(np.where(self.hidden[..., None], np.float32(0), y))

    def frame(self, x: Tensor) -> Tensor:
        return self.of.frame(x)

    def solved(self, sigma: float) -> bool:
        return self.of.solved(sigma)

    def held(self, sigma: float) -> bool:
        return self.of.held(sigma)

    def parts(self, sigma: float, reach: int) -> list[tuple[Window, Task]] | None:
        parts = self.of.parts(sigma, reach)
        return None if parts is None else [(box, PartlySeen(of, self.hidden[box])) for box, of in parts]

    def level(self, sigma: float) -> float:
        return self.of.level(sigma)

    def finish(self, restored: Floats, y: Floats, sigma: float) -> Floats:
        restored = self.of.finish(restored, y, sigma)
        enlarged = restored.shape[:2] != y.shape[:2]
        return restored if enlarged else np.where(self.hidden[..., None], y, restored)


@dataclass(frozen=True)
class Upscaling(Task):
    """A makes pictures `scale` times smaller.

    `smaller` creates the operator for a shape (H, W) and a scale.
    """

    scale: int
    smaller: Callable[[Shape, int], Smaller] = bicubic
    name: ClassVar[str] = "upscale"

    def observe(self, x: Tensor) -> Tensor:
        return self._operator(self.frame(x)).forward(self.frame(x))

    def frame(self, x: Tensor) -> Tensor:
        height, width = (side // self.scale * self.scale for side in x.shape[-2:])
        return x[..., :height, :width]

    def problem(self, y: Tensor, margin: int, sigma: float) -> Problem:
        shape = (self.scale * y.shape[-2], self.scale * y.shape[-1])
        return problems.upscaling(y, self.smaller(shape, self.scale), margin)

    def level(self, sigma: float) -> float:
        return max(sigma, UPSCALING_LEVEL)

    def _operator(self, x: Tensor) -> Smaller:
        return self.smaller((x.shape[-2], x.shape[-1]), self.scale)


@dataclass(frozen=True)
class Decoding(Task):
    """A = the coefficients of a JPEG file before they were rounded.

    Attributes:
        coefficients: The coefficients and steps in the file.
        turn: Maps a stored picture (H, W, C) to the displayed one.
    """

    coefficients: Coefficients
    turn: Callable[[Floats], Floats] = np.ascontiguousarray
    name: ClassVar[str] = "denoise"

    def problem(self, y: Tensor, margin: int, sigma: float) -> Problem:
        coefficients = self.coefficients
        if y.shape[1] == 1:
            coefficients = coefficients.luma()  # also for a colour file with only gray pixels
        if (len(y), len(coefficients.planes)) != (1, y.shape[1]):
            raise UsageError(
                "a JPEG file in colour needs a colour prior, and one in gray a gray prior: choose it with -w"
            )
        stored = np.empty((coefficients.height, coefficients.width, 1), np.float32)
        if self.turn(stored).shape[:2] != tuple(y.shape[-2:]):
            raise UsageError(
                "the coefficients of a JPEG file are for the whole picture, not for a part of it"
            )
        return problems.coded(coefficients, margin, sigma)

    def finish(self, restored: Floats, y: Floats, sigma: float) -> Floats:
        return self.turn(restored)


def within(restored: Floats, y: Floats, sigma: float) -> Floats:
    """A restored picture (H, W, C), which is kept within twice the noise level of y if there is almost no
    noise.

    The prior was not trained for such levels and would move sharp edges by several 8-bit levels.
    """
    return restored if sigma >= NEGLIGIBLE else np.clip(restored, y - 2 * sigma, y + 2 * sigma)


def observed(task: Task, pixels: NDArray[Any]) -> Floats:
    """A x of a picture: (H, W, C) -> (H', W', C) float32."""
    return from_batch(task.observe(to_batch(pixels)))


def in_frame(task: Task, pixels: NDArray[Any]) -> Floats:
    """The part of a picture (H, W, C) that can be restored from its observation."""
    return from_batch(task.frame(to_batch(pixels)))


def to_batch(pixels: NDArray[Any]) -> Tensor:
    """(H, W, C) -> (1, C, H, W) float32."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32))[None]


def from_batch(x: Tensor) -> Floats:
    """The inverse of `to_batch`."""
    return np.ascontiguousarray(x[0].cpu().numpy().transpose(1, 2, 0))
