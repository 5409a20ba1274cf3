"""Small critics and regularizers with known energies, shared by the tests of the core."""

import numpy as np
import torch
from torch import Tensor

from alr_cli.core.priors.critic import Activation, Architecture, Critic, CriticPrior
from alr_cli.core.priors.experts import Experts, ExpertsArchitecture, ExpertsPrior
from alr_cli.core.priors.local import unfitted


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def a_critic(
    channels: int = 1,
    width: int = 4,
    depth: int = 7,
    activation: Activation = "silu",
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
    stride: int = 1,
) -> Critic:
    """A random critic with frozen parameters, whose biases are not negligible."""
    critic = Critic(Architecture(channels, width, depth, activation, stride), seeded(seed))
    generator = seeded(seed + 1)
    for name, value in critic.named_parameters():
        if name.endswith("bias"):
            value.data.normal_(0.0, 0.1, generator=generator)
    return critic.to(dtype).eval().requires_grad_(False)


def some_experts(channels: int = 1, coarser: int = 0, dtype: torch.dtype = torch.float64) -> Experts:
    """Random fields of experts with frozen parameters, different from their initialisation."""
    critic = Experts(ExpertsArchitecture(channels, fine=5, coarse=3, coarser=coarser))
    generator = seeded(1)
    for parameter in critic.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data += 0.3 * noise * (10 if parameter.dim() == 2 else 1)
    return critic.to(dtype).eval().requires_grad_(False)


def deep(critic: Critic) -> CriticPrior:
    """A prior of a deep critic without a fitted lambda."""
    return CriticPrior(critic, (0.05, 0.3), unfitted)


def fields(experts: Experts) -> ExpertsPrior:
    """A prior of fields of experts with its initial lambda."""
    return ExpertsPrior(experts, (0.01, 0.3), experts.usual_lam)


def two_pictures(channels: int, height: int, width: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(2, channels, height, width, generator=seeded(3), dtype=dtype)


def mean_critic(channels: int = 1, depth: int = 7) -> Critic:
    """r(z) = a weighted mean of z if z is positive: linear, with weights that sum to one."""
    critic = Critic(Architecture(channels, width=1, depth=depth, activation="relu")).double()
    for name, value in critic.named_parameters():
        value.data.fill_(0.0 if name.endswith("bias") else 1.0 / value[0].numel())
    return critic.eval().requires_grad_(False)


def smoothness_critic(channels: int = 1) -> Critic:
    """r(z) = |right neighbour - centre| + |lower neighbour - centre|, so that R is a total variation.

    The first layer takes the four signed differences, and ReLU their positive parts. The last layer adds
    them.
    """
    critic = Critic(Architecture(channels, width=4 * channels, depth=7, activation="relu"))
    for value in critic.parameters():
        value.data.zero_()
    convolutions = [layer for layer in critic.layers if isinstance(layer, torch.nn.Conv2d)]
    for channel in range(channels):
        for n, (row, column, sign) in enumerate([(1, 2, 1.0), (1, 2, -1.0), (2, 1, 1.0), (2, 1, -1.0)]):
            convolutions[0].weight.data[4 * channel + n, channel, row, column] = sign
            convolutions[0].weight.data[4 * channel + n, channel, 1, 1] = -sign
    for convolution in convolutions[1:-1]:
        for n in range(4 * channels):
            convolution.weight.data[n, n, 1, 1] = 1.0
    convolutions[-1].weight.data[0, :, 1, 1] = 1.0
    return critic.eval().requires_grad_(False)


class Quadratic:
    """R(x) = 1/2 sum over pixels of weight (x - centre)^2 + (differences of neighbours, periodic)^2."""

    margin = 0

    def __init__(self, centre: float = 0.3, weight: float = 0.5, channels: int = 1) -> None:
        self.centre, self.weight, self.channels = centre, weight, channels

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rows, columns = x.roll(-1, -2) - x, x.roll(-1, -1) - x
        offset = x - self.centre
        value = 0.5 * (self.weight * offset.square() + rows.square() + columns.square()).sum(dim=(1, 2, 3))
        gradient = self.weight * offset + rows.roll(1, -2) - rows + columns.roll(1, -1) - columns
        return value, gradient

    def hessian(self, height: int, width: int) -> np.ndarray:
        """The Hessian of R for one channel, (H W, H W), from the definition."""
        size = height * width
        matrix = self.weight * np.eye(size)
        number = np.arange(size).reshape(height, width)
        for axis in (0, 1):
            difference = np.eye(size)[np.roll(number, -1, axis).ravel()] - np.eye(size)
            matrix += difference.T @ difference
        return matrix


class Linear:
    """R(x) = sum over pixels of slope * x (all channels added up)."""

    margin = 0

    def __init__(self, slope: float = 1.0, channels: int = 1) -> None:
        self.slope, self.channels = slope, channels

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.slope * x.sum(dim=(1, 2, 3)), torch.full_like(x, self.slope)
