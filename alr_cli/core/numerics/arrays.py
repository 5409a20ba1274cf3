"""Pictures as callers have them: (H, W), (H, W, C), (C, H, W) or a batch, in NumPy or torch

They are checked, converted, and returned in the form they had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from alr_cli.errors import UsageError

Floats = NDArray[np.float32]

_SHAPES = (
    "(H, W), (H, W, C) or (B, H, W, C) in NumPy; (H, W), (C, H, W) or (B, C, H, W) in torch; C is 1 or 3"
)


@dataclass(frozen=True)
class Pictures:
    """Pictures in the form that the core uses.

    Attributes:
        each: Pictures (H, W, C) float32.
        like: What was given. Its type, shape, dtype and device decide the form of what `back` returns.
    """

    each: tuple[Floats, ...]
    like: Any

    def back(self, restored: Sequence[Floats]) -> Any:
        """Pictures (H', W', C) as one array or tensor in the form of the input."""
        batch = np.stack(restored)
        tensor = isinstance(self.like, torch.Tensor)
        if tensor:
            batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        if self.like.ndim < 4:
            batch = batch[0]
        if self.like.ndim < 3:
            batch = batch[0] if tensor else batch[..., 0]
        if tensor:
            return torch.from_numpy(batch).to(self.like.device, self.like.dtype)
        return batch.astype(self.like.dtype, copy=False)


def pictures_of(pixels: Any) -> Pictures:
    """Convert pictures of real numbers.

    Raises UsageError for integers, other shapes, NaN and infinity.
    """
    if not isinstance(pixels, np.ndarray | torch.Tensor):
        raise UsageError(f"a {type(pixels).__name__} is not a picture: give a NumPy array or a torch tensor")
    array = pixels.detach().cpu().numpy() if isinstance(pixels, torch.Tensor) else pixels
    if array.dtype.kind != "f":
        most = np.iinfo(array.dtype).max if array.dtype.kind == "u" else "the value of white"
        raise UsageError(
            f"the pixels are {array.dtype} but must be real numbers on [0,1]: divide them by {most}"
        )
    batch = _batch(array, channels_first=isinstance(pixels, torch.Tensor))
    if not np.isfinite(batch).all():
        raise UsageError("some pixels are not finite: replace them, or let inpaint fill them")
    return Pictures(tuple(np.ascontiguousarray(picture, np.float32) for picture in batch), pixels)


def _batch(array: NDArray[Any], channels_first: bool) -> NDArray[Any]:
    """The array as (B, H, W, C). Raises UsageError for other shapes."""
    if array.ndim == 2:
        batch = array[None, :, :, None]
    elif array.ndim in (3, 4):
        batch = array if array.ndim == 4 else array[None]
        batch = batch.transpose(0, 2, 3, 1) if channels_first else batch
    else:
        raise UsageError(f"the shape {array.shape} is not one of {_SHAPES}")
    if batch.shape[3] not in (1, 3) or 0 in batch.shape:
        raise UsageError(f"the shape {array.shape} is not one of {_SHAPES}")
    return batch
