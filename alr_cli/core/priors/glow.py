"""z = f(x), x = f^-1(z), log p(x) = log N(f(x); 0, I) + log |det df/dx|: an invertible network for pictures

Glow (Kingma and Dhariwal 2018) with additive couplings. Every level halves the resolution and applies some
steps. A step is a scale and a shift of each channel, a 1 x 1 convolution with an invertible matrix, and a
coupling b <- b + g(a) between the two halves of the channels. After its steps, a level outputs half of the
channels as latents, normalised by the mean and deviation that the other half predicts for them.

Pictures are on [0, 1] as everywhere else. The density is that of v = (255 x + u) / 256 with u uniform on [0,
1), which is how eight-bit pictures are made continuous. -log2 p(v) / D + 8 is then the number of bits per
dimension.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pixel_shuffle, pixel_unshuffle, unfold

LEVELS = 256  # of an eight-bit picture
_MOST_LOG_SCALE = 4.0  # a predicted deviation stays within exp(+-4), so that no picture makes it overflow


@dataclass(frozen=True)
class GlowArchitecture:
    """A flow as data, as stored in a weights file.

    Attributes:
        channels: Channels of the pictures, 1 or 3.
        size: Their height and width in pixels.
        levels: Number of levels; each halves the resolution.
        steps: Number of steps at each level.
        width: Feature channels of the networks g.
    """

    channels: int = 3
    size: int = 32
    levels: int = 3
    steps: int = 8
    width: int = 64

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ValueError(f"a flow sees 1 or 3 channels, not {self.channels}")
        if not (1 <= self.levels <= 8 and 1 <= self.levels * self.steps <= 128 and 1 <= self.width <= 4096):
            raise ValueError(
                f"unusable flow of {self.levels} levels, {self.steps} steps and width {self.width}"
            )
        if not 2**self.levels <= self.size <= 1024 or self.size % 2**self.levels:
            raise ValueError(
                f"a flow of {self.levels} levels needs pictures of a multiple of {2**self.levels} pixels, "
                f"not of {self.size}"
            )

    @property
    def dimensions(self) -> int:
        """D, the number of values in a picture and in its latent."""
        return self.channels * self.size**2

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Shift(nn.Module):
    """g: (B, fan_in, h, w) -> (B, fan_out, h, w), a linear part plus a small network. It is zero at first.

    A learned map tells the network where it is, which is useful because the pictures of a flow are aligned.
    """

    def __init__(self, fan_in: int, fan_out: int, width: int, size: int, generator: torch.Generator | None):
        super().__init__()
        # whether to run in bfloat16; for training only, because f^-1(f(x)) is then x within 1e-2 only
        self.low = False
        self.first = nn.Conv2d(fan_in, width, 3, padding=1, bias=False)
        self.place = nn.Parameter(torch.zeros(width, size, size))
        self.second = nn.Conv2d(width, width, 1)
        self.last = nn.Conv2d(width, fan_out, 3, padding=1, bias=False)
        self.linear = nn.Conv2d(fan_in, fan_out, 3, padding=1, bias=False)
        self.bias = nn.Parameter(torch.zeros(fan_out, size, size))
        with torch.no_grad():
            self.first.weight.normal_(0.0, (2 / (9 * fan_in)) ** 0.5, generator=generator)
            self.second.weight.normal_(0.0, (2 / width) ** 0.5, generator=generator)
            for nothing in (self.second.bias, self.last.weight, self.linear.weight):
                nn.init.zeros_(nothing)  # type: ignore[arg-type]

    def forward(self, a: Tensor) -> Tensor:
        with torch.autocast(a.device.type, torch.bfloat16, enabled=self.low):
            features = torch.relu(self.first(a) + self.place)
            curved = self.last(torch.relu(self.second(features))).to(a.dtype)
        return self.linear(a) + (curved + self.bias)  # type: ignore[no-any-return]

    @torch.no_grad()
    def fit(self, a: Tensor, b: Tensor) -> Tensor:
        """Fit the linear part and the bias by least squares, so that they predict b from a.

        b is (B, c, h, w), and its channels are the first ones that g outputs. Returns the remainder of b.
        """
        count = b.shape[1]
        centred = [part - part.mean(dim=0) for part in (a, b)]
        rows = unfold(centred[0], 3, padding=1).transpose(1, 2).flatten(0, 1).double()
        gram = rows.T @ rows
        ridge = torch.diag(1e-4 * gram.diagonal())
        told = torch.linalg.solve(
            gram + ridge, rows.T @ centred[1].permute(0, 2, 3, 1).flatten(0, 2).double()
        )
        self.linear.weight[:count] = told.T.reshape(count, *self.linear.weight.shape[1:]).to(b)
        left = b - self.linear(a)[:, :count]
        self.bias[:count] = left.mean(dim=0)
        return left - self.bias[:count]  # type: ignore[no-any-return]


class Step(nn.Module):
    """y = W (exp(log_scale) h + shift); then g of the first half of y is added to the second half."""

    def __init__(self, channels: int, width: int, size: int, generator: torch.Generator | None) -> None:
        super().__init__()
        self.kept = channels // 2
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.shift = nn.Parameter(torch.zeros(channels))
        self.mixing = nn.Parameter(torch.zeros(channels, channels).fill_diagonal_(1.0))
        self.coupling = Shift(self.kept, channels - self.kept, width, size, generator)

    def forward(self, h: Tensor) -> Tensor:
        a, b = self._mixed(h)
        return torch.cat([a, b + self.coupling(a)], dim=1)

    def _mixed(self, h: Tensor) -> tuple[Tensor, Tensor]:
        matrix = self.mixing * self.log_scale.exp()
        y = conv2d(h, matrix[:, :, None, None], self.mixing @ self.shift)
        return y[:, : self.kept], y[:, self.kept :]

    def inverse(self, y: Tensor) -> Tensor:
        a, b = y[:, : self.kept], y[:, self.kept :]
        y = torch.cat([a, b - self.coupling(a)], dim=1)
        # In float64, because the inverse of a matrix of 48 x 48 costs nothing and its rounding errors would
        # remain.
        inverse = torch.linalg.inv(self.mixing.double()).to(y)
        scale = torch.exp(-self.log_scale)
        return conv2d(y, (scale[:, None] * inverse)[:, :, None, None], -scale * self.shift)

    def log_det(self) -> Tensor:
        """The log-determinant for one pixel, ()."""
        return self.log_scale.sum() + torch.linalg.slogdet(self.mixing)[1]  # type: ignore[no-any-return]

    @torch.no_grad()
    def initialise(self, h: Tensor) -> None:
        """Initialise with a batch h.

        Scale, shift and W are chosen such that the channels become the principal components of h, with
        variance 1, from the strongest to the weakest. g is chosen such that it subtracts from the second half
        what a linear filter can predict of it from the first half.
        """
        deviation, mean = torch.std_mean(h, dim=(0, 2, 3))
        self.log_scale.copy_(-(deviation + 1e-6).log())
        self.shift.copy_(-mean * self.log_scale.exp())
        covariance = torch.cov(h.transpose(0, 1).flatten(1)).double()
        variances, axes = (part.flip(-1) for part in torch.linalg.eigh(covariance))
        components = axes.T / (variances[:, None] + 1e-9).sqrt()
        self.mixing.copy_(components.to(h) * (deviation + 1e-6))
        a, b = self._mixed(h)
        self.coupling.fit(a, -b)


class Split(nn.Module):
    """z = (b - mean(a)) exp(-s(a)): the half of the channels that is output, normalised by what the other
    half predicts."""

    def __init__(self, channels: int, width: int, size: int, generator: torch.Generator | None) -> None:
        super().__init__()
        self.kept = channels // 2
        self.predict = Shift(self.kept, 2 * (channels - self.kept), width, size, generator)

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The channels that stay (B, c, h, w), the latents (B, c', h, w), and their log-determinant (B,)."""
        a, b = h[:, : self.kept], h[:, self.kept :]
        mean, log_scale = self._predicted(a)
        return a, (b - mean) * torch.exp(-log_scale), -log_scale.sum(dim=(1, 2, 3))

    def inverse(self, a: Tensor, z: Tensor) -> Tensor:
        mean, log_scale = self._predicted(a)
        return torch.cat([a, mean + z * log_scale.exp()], dim=1)

    @torch.no_grad()
    def initialise(self, h: Tensor) -> None:
        """Predict the mean by a linear filter, and the deviation by the position alone."""
        a, b = h[:, : self.kept], h[:, self.kept :]
        left = self.predict.fit(a, b)
        self.predict.bias[b.shape[1] :] = (left.std(dim=0) + 1e-3).log()

    def _predicted(self, a: Tensor) -> tuple[Tensor, Tensor]:
        mean, raw = self.predict(a).chunk(2, dim=1)
        return mean, _MOST_LOG_SCALE * torch.tanh(raw / _MOST_LOG_SCALE)


