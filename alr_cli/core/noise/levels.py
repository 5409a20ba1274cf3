"""log sigma_o = sum_k w_ok m_ok,  (m, log w) = N(log energies): the level of noise, seen by a network

Rules about power spectra (finding.py) cannot tell noise from texture that is as calm, because they see no
shapes. The network N is a small convolutional one: linear filters, the logarithm of their local energy, and
three layers on the result. For each cell of 8 x 8 pixels and each opponent colour it estimates the logarithm
of the level of the noise and how certain that is. Cells on flat places tell most, and w is a softmax over all
cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from alr_cli.core.noise.opponent_colours import opponent_matrix
from alr_cli.core.noise.seen_levels import SeenLevels
from alr_cli.core.numerics.cosine_matrix import cosine_matrix

Bools = NDArray[np.bool_]

CELL = 8  # pixels
FILTER = 5
SIDE = 128  # of the crops that are shown to the network
MOST = 8  # crops in each direction
FEWEST = 32  # pixels of a side
_COLOURS = 3
_NOTHING = 0.05  # energy that is added before the logarithm, in squared levels of 255
_CERTAIN = 6.0  # bound of |log w|


class LevelNetwork(nn.Module):
    """N. Its filters are the cosines of 5 x 5 pixels without the constant one, for each opponent colour.

    The mean of the logarithms, which follows the contrast of a picture, is subtracted before the layers and
    added to m.

    Args:
        width: Number of channels of the layers.
    """

    cosines: Tensor

    def __init__(self, width: int = 80) -> None:
        super().__init__()
        self.width = width
        cosines = cosine_matrix(FILTER)
        basis = np.einsum("ui,vj->uvij", cosines, cosines).reshape(-1, 1, FILTER, FILTER)[1:]
        self.register_buffer("cosines", torch.from_numpy(basis).float().tile(_COLOURS, 1, 1, 1), False)
        self.first = nn.Conv2d(len(self.cosines) + 1, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.third = nn.Conv2d(width, width, 3, padding=1)
        self.fourth = nn.Conv2d(width, width, 3, padding=1)
        self.head = nn.Conv2d(width, 2 * _COLOURS, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures x (B, 3, H, W) in levels of 255 -> m and log w, (B, 3, H / 8, W / 8) each."""
        energy = self._energies(x)
        usual = energy.mean(dim=1, keepdim=True)
        seen = functional.silu(self.first(torch.cat([energy - usual, usual / 2], dim=1)))
        seen = functional.silu(self.second(seen))
        seen = seen + functional.silu(self.third(seen))
        seen = seen + functional.silu(self.fourth(seen))
        level, certain = self.head(seen).float().chunk(2, dim=1)
        return level + functional.avg_pool2d(usual, 2), certain.clamp(-_CERTAIN, _CERTAIN)

    def _energies(self, x: Tensor) -> Tensor:
        """The logarithm of the level behind each filter, in means over 4 x 4 pixels."""
        with torch.autocast(x.device.type, enabled=False):  # weak noise is lost in half precision
            mixing = torch.from_numpy(opponent_matrix(_COLOURS)).to(x)
            mixed = torch.einsum("oc,bchw->bohw", mixing, x)
            edge = FILTER // 2
            padded = functional.pad(mixed, (edge, edge, edge, edge), "reflect")
            seen = functional.conv2d(padded, self.cosines, stride=2, groups=_COLOURS)
            return torch.log(functional.avg_pool2d(seen.square(), 2) + _NOTHING) / 2


class LevelFinder:
    """N with its weights, as weights files store it."""

    kind = "noise levels"

    def __init__(self, network: LevelNetwork) -> None:
        self.network = network

    @property
    def description(self) -> dict[str, Any]:
        """The architecture and its kind."""
        return {"kind": self.kind, "channels": _COLOURS, "width": self.network.width}

    @classmethod
    def described(cls, architecture: Mapping[str, Any]) -> Self:
        """The inverse of `description`; the numbers are loaded later. Raises TypeError or ValueError."""
        fields = dict(architecture)
        if (fields.pop("kind", None), fields.pop("channels", None)) != (cls.kind, _COLOURS):
            raise ValueError("it does not see the level of noise")
        return cls(LevelNetwork(**fields))

    @torch.inference_mode()
    def see(self, pixels: NDArray[np.floating], mask: Bools | None = None) -> SeenLevels | None:
        """Look at up to 64 crops of a colour picture (H, W, 3) on [0,1].

        It is None if there is no crop without pixels that are masked, (H, W), or not finite.
        """
        usable = np.isfinite(pixels).all(axis=2)
        if mask is not None:
            usable &= ~mask
        side = min(SIDE, *(CELL * (size // CELL) for size in pixels.shape[:2]))
        if side < FEWEST:
            return None
        found = []
        for top in _starts(pixels.shape[0], side):
            for left in _starts(pixels.shape[1], side):
                here = slice(top, top + side), slice(left, left + side)
                if usable[here].all():
                    x = 255 * torch.from_numpy(pixels[here].astype(np.float32)).permute(2, 0, 1)[None]
                    light = functional.avg_pool2d(x.mean(1, keepdim=True), CELL) / 255
                    found.append(torch.cat([light, *self.network(x)], dim=1).flatten(2)[0])
        if not found:
            return None
        light, levels, certain = torch.split(torch.cat(found, dim=1).double(), [1, _COLOURS, _COLOURS])
        weights = torch.softmax(certain, dim=1)
        return SeenLevels(light[0].numpy(), (levels - np.log(255)).numpy(), weights.numpy())


def _starts(size: int, side: int) -> list[int]:
    """The first pixels of up to `MOST` intervals of length `side`, evenly over `size` pixels."""
    count = min(MOST, -(-size // side))
    return [round(start) for start in np.linspace(0, size - side, count)]
