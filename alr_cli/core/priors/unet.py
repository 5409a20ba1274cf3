"""r = U(z, m): the noise that a U-Net sees in a picture z with noise of level 1; and J^T r, J = dU / dz, by
hand

U has no biases. It begins with a pixel unshuffle, so that its widest layers see a quarter of the pixels. All
layers are linear except for one activation in each residual block. The product with J^T is therefore a second
network: the transposed layers in reverse order, multiplied by the slopes that the activations had in the
forward pass. It can be differentiated like the first network, which is how it is trained.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_ROUND = 0.5  # half the width of the activation's bend, in units of the noise
_START = 0.3  # initial gain of the second layer of each residual block and of the last layer


@dataclass(frozen=True)
class UNetArchitecture:
    """A U-Net as data, as stored in a weights file.

    Attributes:
        channels: Channels of the pictures, 1 or 3.
        widths: Number of features at 1/2, 1/4, ... of the resolution.
        blocks: Number of residual blocks at each resolution. Except for the last one they exist twice, on the
            way down and on the way up.
        outputs: Channels of the result; None for those of the pictures.
    """

    channels: int = 3
    widths: tuple[int, ...] = (64, 96, 128)
    blocks: tuple[int, ...] = (2, 2, 1)
    outputs: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))
        object.__setattr__(self, "blocks", tuple(self.blocks))
        if self.channels not in (1, 3):
            raise ValueError(f"a U-Net sees 1 or 3 channels, not {self.channels}")
        if self.outputs is not None and not 1 <= self.outputs <= 64:
            raise ValueError(f"a U-Net has 1 to 64 outputs, not {self.outputs}")
        if not 1 <= len(self.widths) == len(self.blocks) <= 6:
            raise ValueError(
                f"{len(self.widths)} widths and {len(self.blocks)} numbers of blocks do not match"
            )
        if not all(1 <= width <= 1024 for width in self.widths) or not all(0 <= n <= 16 for n in self.blocks):
            raise ValueError(f"unusable U-Net of widths {self.widths} and blocks {self.blocks}")

    @classmethod
    def of_width(cls, channels: int, width: int) -> UNetArchitecture:
        """The usual U-Net with this number of features at half of the resolution. Raises ValueError."""
        return cls(channels, (width, 3 * width // 2, 2 * width))

    @property
    def planes(self) -> int:
        """Channels of the result."""
        return self.channels if self.outputs is None else self.outputs

    @property
    def stride(self) -> int:
        """The side in pixels of one feature at the coarsest resolution."""
        return 1 << len(self.widths)

    @property
    def reach(self) -> int:
        """The distance in pixels at which a pixel can influence U."""
        layers = [2 * (2 if level < len(self.widths) - 1 else 1) * n for level, n in enumerate(self.blocks)]
        layers[0] += 2  # the first and the last layer
        return sum(count << (level + 1) for level, count in enumerate(layers)) + self.stride - 1

    def as_dict(self) -> dict[str, Any]:
        fields = {**asdict(self), "widths": list(self.widths), "blocks": list(self.blocks)}
        return {name: value for name, value in fields.items() if value is not None}


class UNet(nn.Module):
    """U. Weights are (out, in, k, k), and (in, out, 2, 2) on the way up.

    Without a generator the weights are undefined until they are loaded.

    Attributes:
        head, tail: The first and the last layer.
        down, up: The layers between resolutions.
        encoder, middle, decoder: Two weights for each residual block h + B phi(A h).
    """

    def __init__(self, architecture: UNetArchitecture, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.architecture = architecture
        widths, blocks = architecture.widths, architecture.blocks

        def layer(fan_out: int, fan_in: int, side: int, gain: float) -> nn.Parameter:
            weight = torch.empty(fan_out, fan_in, side, side)
            if generator is not None:
                weight.normal_(0.0, gain / (fan_in * side**2) ** 0.5, generator=generator)
            return nn.Parameter(weight)

        def stage(width: int, count: int) -> nn.ParameterList:
            pairs = [(layer(width, width, 3, 2**0.5), layer(width, width, 3, _START)) for _ in range(count)]
            return nn.ParameterList([weight for pair in pairs for weight in pair])

        outer, inner = widths[:-1], widths[1:]
        self.head = layer(widths[0], 4 * (architecture.channels + 1), 3, 2**0.5)
        self.encoder = nn.ModuleList([stage(*each) for each in zip(outer, blocks, strict=False)])
        self.down = nn.ParameterList([layer(b, a, 2, 1.0) for a, b in zip(outer, inner, strict=True)])
        self.middle = stage(widths[-1], blocks[-1])
        self.up = nn.ParameterList(
            [layer(b, a, 2, 2.0 * (a / b) ** 0.5) for a, b in zip(outer, inner, strict=True)]
        )
        self.decoder = nn.ModuleList([stage(*each) for each in zip(outer, blocks, strict=False)])
        self.tail = layer(4 * architecture.planes, widths[0], 3, _START)

    @property
    def ends(self) -> list[nn.Parameter]:
        """The first and the last layer."""
        return [self.head, self.tail]

    def forward(
        self, z: Tensor, level: Tensor, dtype: torch.dtype = torch.float32
    ) -> tuple[Tensor, list[Tensor]]:
        """U(z, m), (B, outputs, H, W), and the slopes of the activations, which `transposed` needs.

        Args:
            z: (B, C, H, W), pictures divided by sigma. H and W are multiples of the stride.
            level: (B, 1, H, W), the map m.
            dtype: Precision of all layers but the first, whose input has large values.
        """
        seen = functional.pixel_unshuffle(torch.cat([z, level], 1), 2)
        h = functional.conv2d(_last(seen), self.head.to(z.dtype), padding=1).to(dtype)
        slopes: list[Tensor] = []
        skips = []
        for stage, down in zip(self.encoder, self.down, strict=True):
            h = _blocks(h, stage, slopes)
            skips.append(h)
            h = functional.conv2d(h, down.to(dtype), stride=2)
        h = _blocks(h, self.middle, slopes)
        for stage, up in zip(reversed(self.decoder), reversed(self.up), strict=True):
            h = skips.pop() + functional.conv_transpose2d(h, up.to(dtype), stride=2)
            h = _blocks(h, stage, slopes)
        h = functional.conv2d(h, self.tail.to(dtype), padding=1)
        return functional.pixel_shuffle(h, 2).to(z.dtype), slopes

    def transposed(self, r: Tensor, slopes: list[Tensor], dtype: torch.dtype = torch.float32) -> Tensor:
        """J^T r for the slopes of `forward`, with the shape of r. `slopes` is consumed."""
        h = _last(functional.pixel_unshuffle(r, 2).to(dtype))
        h = functional.conv_transpose2d(h, self.tail.to(dtype), padding=1)
        skips = []
        for stage, up in zip(self.decoder, self.up, strict=True):
            h = _blocks_transposed(h, stage, slopes)
            skips.append(h)
            h = functional.conv2d(h, up.to(dtype), stride=2)
        h = _blocks_transposed(h, self.middle, slopes)
        for stage, down in zip(reversed(self.encoder), reversed(self.down), strict=True):
            h = skips.pop() + functional.conv_transpose2d(h, down.to(dtype), stride=2)
            h = _blocks_transposed(h, stage, slopes)
        pictures = self.head[:, : 4 * self.architecture.channels].to(r.dtype)
        return functional.pixel_shuffle(functional.conv_transpose2d(h.to(r.dtype), pictures, padding=1), 2)


def _blocks(h: Tensor, stage: Any, slopes: list[Tensor]) -> Tensor:
    """The residual blocks of one stage. The slopes of their activations are appended to `slopes`."""
    for first, second in _pairs(stage, h.dtype):
        t = functional.conv2d(h, first, padding=1)
        slope = (t * (0.5 / _ROUND) + 0.5).clamp(0.0, 1.0)
        slopes.append(slope)
        # The activation is the integral of the slope: 0, then a parabola, then t.
        h = h + functional.conv2d(slope * (t + _ROUND - _ROUND * slope), second, padding=1)
    return h


def _blocks_transposed(h: Tensor, stage: Any, slopes: list[Tensor]) -> Tensor:
    for first, second in reversed(list(_pairs(stage, h.dtype))):
        t = functional.conv_transpose2d(h, second, padding=1) * slopes.pop()
        h = h + functional.conv_transpose2d(t, first, padding=1)
    return h


def _pairs(stage: Any, dtype: torch.dtype) -> Iterator[tuple[Tensor, Tensor]]:
    weights = [weight.to(dtype) for weight in stage]
    return zip(weights[::2], weights[1::2], strict=True)


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
