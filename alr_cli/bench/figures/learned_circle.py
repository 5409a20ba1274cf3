"""r_theta(z) ~ d(z, M) = | ||z|| - 1 |, M the unit circle: a distance learned by eq. 7    (fig. 1)

Fig. 1: "Regularization functional r(z) learned on a synthetic 2d denoising problem with clean data (blue
dots) on the circle and noisy ones (red crosses). The gradient penalty ensures that the gradient of r is not
flat close to the data manifold M." Here the critic is a small network of points instead of patches. Criterion
and algorithm are the same as for pictures. r is determined up to a constant, since eq. 7 does not change with
it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from alr_cli.core.training.adversarial import Recipe
from alr_cli.core.training.criteria import wgan_gp

# Eq. 7 is not concave in theta. With the step size used for pictures, or with a heavier penalty, r can end up
# increasing across the circle, since reversing its direction would pass through gradients of length 0, which
# the penalty forbids. These settings found the distance from each of five seeds.
RECIPE = Recipe(iterations=1000, batch_size=128, lr=1e-2, lr_final=3e-4, mu=3.0)


@dataclass(frozen=True)
class Circle:
    """Clean points on the unit circle, and noisy ones perturbed by N(0, sigma^2) in each coordinate.

    With the default sigma, noisy points cover the disc up to its centre. Where there are none, r is only
    constrained along chords.
    """

    sigma: float = 0.5

    def clean(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, 2)"""
        angle = 2 * math.pi * torch.rand(count, generator=generator)
        return torch.stack([angle.cos(), angle.sin()], dim=1)

    def noisy(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, 2). Perturbations of other clean points than `clean` returns, so the data are unpaired."""
        return self.clean(count, generator) + self.sigma * torch.randn(count, 2, generator=generator)

    def distance(self, points: Tensor) -> Tensor:
        """The true distance to the circle, (..., 2) -> (...)."""
        radius: Tensor = torch.linalg.vector_norm(points, dim=-1)
        return (radius - 1.0).abs()


def point_critic(width: int, generator: torch.Generator) -> nn.Sequential:
    """r: (B, 2) -> (B, 1), three hidden layers with ReLU."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in ((2, width), (width, width), (width, width), (width, 1)):
        linear = nn.Linear(fan_in, fan_out)
        with torch.no_grad():
            linear.weight.normal_(0.0, (2.0 / fan_in) ** 0.5, generator=generator)
            linear.bias.uniform_(-1.0, 1.0, generator=generator)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def learn(circle: Circle, recipe: Recipe = RECIPE, width: int = 128) -> nn.Sequential:
    """Algorithm 1 in the plane, in a few seconds. Returns r: (B, 2) -> (B, 1), with frozen parameters."""
    generator = torch.Generator().manual_seed(recipe.seed)
    critic = point_critic(width, generator)
    optimiser = torch.optim.Adam(critic.parameters(), betas=(0.9, 0.999))
    for step in range(recipe.iterations):
        for group in optimiser.param_groups:
            group["lr"] = recipe.lr_at(step)
        noisy = circle.noisy(recipe.batch_size, generator)
        clean = circle.clean(recipe.batch_size, generator)
        alpha = torch.rand(recipe.batch_size, generator=generator)
        criterion = wgan_gp(critic, noisy, clean, alpha, recipe.mu, recipe.one_sided)
        optimiser.zero_grad(set_to_none=True)
        (-criterion.objective).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return critic.eval().requires_grad_(False)