class Level(nn.Module):
    """One level: halving the resolution, the steps, and the split. The last level has no split."""

    def __init__(
        self,
        architecture: GlowArchitecture,
        channels: int,
        size: int,
        last: bool,
        random: torch.Generator | None,
    ) -> None:
        super().__init__()
        self.pixels = size**2
        steps = (Step(channels, architecture.width, size, random) for _ in range(architecture.steps))
        self.steps = nn.ModuleList(steps)
        self.split = None if last else Split(channels, architecture.width, size, random)

    def __iter__(self) -> Iterator[Step]:
        """The steps in the order of f."""
        return iter(cast(list[Step], list(self.steps)))


class Glow(nn.Module):
    """f for pictures of one size.

    In float32 f^-1(f(x)) equals x within 1e-4 for pictures of the kind it was trained on. float64 works as
    well.
    """

    def __init__(self, architecture: GlowArchitecture, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.architecture = architecture
        levels, channels, size = [], architecture.channels, architecture.size
        for number in range(architecture.levels):
            channels, size, last = 4 * channels, size // 2, number == architecture.levels - 1
            levels.append(Level(architecture, channels, size, last, generator))
            channels = channels if last else channels // 2
        self.levels = nn.ModuleList(levels)
        self.mean = nn.Parameter(torch.zeros(channels, size, size))
        self.log_scale = nn.Parameter(torch.zeros(channels, size, size))

    def __iter__(self) -> Iterator[Level]:
        """The levels in the order of f."""
        return iter(cast(list[Level], list(self.levels)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, C, size, size), [0,1] -> (z (B, D), log |det dz/dv| (B,)), differentiable."""
        return self._encode(x)

    def inverse(self, z: Tensor) -> Tensor:
        """z: (B, D) -> x (B, C, size, size), which may leave [0,1]; differentiable."""
        latents = self._parts(z)
        h = self.mean + latents.pop() * self.log_scale.exp()
        for level in reversed(list(self)):
            h = h if level.split is None else level.split.inverse(h, latents.pop())
            for step in reversed(list(level)):
                h = step.inverse(h)
            h = pixel_shuffle(h, 2)
        return (h + (0.5 - 0.5 / LEVELS)) * (LEVELS / (LEVELS - 1))

    def log_likelihood(self, x: Tensor) -> Tensor:
        """log p(v) in nats, (B,)."""
        z, log_det = self(x)
        return -0.5 * z.square().sum(dim=1) - 0.5 * z.shape[1] * math.log(2 * math.pi) + log_det  # type: ignore[no-any-return]

    def bits_per_dimension(self, x: Tensor) -> Tensor:
        """The bits that a lossless code based on this density would need for one eight-bit value of a
        picture, (B,)."""
        nats = self.log_likelihood(x) / self.architecture.dimensions
        return math.log2(LEVELS) - nats / math.log(2)

    def run_shifts_in_bfloat16(self, on: bool) -> None:
        """Choose whether the networks g run in bfloat16. Everything else keeps the precision of the
        weights."""
        for module in self.modules():
            if isinstance(module, Shift):
                module.low = on

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Initialise with pictures (n, C, size, size).

        The result is a flow of linear filters, each of which is optimal for the output of the layers before
        it. A random start would need hours of training to get there.
        """
        self.mean.zero_()
        self.log_scale.zero_()
        z, _ = self._encode(x, initialise=True)
        last = self._parts(z)[-1]
        deviation, mean = torch.std_mean(last, dim=0)
        self.mean.copy_(mean)
        self.log_scale.copy_((deviation + 1e-3).log())

    def _encode(self, x: Tensor, initialise: bool = False) -> tuple[Tensor, Tensor]:
        h = x * ((LEVELS - 1) / LEVELS) - (0.5 - 0.5 / LEVELS)
        h = h.contiguous(memory_format=torch.channels_last)
        latents: list[Tensor] = []
        log_det = x.new_zeros(x.shape[0])
        for level in self:
            h = pixel_unshuffle(h, 2)
            for step in level:
                if initialise:
                    step.initialise(h)
                h = step(h)
                log_det = log_det + level.pixels * step.log_det()
            if level.split is not None:
                if initialise:
                    level.split.initialise(h)
                h, z, of_split = level.split(h)
                latents.append(z.flatten(1))
                log_det = log_det + of_split
        latents.append(((h - self.mean) * torch.exp(-self.log_scale)).flatten(1))
        return torch.cat(latents, dim=1), log_det - self.log_scale.sum()

    def _parts(self, z: Tensor) -> list[Tensor]:
        """The latents of each level, (B, c, h, w), from z (B, D)."""
        shapes = list(self._shapes())
        flat = torch.split(z, [math.prod(shape) for shape in shapes], dim=1)
        return [part.reshape(-1, *shape) for part, shape in zip(flat, shapes, strict=True)]

    def _shapes(self) -> Iterator[tuple[int, int, int]]:
        channels, size = self.architecture.channels, self.architecture.size
        for _ in range(self.architecture.levels - 1):
            channels, size = 2 * channels, size // 2
            yield channels, size, size
        yield 4 * channels, size // 2, size // 2
