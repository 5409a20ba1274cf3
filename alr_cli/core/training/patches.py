"""P_c and P_n: all p x p patches of a set of pictures, sampled uniformly    (sec. 3.2)

Pictures are decoded once and stored as rows of one table (pixels, channels). A batch of patches is one
gather, which takes microseconds, so that training never waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class PatchSource:
    """Uniform samples from all p x p patches of `pictures`.

    Args:
        pictures: Arrays (H, W, C), uint8 on [0,255] or float32 on [0,1], with H and W at least p.
        patch: p.

    Raises:
        ValueError: There are no pictures, or they do not fit together.
    """

    def __init__(self, pictures: Sequence[np.ndarray], patch: int) -> None:
        if not pictures:
            raise ValueError("no pictures to sample patches from")
        if any(min(picture.shape[:2]) < patch for picture in pictures):
            raise ValueError(f"every picture must be at least {patch} x {patch}")
        if any(picture.shape[2] != pictures[0].shape[2] for picture in pictures):
            raise ValueError("the pictures must all have the same number of channels")
        if any(picture.dtype != pictures[0].dtype for picture in pictures):
            pictures = [as_float(picture) for picture in pictures]
        heights = torch.tensor([picture.shape[0] for picture in pictures])
        self.widths = torch.tensor([picture.shape[1] for picture in pictures])
        self.starts = torch.cumsum(heights * self.widths, 0) - heights * self.widths
        self.rows, self.columns = heights - patch + 1, self.widths - patch + 1
        self.ends = torch.cumsum(self.rows * self.columns, 0)  # of the patches, counted across all pictures
        rows = [picture.reshape(-1, picture.shape[2]) for picture in pictures]
        self.table = torch.from_numpy(np.concatenate(rows))
        self.patch = patch
        self.offset = torch.arange(patch)

    def __len__(self) -> int:
        """The number of patches."""
        return int(self.ends[-1])

    @property
    def channels(self) -> int:
        return self.table.shape[1]

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, C, p, p) float32 on [0,1], drawn with replacement."""
        number = torch.randint(len(self), (count,), generator=generator)
        picture = torch.searchsorted(self.ends, number, right=True)
        number = number - torch.where(picture > 0, self.ends[picture - 1], 0)
        columns = self.columns[picture]
        return self.take(picture, number // columns, number % columns)

    def take(self, picture: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """The patches whose first pixels are given, (n,) each -> (n, C, p, p) float32 on [0,1]."""
        offset, widths, starts = (t.to(self.table.device) for t in (self.offset, self.widths, self.starts))
        rows = (row[:, None] + offset) * widths[picture][:, None]
        index = (starts[picture] + column)[:, None, None] + rows[:, :, None] + offset
        patches = self.table[index].permute(0, 3, 1, 2)
        return patches.float().div_(255.0) if patches.dtype == torch.uint8 else patches.contiguous()


def as_float(picture: np.ndarray) -> np.ndarray:
    """Convert uint8 on [0,255] or float on [0,1] to float32 on [0,1]."""
    if picture.dtype == np.uint8:
        return picture.astype(np.float32) / np.float32(255)
    return picture.astype(np.float32)


def turned(crops: Tensor, generator: torch.Generator) -> Tensor:
    """Each of the square crops (B, C, p, p) in one of the eight orientations. The generator must be on their
    device."""
    turns = torch.rand(3, len(crops), 1, 1, 1, generator=generator, device=crops.device) < 0.5
    crops = torch.where(turns[0], crops.flip(-1), crops)
    crops = torch.where(turns[1], crops.flip(-2), crops)
    return torch.where(turns[2], crops.transpose(-1, -2), crops)
