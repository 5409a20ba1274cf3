"""x_{l+1} = x_l - eta dE/dx(x_l)    (eq. 5), and three faster descents on the same energy

`fourier` accelerated steps along P^-1 dE/dx (fourier.py): for fields of experts, of which P is known.
`adam`   the paper's choice (sec. 3.3): Adam steps, the step size decaying exponentially from 0.1, but to
         0.003: the paper's last one, 0.01, stays in the picture as grain.
`gd`     eq. 5 with a backtracking line search: the energy of no picture ever rises.
`nmapg`  nonmonotone accelerated gradient descent (Li and Lin 2015, algorithm 4, without a proximal part).

All work on batches. Every picture of a batch has its own step sizes and rests once it has converged, so a
batch gives what each picture would give alone. The cost is that of `Energy.value_and_grad` and nothing else:
`fourier` and `adam` call it once an iteration, `gd` once or twice, `nmapg` two or three times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from alr_cli.core.energy import Energy, Terms
from alr_cli.core.numerics.chunks import bands
from alr_cli.core.numerics.reductions import rms, squared_norm, total
from alr_cli.core.priors.preconditioner import Circulant
from alr_cli.core.solvers.base import Iterate, is_finite, per_picture
from alr_cli.core.solvers.preconditioned import NEAR, Pace, accelerated

Stop = Literal["converged", "max_iter", "non_finite"]
Method = Literal["fourier", "adam", "gd", "nmapg"]

_BETA1, _BETA2 = 0.7, 0.999  # Adam's usual 0.9 overshoots: a tuned critic needs half as many steps again
_SUFFICIENT = 1e-4  # delta: the share of the decrease promised by the slope that a step must achieve


@dataclass(frozen=True)
class Record:
    """One iteration: the energy terms (B,) at x_l and the root mean square of the last update (B,)."""

    iteration: int
    terms: Terms
    change: Tensor


@dataclass(frozen=True)
class Solution:
    """The minimiser found, why the descent ended, and a record per iteration (the first is the start).

    stop: converged (every picture's last update was at most tol, or no step lowers its energy measurably),
    max_iter, or non_finite (then x is the last point with a finite energy and gradient, up to rounding).
    """

    x: Tensor
    stop: Stop
    history: list[Record]


@dataclass(frozen=True)
class Point:
    """A place x (B, C, H, W), the terms of the energy there (B,) and its gradient (B, C, H, W)."""

    x: Tensor
    terms: Terms
    gradient: Tensor


Callback = Callable[[Record, Tensor], None]

DEFAULT_ITERATIONS: dict[Method, int] = {"fourier": 25, "adam": 50, "gd": 300, "nmapg": 150}
DEFAULT_TOLERANCE: dict[Method, float] = {"fourier": 0.0, "adam": 0.0, "gd": 1e-4, "nmapg": 1e-3}


def solve(
    energy: Energy,
    start: Tensor,
    method: Method = "adam",
    max_iter: int | None = None,
    tol: float | None = None,
    callback: Callback | None = None,
    scale: float | Tensor = 1.0,
    preconditioner: Circulant | None = None,
    pace: Pace = NEAR,
) -> Solution:
    """Descend on `energy` from `start` (B, C, H, W).

    max_iter: steps at most.  tol: a picture rests once an update does not exceed it (root mean square, in
    units of pixel values).  callback: called with the record and x at the start and after every iteration.
    scale: of adam's steps, a number or (B,), for they know no other measure of how far the solution is; the
    others find theirs.  preconditioner: P for u = 1, which fourier needs (ValueError without it).  pace: its.

    adam and fourier work in place, so that five copies of the picture are all they need: x, y, the gradient,
    and two moments or the direction and its mean. What a callback wants to keep of x it must copy.
    """
    if method == "fourier" and preconditioner is None:
        raise ValueError("fourier needs a preconditioner")
    limit = DEFAULT_ITERATIONS[method] if max_iter is None else max_iter
    tol = DEFAULT_TOLERANCE[method] if tol is None else tol
    history: list[Record] = []
    x = start.clone()
    del start
    for iteration, iterate in enumerate(_descent(method, energy, x, limit, tol, scale, preconditioner, pace)):
        x = iterate.x
        if not iterate.finite:
            return Solution(x, "non_finite", history)
        history.append(Record(iteration, iterate.terms, iterate.change))
        if callback is not None:
            callback(history[-1], x)
        if not bool(iterate.moving.any()):
            return Solution(x, "converged", history)
    return Solution(x, "max_iter", history)


def _descent(
    method: Method,
    energy: Energy,
    x: Tensor,
    limit: int,
    tol: float,
    scale: float | Tensor,
    preconditioner: Circulant | None,
    pace: Pace,
) -> Iterator[Iterate]:
    if preconditioner is not None and method == "fourier":
        return accelerated(energy, x, limit, tol, preconditioner, pace)
    if method == "adam":
        return _adam(energy, x, limit, tol, scale)
    return _gd(energy, x, limit, tol) if method == "gd" else _nmapg(energy, x, limit, tol)


def _adam(energy: Energy, x: Tensor, limit: int, tol: float, scale: float | Tensor) -> Iterator[Iterate]:
    """Adam (Kingma and Ba 2015) with beta = (0.7, 0.999), step size 0.1 -> 0.003, on x itself."""
    terms, gradient = energy.value_and_grad(x)
    nothing = torch.zeros_like(terms.energy)
    moving = torch.ones_like(nothing, dtype=torch.bool)
    yield Iterate(x, terms, nothing, moving, is_finite(terms, gradient))
    mean, square = torch.zeros_like(x), torch.zeros_like(x)
    for step in range(1, limit + 1):
        # Adam does not care about the scale of the energy except through eps: undo the division by N.
        adam_moments(mean, square, gradient, energy.pixels)
        del gradient  # the next one takes its place in memory
        size = adam_size(step, limit) * per_picture(moving * scale)
        change = adam_step(x, mean, square, step, size)
        terms, gradient = energy.value_and_grad(x)
        moving = moving & (change > tol)
        finite = is_finite(terms, gradient)
        if not finite:
            adam_step(x, mean, square, step, -size)
        yield Iterate(x, terms, change, moving, finite)


def adam_moments(mean: Tensor, square: Tensor, gradient: Tensor, factor: float) -> None:
    """Bring Adam's moments up to date, in place, with factor times a gradient."""
    for band in bands(mean):
        slope = gradient[band] * factor
        mean[band].lerp_(slope, 1 - _BETA1)
        square[band].mul_(_BETA2).addcmul_(slope, slope, value=1 - _BETA2)


def adam_step(x: Tensor, mean: Tensor, square: Tensor, step: int, size: float | Tensor) -> Tensor:
    """Move x, in place, by step number `step` (from 1 on) of Adam, a number or (B, 1, 1, 1) long; returns
    the root mean square of the update (B,)."""
    moved = torch.zeros(x.shape[0], dtype=x.dtype, device=x.device)
    for band in bands(x):
        update = mean[band] / (1 - _BETA1**step)
        update /= (square[band] / (1 - _BETA2**step)).sqrt_().add_(1e-8)
        update *= size
        x[band].sub_(update)
        moved += squared_norm(update)
    return (moved / x[0].numel()).sqrt()


def adam_size(step: int, limit: int) -> float:
    """The size of step 1 ... limit: 0.1 -> 0.003, exponentially."""
    first, last = 0.1, 0.003
    return float(first * (last / first) ** ((step - 1) / max(1, limit - 1)))


def _gd(energy: Energy, x: Tensor, limit: int, tol: float) -> Iterator[Iterate]:
    """Eq. 5. Each step begins with the length of Barzilai and Borwein and is halved until E falls."""
    point = _at(energy, x)
    moving = torch.ones_like(point.terms.energy, dtype=torch.bool)
    yield _iterate(point, point, moving)
    eta = torch.full_like(point.terms.energy, energy.natural_step)
    for _ in range(limit):
        found = _line_search(energy, point, point.terms.energy, eta, moving)
        before, point = point, found.point
        eta = _next_step(found, before)
        moving = found.accepted & (rms(point.x - before.x) > tol)
        yield _iterate(point, before, moving)


def _nmapg(energy: Energy, x: Tensor, limit: int, tol: float) -> Iterator[Iterate]:
    """Algorithm 4 of Li and Lin (2015), with their names: a step from the extrapolated y to z is kept where
    it ends below c, a running mean of the energies so far; elsewhere a step from x to v competes with it.

    Their delta is absolute; here it is in units of 1 / (2 eta), so that the scale of E does not matter.
    """
    memory = 0.8  # their eta
    before = point = _at(energy, x)
    z = x
    t_before, t = 0.0, 1.0
    c, q = point.terms.energy, 1.0
    moving = torch.ones_like(c, dtype=torch.bool)
    eta_y = eta_x = torch.full_like(c, energy.natural_step)
    yield _iterate(point, point, moving)
    for iteration in range(limit):
        x = point.x
        y = x + (t_before / t) * (z - x) + ((t_before - 1.0) / t) * (x - before.x)
        from_y = _at(energy, y) if iteration else point
        fast = _line_search(energy, from_y, torch.fmax(from_y.terms.energy, c), eta_y, moving)
        promise = fast.eta * squared_norm(from_y.gradient)  # ||z - y||^2 / eta
        good = fast.accepted & (fast.point.terms.energy <= c - _SUFFICIENT * promise)
        chosen, advanced = _select(good, fast.point, point), good
        if bool((moving & ~good).any()):
            plain = _line_search(energy, point, c, eta_x, moving & ~good)
            # Where not even the plain step gets below c, x rests: z would only lead uphill.
            advanced = good | plain.accepted
            wins = plain.accepted & ~(fast.accepted & (fast.point.terms.energy <= plain.point.terms.energy))
            chosen = _select(wins, plain.point, _select(advanced, fast.point, point))
            eta_x = _next_step(plain, point)
        eta_y = _next_step(fast, from_y)
        z = torch.where(per_picture(fast.accepted), fast.point.x, chosen.x)
        before, point = point, chosen
        moving = advanced & (rms(point.x - x) > tol)
        t_before, t = t, (1.0 + (4.0 * t * t + 1.0) ** 0.5) / 2.0
        c, q = (memory * q * c + point.terms.energy) / (memory * q + 1.0), memory * q + 1.0
        yield _iterate(point, before, moving)


@dataclass(frozen=True)
class _Found:
    """Where a line search ended and the step size eta (B,) it took; pictures not accepted keep both."""

    point: Point
    eta: Tensor
    accepted: Tensor


def _line_search(energy: Energy, point: Point, level: Tensor, eta: Tensor, moving: Tensor) -> _Found:
    """Halve eta until E(x - eta g) <= level - delta eta ||g||^2, for each picture that is `moving`.

    A picture gives up once the promised decrease drowns in the rounding of its energy.
    """
    slope = squared_norm(point.gradient)
    rounding = torch.finfo(slope.dtype).eps * level.abs()
    found, searching, accepted, first = point, moving, torch.zeros_like(moving), eta
    while bool(searching.any()):
        step = torch.where(searching, eta, 0.0)
        candidate = _at(energy, point.x - per_picture(step) * point.gradient)
        below = searching & (candidate.terms.energy <= level - _SUFFICIENT * eta * slope)
        found = _select(below, candidate, found)
        accepted = accepted | below
        searching = searching & ~below & (eta * slope > rounding)
        eta = torch.where(searching, 0.5 * eta, eta)
    return _Found(found, torch.where(accepted, eta, first), accepted)


def _next_step(found: _Found, begin: Point) -> Tensor:
    """<s, s> / <s, r>, with s and r the differences of x and of the gradient over the last step (Barzilai
    and Borwein 1988); at most ten times the last step size, twice it where the energy curves downwards."""
    s, r = found.point.x - begin.x, found.point.gradient - begin.gradient
    curvature = total(s * r) / squared_norm(s)  # not a number where s = 0
    step = torch.where(curvature > 0, torch.minimum(1 / curvature, 10 * found.eta), 2 * found.eta)
    return torch.where(found.accepted, step, found.eta)


def _at(energy: Energy, x: Tensor) -> Point:
    return Point(x, *energy.value_and_grad(x))


def _iterate(point: Point, before: Point, moving: Tensor) -> Iterate:
    finite = is_finite(point.terms, point.gradient)
    return Iterate(point.x if finite else before.x, point.terms, rms(point.x - before.x), moving, finite)


def _select(condition: Tensor, yes: Point, no: Point) -> Point:
    """The pictures of `yes` where the condition (B,) holds, those of `no` elsewhere."""
    if bool(condition.all()):
        return yes
    wide = per_picture(condition)
    return Point(
        torch.where(wide, yes.x, no.x),
        Terms(
            torch.where(condition, yes.terms.energy, no.terms.energy),
            torch.where(condition, yes.terms.data, no.terms.data),
            torch.where(condition, yes.terms.regularizer, no.terms.regularizer),
        ),
        torch.where(wide, yes.gradient, no.gradient),
    )
