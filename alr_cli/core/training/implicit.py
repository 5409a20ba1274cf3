"""H v = s, and updates of x*: the systems that bilevel tuning solves for crops on one grid of patches

E is the energy of fields of experts up to scale, ||A x - y||^2 / 2 + f sum r(s x). Both systems are
quadratic, with the curvatures of log(1 + t^2), or bounds of them, as weights of the squared responses. They
are solved by conjugate gradients, preconditioned by P (preconditioner.py). If known pixels are held, there is
no data term, x moves where pixels are missing, and a small multiple of the prior's mean keeps H invertible.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from alr_cli.core.priors.filter_bank import Bank, summed, whole_patches
from alr_cli.core.priors.glimpses import Glimpse
from alr_cli.core.priors.preconditioner import Circulant, prior_spectrum
from alr_cli.core.problems import Problem

DAMPING = 0.01  # c in H + c, where the curvature of the data term is 1
# c, and the data term's part of P, relative to the mean of the prior's part
_HELD_DAMPING, _HELD_DATA = 1e-3, 0.02
_RUNAWAY = 3  # times |s| / d, where d is the smallest eigenvalue of P; a longer v has diverged
_INNER = 3  # conjugate gradient steps for updating x*
# Conjugate gradient steps for v on a new case, and on each later visit.
_FIRST_SOLVES, _SOLVES = 8, 3
_FIRST_SOLVES_HELD, _SOLVES_HELD = 20, 6

Product = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Local:
    """E of one case with one grid of patches, up to scale: ||A x - y||^2 / 2 + f sum r(s x).

    Attributes:
        problem: The problem of the case.
        y: The observation.
        glimpse: The grid of patches.
        banks: The filters.
        stride: Distance between patches.
        powers: |F|^2 of the filters, for the preconditioner.
        factor: f = lambda C / 2 for each of the s^2 grids, (B, 1, 1, 1).
        contrast: s, (B, 1, 1, 1).
    """

    problem: Problem
    y: Tensor
    glimpse: Glimpse
    banks: tuple[Bank, ...]
    stride: int
    powers: tuple[Tensor, ...]
    factor: Tensor
    contrast: Tensor

    def majorised(self, x: Tensor) -> Tensor:
        """An approximate minimiser of a quadratic that touches E at x and is above it elsewhere.

        It exists because log(1 + t^2) is concave in t^2 (iteratively reweighted least squares).
        """
        weights = self.inverses(x)
        product = self._product(weights)
        data = self.problem.operator.adjoint(self.y)
        return conjugate_gradients(product, data, x, _INNER, self.preconditioner(weights), self.problem.free)

    def adjoint(self, x: Tensor, s: Tensor, v: Tensor) -> Tensor:
        """v = H^-1 s, starting from the v of the last visit, or from zero.

        v is 0 for a crop where it diverges, which is possible where H is not positive definite.
        """
        weights = self.inverses(x)
        preconditioner, free = self.preconditioner(weights), self.problem.free
        damping = DAMPING if free is None else _HELD_DAMPING * float(preconditioner.prior.mean())
        product = self.hessian([(2 * u).sub_(1).mul_(u) for u in weights], damping)
        first, later = (_FIRST_SOLVES, _SOLVES) if free is None else (_FIRST_SOLVES_HELD, _SOLVES_HELD)
        v = conjugate_gradients(product, s, v, later if v.any() else first, preconditioner, free)
        longest = _RUNAWAY / preconditioner.data  # if pixels are held, H has the units of the prior
        return torch.where(dot(v, v) < longest**2 * dot(s, s), v, 0.0)

    def hessian(self, curvatures: list[Tensor], damping: float = DAMPING) -> Product:
        """v -> (H + c) v, where `curvatures` are half the second derivatives of log(1 + t^2).

        The damping c is for directions of negative curvature.
        """
        return self._product(curvatures, damping)

    def preconditioner(self, weights: list[Tensor]) -> Circulant:
        """P for a product with these weights, or with slightly smaller ones."""
        shape = self.problem.operator.input_shape[-2], self.problem.operator.input_shape[-1]
        amounts = []
        for bank, power, weight in zip(self.banks, self.powers, weights, strict=True):
            each = weight.sum((2, 3), dtype=torch.float32) * 2 * bank.weights / (shape[0] * shape[1])
            # dense filters are applied at several pixels
            each = each.reshape(len(each), len(power), -1).sum(2)
            amounts.append(each * (self.factor * self.contrast**2).flatten(1))
        prior = prior_spectrum(amounts, self.powers, shape)
        held = self.problem.free is not None
        return Circulant(prior, _HELD_DATA * float(prior.mean()) if held else 1 + DAMPING, shape)

    def _product(self, weights: list[Tensor], damping: float = 0.0) -> Product:
        operator, factor = self.problem.operator, self.factor * self.contrast**2

        def product(v: Tensor) -> Tensor:
            seen = self._seen(v)
            spread = torch.zeros_like(seen)
            for bank, weight in zip(self.banks, weights, strict=True):
                bank.spread(bank.responses(bank.seen(seen)).mul_(weight), spread)
            result = operator.adjoint(operator.forward(v)) + damping * v
            self._seen(result).add_(factor * spread)
            return result

        return product

    def _seen(self, x: Tensor) -> Tensor:
        return whole_patches(x[..., self.glimpse.row :, self.glimpse.column :], self.stride)

    def inverses(self, x: Tensor) -> list[Tensor]:
        """1 / (1 + t^2) for the responses to s x."""
        seen = self._seen(x * self.contrast)
        return [bank.responses(bank.seen(seen)).square_().add_(1).reciprocal_() for bank in self.banks]

    def slope_along(self, x: Tensor, v: Tensor) -> Tensor:
        """v^T grad (f sum r(s x)), (B,), differentiable in the filters, their weights, f and s."""
        here, there = self._seen(x * self.contrast), self._seen(v * self.contrast)
        slope = x.new_zeros(len(x))
        for bank in self.banks:
            t = bank.responses(bank.seen(here))
            along = t / (1 + t.square()) * bank.responses(bank.seen(there))
            slope = slope + (2 * bank.weights * along.sum((2, 3), dtype=torch.float32)).sum(1)
        return self.factor.flatten() * slope


class Scaled:
    """f sum r(s x) of a case as a regularizer for `Energy`. Each crop has its own f and s."""

    def __init__(self, local: Local, margin: int) -> None:
        self.local = local
        self.channels = local.y.shape[1]
        self.margin = margin

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        local = self.local
        gradient = torch.zeros_like(x)
        seen = local._seen(x * local.contrast)
        value, slope = summed(local.banks, local.stride, seen, seen.shape[-1])
        local._seen(gradient).copy_(slope * local.factor * local.contrast)
        share = (
            2 / self.channels
        )  # Energy divides R by N and the data term by N C, and half of that is meant here
        return value * local.factor.flatten() * share, gradient * share


def conjugate_gradients(
    product: Product,
    right: Tensor,
    x: Tensor,
    steps: int,
    preconditioner: Circulant,
    free: Tensor | None = None,
) -> Tensor:
    """`steps` of conjugate gradients for product(x) = right, starting from x, separately for each picture.

    x does not move along a direction of negative curvature. `free` is 1 where x may move; None for
    everywhere.
    """

    def allowed(v: Tensor) -> Tensor:
        return v if free is None else v * free

    residual = allowed(right - product(x))
    solved = allowed(preconditioner.solve(residual))
    direction, square = solved, dot(residual, solved)
    for _ in range(steps):
        curved = allowed(product(direction))
        slope = dot(direction, curved)
        length = torch.where(slope > 0, square / slope, 0.0)
        x = x + length * direction
        residual = residual - length * curved
        solved = allowed(preconditioner.solve(residual))
        before, square = square, dot(residual, solved)
        direction = solved + square / before.clamp_min(1e-30) * direction
    return x


def dot(a: Tensor, b: Tensor) -> Tensor:
    """(B, 1, 1, 1)."""
    return (a * b).sum((1, 2, 3), keepdim=True)
