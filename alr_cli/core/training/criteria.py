"""D(theta) = E r(noisy) - E r(clean) - mu E (||grad r(mix)|| - 1)^2    (eq. 7), maximised by the critic

`one_sided` is the variant of Lunz, Oktem and Schoenlieb (2018, eq. 9): only norms above 1 are penalised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Criterion:
    """D(theta) on one batch and its parts, as scalar tensors.

    Attributes:
        objective: D, to be maximised.
        wasserstein: E r(noisy) - E r(clean).
        gradient_norm: E ||grad r(mix)||.
    """

    objective: Tensor
    wasserstein: Tensor
    gradient_norm: Tensor


def wgan_gp(
    critic: Callable[[Tensor], Tensor],
    noisy: Tensor,
    clean: Tensor,
    alpha: Tensor,
    mu: float,
    one_sided: bool = False,
    scale: Tensor | None = None,
) -> Criterion:
    """Eq. 7 on a batch of unpaired patches.

    Args:
        critic: (B, ...) -> (B, ...), one score per patch. With several, r is their mean.
        noisy, clean: (B, ...).
        alpha: (B,) in [0,1], the positions on the lines between them.
        mu: Weight of the gradient penalty.
        one_sided: As in the module.
        scale: (B,), divides the difference of each pair; or None. Dividing by the norm of the noise makes all
            noise levels count equally.
    """
    r_noisy, r_clean = _values(critic, torch.cat([noisy, clean])).chunk(2)
    difference = r_noisy - r_clean
    if scale is not None:
        difference = difference / scale
    length = gradient_length(critic, mix(clean, noisy, alpha))
    excess = (length - 1.0).clamp_min(0.0) if one_sided else length - 1.0
    wasserstein = difference.mean()
    return Criterion(wasserstein - mu * excess.square().mean(), wasserstein, length.mean())


def mix(clean: Tensor, noisy: Tensor, alpha: Tensor) -> Tensor:
    """alpha clean + (1 - alpha) noisy, with one alpha for each sample (Algorithm 1)."""
    weight = alpha.reshape(-1, *[1] * (clean.dim() - 1))
    return weight * clean + (1.0 - weight) * noisy


def gradient_length(critic: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """||grad r|| at each of the points (B, ...) -> (B,), differentiable in theta."""
    points = points.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(_values(critic, points).sum(), points, create_graph=True)
    # The small term keeps the root differentiable if a dead network has no gradient at all.
    return gradient.flatten(1).square().sum(1).add(1e-12).sqrt()


def _values(critic: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    return critic(points).reshape(len(points), -1).mean(1)
