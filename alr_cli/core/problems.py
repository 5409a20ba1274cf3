"""y = A x + eps with the unknown extended beyond the frame: eq. 1 for each task

Nobody observed the pixels beyond the frame. The unknown therefore extends `margin` pixels further on every
side: p - 1 for a prior of p x p patches, and more by the kernel's radius if a blur mixes them in. These
pixels start as a reflection, and only the regularizer sees them. Every pixel of the frame then lies in
exactly p^2 patches. Padding by reflection would instead count border pixels twice, which is a different
energy; at a step edge it is 3 dB worse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from alr_cli.core.coloured_noise import ColouredNoise
from alr_cli.core.jpeg import HALF_STEP, Coefficients
from alr_cli.core.operators.all_channels import AllChannels
from alr_cli.core.operators.compose import Compose
from alr_cli.core.operators.convolution import Boundary, Convolution, Downsample
from alr_cli.core.operators.downsample import Smaller
from alr_cli.core.operators.pixels import Crop, Mask
from alr_cli.core.operators.protocol import LinearOperator


@dataclass(frozen=True)
class Problem:
    """An observation and how it came about.

    Attributes:
        operator: A, from the extended unknown to y.
        y: The observation (B, C, H', W').
        begin: Creates the initial extended unknown.
        frame: (H, W) of the picture to restore.
        free: 1 where the unknown may move; None for everywhere.
        near: Whether the solution is within the noise of the start. Otherwise A hides information that takes
            many steps to recover.
        holes: Whether A hides single pixels.
        periodic: Whether the unknown is the frame alone, continued periodically.
        kernel: The kernel of a blur in A, which changes the weight of R; else None.
        clips: Whether an observation that ends at 0 and 1 was clipped there (see data_terms.py).
        bounds: Smallest and largest value of the picture; None for no bounds.
        noise: What is known of the noise beside its level; None for white noise of one level.
        deviation: How exactly the pixels that are not held are known, (H, W) on [0,1], and infinite where
            nothing is; None for nowhere.
        half_step: The largest rounding error of y if its noise is rounding; else None.
        rays: Whether A integrates along rays, few of which see each pixel.
    """

    operator: LinearOperator
    y: Tensor
    begin: Callable[[], Tensor]
    frame: tuple[int, int]
    free: Tensor | None = None
    near: bool = False
    periodic: bool = False
    holes: bool = False
    kernel: np.ndarray | None = None
    clips: bool = True
    bounds: tuple[float, float] | None = None
    noise: ColouredNoise | None = None
    deviation: Tensor | None = None
    half_step: float | None = None
    rays: bool = False

    @property
    def start(self) -> Tensor:
        """The initial extended unknown (B, C, H, W), created anew."""
        return self.begin()

    @property
    def pixels(self) -> int:
        return self.frame[0] * self.frame[1]

    @property
    def plain(self) -> bool:
        """Whether the noise is white and of one level."""
        return self.noise is None and self.half_step is None and self.deviation is None

    @property
    def enlarges(self) -> bool:
        """Whether the observation is a picture with larger pixels."""
        return not self.rays and self.pixels > self.y.shape[-2] * self.y.shape[-1]

    def beyond(self, plane: Tensor) -> Tensor:
        """A quantity (B, C, H, W) that is known for each pixel of the frame, reflected to the extended
        unknown."""
        rows, columns = (
            (wide - size) // 2 for wide, size in zip(self.operator.input_shape[-2:], self.frame, strict=True)
        )
        return extend(plane, rows, columns)

    def crop(self, x: Tensor) -> Tensor:
        """The frame of an extended picture."""
        top = (x.shape[-2] - self.frame[0]) // 2
        left = (x.shape[-1] - self.frame[1]) // 2
        return x[..., top : top + self.frame[0], left : left + self.frame[1]]


def denoising(y: Tensor, margin: int, noise: ColouredNoise | None = None) -> Problem:
    """A = identity."""
    crop: LinearOperator = _beyond(_shape(y), margin)
    if noise is not None:
        crop = AllChannels(crop, y.shape[1])  # the data term weights their colours
    return Problem(crop, y, lambda: extend(y, margin), _shape(y), near=True, noise=noise)


def deblurring(y: Tensor, kernel: np.ndarray, margin: int, boundary: Boundary = "valid") -> Problem:
    """A = true convolution with `kernel`.

    With "valid", the pixels beyond the frame that the blur mixes in are unknown. With "circular" there are
    none.
    """
    if boundary == "circular":
        shape = _shape(y)
        operator = Convolution(kernel, shape, boundary)
        return Problem(operator, y, y.clone, shape, periodic=True, kernel=kernel)
    rows, columns = (side // 2 for side in kernel.shape) if boundary == "valid" else (0, 0)
    shape = (y.shape[-2] + 2 * rows, y.shape[-1] + 2 * columns)
    blur = Compose(Convolution(kernel, shape, boundary), _beyond(shape, margin))
    return Problem(blur, y, lambda: extend(extend(y, rows, columns), margin), _shape(y), kernel=kernel)


def inpainting(y: Tensor, missing: Tensor, margin: int, exact: bool = False) -> Problem:
    """A = mask.

    Args:
        y: The observation (B, C, H, W).
        missing: (H, W) bool.
        margin: As in the module.
        exact: Hold the known pixels instead of fitting them (sigma = 0).
    """
    known = (~missing).to(y)
    crop = _beyond(_shape(y), margin)
    free = 1.0 - crop.adjoint(known[None, None]) if exact else None
    y = y * known
    operator = Compose(Mask(known), crop)
    return Problem(operator, y, lambda: extend(fill(y, known), margin), _shape(y), free, holes=True)


def retouching(y: Tensor, moving: Tensor, deviation: Tensor, margin: int) -> Problem:
    """A = identity, where most pixels are held and the others are known inexactly.

    Args:
        y: The pixels (B, C, H, W).
        moving: (H, W) bool, True where they are not held.
        deviation: (H, W), that of these on [0,1], positive, and infinite where nothing is known.
        margin: As in the module.
    """
    crop = _beyond(_shape(y), margin)
    free = 1.0 - crop.adjoint((~moving).to(y)[None, None])
    known = (~moving | torch.isfinite(deviation)).to(y)
    y, deviation = fill(y * known, known), torch.where(moving, deviation, torch.inf)
    frame = _shape(y)
    return Problem(
        crop, y, lambda: extend(y, margin), frame, free, holes=True, clips=False, deviation=deviation
    )


def downsampling(y: Tensor, factor: int, kernel: np.ndarray, shape: tuple[int, int], margin: int) -> Problem:
    """A = blur, then keep every factor-th pixel, for a picture of `shape` that is reflected at its
    borders."""

    def begin() -> Tensor:
        coarse = torch.nn.functional.interpolate(y, size=shape, mode="bilinear", align_corners=False)
        return extend(coarse, margin)

    operator = Compose(Downsample(factor, kernel, shape, "reflect"), _beyond(shape, margin))
    return Problem(operator, y, begin, shape)


def upscaling(y: Tensor, operator: Smaller, margin: int) -> Problem:
    """A = an operator that makes pictures smaller. `operator` maps the frame to y."""
    height, width = operator.input_shape[-2:]

    def begin() -> Tensor:
        larger = torch.nn.functional.interpolate(y, (height, width), mode="bicubic", align_corners=False)
        return extend(larger, margin)

    shape = (height, width)
    return Problem(Compose(operator, _beyond(shape, margin)), y, begin, shape, kernel=operator.kernel)


def partly_seen(y: Tensor, hidden: Tensor, problem: Callable[[Tensor], Problem]) -> Problem:
    """A problem with an observation that is unknown in some pixels.

    Args:
        y: The observation, (B, C, H', W').
        hidden: (H', W') bool, True where it is unknown.
        problem: Makes the problem for an observation without gaps. At unknown pixels only its start is used.
    """
    known = (~hidden).to(y)
    whole = problem(fill(y * known, known))
    mask: LinearOperator = Mask(known)
    if len(whole.operator.output_shape) == 3:
        mask = AllChannels(mask, y.shape[1])
    noise = None if whole.noise is None else replace(whole.noise, hidden=hidden)
    return replace(whole, operator=Compose(mask, whole.operator), y=whole.y * known, noise=noise)


def coded(coefficients: Coefficients, margin: int, level: float) -> Problem:
    """A = the coefficients of a JPEG file, with noise of this level.

    Blocks extend beyond the frame at the bottom and on the right, and so does the unknown.
    """
    height, width = coefficients.height, coefficients.width
    rows, columns = coefficients.whole
    margin = max(margin, rows - height, columns - width)
    shape = (height + 2 * margin, width + 2 * margin)
    crop = Crop(shape, (margin, shape[0] - margin - rows, margin, shape[1] - margin - columns))
    operator, y = coefficients.observation(level)

    def begin() -> Tensor:
        return extend(coefficients.decoded(), margin)[..., : shape[0], : shape[1]].contiguous()

    blocks = Compose(operator, AllChannels(crop, len(coefficients.planes)))
    return Problem(blocks, y, begin, (height, width), clips=False, half_step=HALF_STEP * level)


def extend(x: Tensor, rows: int, columns: int | None = None) -> Tensor:
    """Extend x by reflection, by `rows` above and below and `columns` left and right, repeatedly if
    necessary."""
    columns = rows if columns is None else columns
    index = [
        torch.from_numpy(np.pad(np.arange(size), margin, mode="reflect")).to(x.device)
        for size, margin in zip(x.shape[-2:], (rows, columns), strict=True)
    ]
    return x.index_select(-2, index[0]).index_select(-1, index[1])


def fill(y: Tensor, known: Tensor) -> Tensor:
    """A smooth first guess of the missing pixels: averages over ever coarser neighbourhoods (push and pull).

    Args:
        y: (B, C, H, W).
        known: (H, W), 1 where y is known.
    """
    weight = known.expand(1, 1, *known.shape)
    if bool((weight > 0).all()) or min(y.shape[-2:]) == 1:
        total = weight.sum().clamp_min(1.0)
        mean = (y * weight).sum(dim=(-2, -1), keepdim=True) / total
        return y * weight + mean * (1 - weight)
    pool = torch.nn.functional.avg_pool2d
    coarse_weight = pool(weight, 2, ceil_mode=True)
    coarse = pool(y * weight, 2, ceil_mode=True) / coarse_weight.clamp_min(1e-6)
    coarse = fill(coarse, (coarse_weight > 0).to(y)[0, 0])
    guess = torch.nn.functional.interpolate(coarse, size=y.shape[-2:], mode="bilinear", align_corners=False)
    return y * weight + guess * (1 - weight)


def _beyond(shape: tuple[int, int], margin: int) -> Crop:
    """The operator from an unknown that extends `margin` pixels beyond all sides of `shape` to that shape."""
    return Crop((shape[0] + 2 * margin, shape[1] + 2 * margin), margin)


def _shape(x: Tensor) -> tuple[int, int]:
    return x.shape[-2], x.shape[-1]
