"""x_{l+1} = x_l - eta dE/dx(x_l)    (eq. 5), and two faster descents on the same energy

`adam`   the paper's choice (sec. 3.3): Adam steps, the step size decaying exponentially from 0.1 to 0.01.
`gd`     eq. 5 with a backtracking line search: the energy of every picture never rises.
`nmapg`  nonmonotone accelerated gradient descent (Li and Lin 2015, algorithm 4, without a proximal part).

All work on batches; every picture of a batch has its own step sizes, so a batch gives what each picture
would give alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from alr_cli.core.energy import Energy, Terms
from alr_cli.core.sums import total

Stop = Literal["converged", "max_iter", "non_finite"]
Method = Literal["adam", "gd", "nmapg"]


@dataclass(frozen=True)
class Record:
    """One iteration: the energy terms (B,) at x_l and the root mean square of the last update (B,)."""

    iteration: int
    terms: Terms
    change: Tensor


@dataclass(frozen=True)
class Solution:
    """The minimiser found, why the descent ended, and a record per iteration (the first is the start)."""

    x: Tensor
    stop: Stop
    history: list[Record]


@dataclass(frozen=True)
class Iterate:
    """A point of a descent, with its energy terms and the root mean square of the step that led to it."""

    x: Tensor
    terms: Terms
    change: Tensor
    stationary: bool = False


Callback = Callable[[Record], None]

DEFAULT_ITERATIONS: dict[Method, int] = {"adam": 50, "gd": 300, "nmapg": 150}
DEFAULT_TOLERANCE: dict[Method, float] = {"adam": 0.0, "gd": 1e-4, "nmapg": 1e-4}


def solve(
    energy: Energy,
    start: Tensor,
    method: Method = "adam",
    max_iter: int | None = None,
    tol: float | None = None,
    callback: Callback | None = None,
) -> Solution:
    """Descend on `energy` from `start` (B, C, H, W).

    max_iter: gradient steps at most.  tol: stop once no picture's update exceeds it (root mean square, in
    units of pixel values).  callback: called after every iteration with its record.
    """
    limit = DEFAULT_ITERATIONS[method] if max_iter is None else max_iter
    tol = DEFAULT_TOLERANCE[method] if tol is None else tol
    history: list[Record] = []
    x = start
    stop: Stop = "max_iter"
    for iteration, iterate in enumerate(_DESCENTS[method](energy, start, limit)):
        if not bool(torch.isfinite(iterate.terms.energy).all()):
            return Solution(x, "non_finite", history)
        x = iterate.x
        history.append(Record(iteration, iterate.terms, iterate.change))
        if callback is not None:
            callback(history[-1])
        if iterate.stationary or (iteration > 0 and bool((iterate.change <= tol).all())):
            stop = "converged"
            break
    return Solution(x, stop, history)


def _adam(energy: Energy, start: Tensor, limit: int) -> Iterator[Iterate]:
    """Adam (Kingma and Ba 2015) with beta = (0.9, 0.999), step size 0.1 -> 0.01 (sec. 3.3)."""
    beta1, beta2, eps, first_step, last_step = 0.9, 0.999, 1e-8, 0.1, 0.01
    x = start.clone()
    mean, square = torch.zeros_like(x), torch.zeros_like(x)
    terms, gradient = energy.value_and_grad(x)
    yield Iterate(x, terms, x.new_zeros(x.shape[0]))
    for step in range(1, limit + 1):
        # Adam does not care about the scale of the energy except through eps: undo the division by N.
        gradient = gradient * energy.pixels
        mean.lerp_(gradient, 1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        size = first_step * (last_step / first_step) ** ((step - 1) / max(1, limit - 1))
        denominator = (square / (1 - beta2**step)).sqrt_().add_(eps)
        update = (mean / (1 - beta1**step)).div_(denominator).mul_(size)
        x = x - update
        terms, gradient = energy.value_and_grad(x)
        yield Iterate(x, terms, rms(update))


def _gd(energy: Energy, start: Tensor, limit: int) -> Iterator[Iterate]:
    """Eq. 5; each step is shortened until E falls by at least half of what its slope promises (Armijo)."""
    x = start.clone()
    terms, gradient = energy.value_and_grad(x)
    yield Iterate(x, terms, x.new_zeros(x.shape[0]))
    eta = torch.full_like(terms.energy, 1.0 / energy.curvature)
    for _ in range(limit):
        candidate = _line_search(energy, x, terms.energy, gradient, eta, 0.5)
        if not bool(candidate.accepted.any()):
            yield Iterate(x, terms, x.new_zeros(x.shape[0]), stationary=True)
            return
        change = rms(candidate.x - x)
        x, eta = candidate.x, 1.5 * candidate.eta
        terms = _where(candidate.accepted, candidate.terms, terms)
        gradient = torch.where(_per_picture(candidate.accepted), candidate.gradient, gradient)
        yield Iterate(x, terms, change)


def _nmapg(energy: Energy, start: Tensor, limit: int) -> Iterator[Iterate]:
    """Algorithm 4 of Li and Lin (2015) for a smooth energy: an extrapolated step is kept where it is below
    a running mean of past energies, otherwise the plain step competes with it."""
    delta, memory = 1e-4, 0.8
    x = previous = z = start.clone()
    terms, gradient = energy.value_and_grad(x)
    yield Iterate(x, terms, x.new_zeros(x.shape[0]))
    eta = torch.full_like(terms.energy, 1.0 / energy.curvature)
    t_previous, t = 0.0, 1.0
    reference, weight = terms.energy.clone(), 1.0
    for _ in range(limit):
        y = x + (t_previous / t) * (z - x) + ((t_previous - 1.0) / t) * (x - previous)
        y_terms, y_gradient = energy.value_and_grad(y)
        fast = _line_search(energy, y, torch.maximum(y_terms.energy, reference), y_gradient, eta, delta)
        good = fast.accepted & (
            fast.terms.energy <= reference - delta * total((fast.x - y).square()) / fast.eta
        )
        new_x, new_terms, new_gradient, new_eta = fast.x, fast.terms, fast.gradient, fast.eta
        if not bool(good.all()):
            plain = _line_search(energy, x, reference, gradient, eta, delta)
            better = ~good & plain.accepted & (~fast.accepted | (plain.terms.energy <= fast.terms.energy))
            keep = good | better | fast.accepted
            if not bool(keep.any()):
                yield Iterate(x, terms, x.new_zeros(x.shape[0]), stationary=True)
                return
            new_x = torch.where(_per_picture(better), plain.x, torch.where(_per_picture(keep), fast.x, x))
            new_terms = _where(better, plain.terms, _where(keep, fast.terms, terms))
            new_gradient = torch.where(
                _per_picture(better),
                plain.gradient,
                torch.where(_per_picture(keep), fast.gradient, gradient),
            )
            new_eta = torch.where(better, plain.eta, fast.eta)
        change = rms(new_x - x)
        previous, x, z = x, new_x, fast.x
        terms, gradient, eta = new_terms, new_gradient, 1.5 * new_eta
        t_previous, t = t, (1.0 + (4.0 * t * t + 1.0) ** 0.5) / 2.0
        next_weight = memory * weight + 1.0
        reference = (memory * weight * reference + terms.energy) / next_weight
        weight = next_weight
        yield Iterate(x, terms, change)


_DESCENTS: dict[Method, Callable[[Energy, Tensor, int], Iterator[Iterate]]] = {
    "adam": _adam,
    "gd": _gd,
    "nmapg": _nmapg,
}


@dataclass(frozen=True)
class _Candidate:
    """Where a line search ended; where `accepted` is False, x is the point it began at."""

    x: Tensor
    terms: Terms
    gradient: Tensor
    eta: Tensor
    accepted: Tensor


def _line_search(
    energy: Energy, x: Tensor, level: Tensor, gradient: Tensor, eta: Tensor, slope: float, halvings: int = 12
) -> _Candidate:
    """Halve eta until E(x - eta g) <= level - slope * eta * ||g||^2, for each picture of the batch."""
    promise = total(gradient.square())
    eta = eta.clone()
    for _ in range(halvings):
        candidate = x - _per_picture(eta) * gradient
        terms, new_gradient = energy.value_and_grad(candidate)
        accepted = terms.energy <= level - slope * eta * promise
        if bool(accepted.all()):
            break
        eta = torch.where(accepted, eta, 0.5 * eta)
    candidate = torch.where(_per_picture(accepted), candidate, x)
    return _Candidate(candidate, terms, new_gradient, eta, accepted)


def _per_picture(values: Tensor) -> Tensor:
    return values.reshape(-1, 1, 1, 1)


def _where(condition: Tensor, yes: Terms, no: Terms) -> Terms:
    return Terms(
        torch.where(condition, yes.energy, no.energy),
        torch.where(condition, yes.data, no.data),
        torch.where(condition, yes.regularizer, no.regularizer),
    )


def rms(x: Tensor) -> Tensor:
    """Root mean square of each picture of a batch, (B, C, H, W) -> (B,)."""
    return x.square().mean(dim=(1, 2, 3)).sqrt()
