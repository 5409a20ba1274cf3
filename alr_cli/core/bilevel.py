"""min_theta E log( ||x*(theta) - x||^2 / N + m(sigma) )  where  x*(theta) = arg min_x E(x)    (eq. 4, tuned)

Eq. 7 asks a critic to tell noisy from clean; here the energy of fields of experts (experts.py) is tuned until
its minimiser is the best picture (bilevel learning; Kunisch and Pock 2013). With s the sensitivity of the
loss to x*, and H the Hessian of E, the implicit function theorem gives

    d loss / d theta = - v^T d grad_x R / d theta,   H v = s.

Conjugate gradients solve for v. Each case of a pool keeps its x* and its v between visits: the filters change
slowly, and a few steps bring both up to date. A new case descends as `alr denoise` would, and far enough: an
energy that is tuned where a descent has not ended is good only there (docs/critics.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor

from alr_cli.core import devices
from alr_cli.core.calibration import LambdaCurve
from alr_cli.core.cases import Case, CaseSource
from alr_cli.core.circulant import Circulant, powers, prior_spectrum
from alr_cli.core.energy import Energy, SquaredError
from alr_cli.core.experts import KNOTS, Bank, Experts, along_knots, summed, whole_patches
from alr_cli.core.noise_field import NoiseField
from alr_cli.core.patches import PatchSource
from alr_cli.core.problems import Problem
from alr_cli.core.solver import solve
from alr_cli.core.symmetry import Glimpse
from alr_cli.core.training import Progress, adam_state, restore_adam, same_shape
from alr_cli.core.workers import Workers

_USUAL = 0.018, 1.4  # m(sigma) = 0.018 sigma^1.4, half of the squared error that a picture usually ends with
_POOL = 8
_DAMPING = 0.01
_RUNAWAY = 3  # times s: no v is so long, unless it runs away
_INNER = 3  # conjugate gradients that bring x* up to date
_FIRST_SOLVES, _SOLVES = 8, 3  # steps of conjugate gradients for v on a new case, and on each later visit
_BETAS = (0.9, 0.99)
_SLOW = 0.15  # of the step size, for lambda and the contrast: all crops pull at the same few numbers

Product = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class TuningRecipe:
    """How fields of experts are tuned.

    iterations: Adam steps.  batch_size: crops in a step.  side: of the crops, in pixels.  lr, lr_final: step
    size, relative to the root mean square of the filters, decaying exponentially.  sigma_low, sigma_high:
    noise levels on [0,1], drawn log-uniformly.  visits: of a case before it is replaced, at most.  ema: decay
    of the moving average that is kept.  bfloat16: run the convolutions in bfloat16.
    """

    iterations: int = 3000
    batch_size: int = 8
    side: int = 72
    lr: float = 1e-2
    lr_final: float = 4e-4
    sigma_low: float = 0.008
    sigma_high: float = 0.42
    visits: int = 50
    ema: float = 0.995
    bfloat16: bool = False
    seed: int = 0

    def lr_at(self, step: int) -> float:
        """The step size of step 0 ... iterations - 1."""
        return float(self.lr * (self.lr_final / self.lr) ** (step / max(1, self.iterations - 1)))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Local:
    """E of one case with one grid of patches, up to scale: ||A x - y||^2 / 2 + f sum r(s x).

    factor: f = lambda C / 2 for each of the s^2 grids, (B, 1, 1, 1).  contrast: s, likewise.
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
        """The minimiser of a quadratic that touches E in x and lies above it, nearly: log(1 + t^2) is concave
        in t^2 (iteratively reweighted least squares)."""
        weights = self.inverses(x)
        product = self._product(weights)
        data = self.problem.operator.adjoint(self.y)
        return conjugate_gradients(product, data, x, _INNER, self.preconditioner(weights))

    def adjoint(self, x: Tensor, s: Tensor, v: Tensor) -> Tensor:
        """v = H^-1 s, from the v of the last visit on, or from nothing. 0 for a crop where v runs away, as it
        may where H does not curve upwards everywhere: in the frame H is 1 and a little more or less."""
        weights = self.inverses(x)
        preconditioner = self.preconditioner(weights)
        product = self.hessian([(2 * u).sub_(1).mul_(u) for u in weights])
        v = conjugate_gradients(product, s, v, _SOLVES if v.any() else _FIRST_SOLVES, preconditioner)
        return torch.where(_dot(v, v) < _RUNAWAY**2 * _dot(s, s), v, 0.0)

    def hessian(self, curvatures: list[Tensor]) -> Product:
        """v -> (H + c) v, curvatures being half of the second derivatives of log(1 + t^2); c is for
        directions in which E does not curve upwards."""
        return self._product(curvatures, _DAMPING)

    def preconditioner(self, weights: list[Tensor]) -> Circulant:
        """Of a product with such weights, or a little smaller ones."""
        height, width = self.problem.operator.input_shape
        amounts = []
        for bank, power, weight in zip(self.banks, self.powers, weights, strict=True):
            each = weight.sum((2, 3), dtype=torch.float32) * 2 * bank.weights / (height * width)
            each = each.reshape(len(each), len(power), -1).sum(2)  # dense filters are at several pixels
            amounts.append(each * (self.factor * self.contrast**2).flatten(1))
        shape = self.problem.operator.input_shape
        return Circulant(prior_spectrum(amounts, self.powers, shape), 1 + _DAMPING, shape)

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
        """1 / (1 + t^2) of the responses to s x."""
        seen = self._seen(x * self.contrast)
        return [bank.responses(bank.seen(seen)).square_().add_(1).reciprocal_() for bank in self.banks]

    def slope_along(self, x: Tensor, v: Tensor) -> Tensor:
        """v^T grad (f sum r(s x)), (B,): differentiable in the filters, their weights, f and s."""
        here, there = self._seen(x * self.contrast), self._seen(v * self.contrast)
        slope = x.new_zeros(len(x))
        for bank in self.banks:
            t = bank.responses(bank.seen(here))
            along = t / (1 + t.square()) * bank.responses(bank.seen(there))
            slope = slope + (2 * bank.weights * along.sum((2, 3), dtype=torch.float32)).sum(1)
        return self.factor.flatten() * slope


def conjugate_gradients(
    product: Product, right: Tensor, x: Tensor, steps: int, preconditioner: Circulant
) -> Tensor:
    """`steps` towards product(x) = right, from x on; each picture of the batch has its own. Where a direction
    does not curve upwards x stays."""
    residual = right - product(x)
    solved = preconditioner.solve(residual)
    direction, square = solved, _dot(residual, solved)
    for _ in range(steps):
        curved = product(direction)
        slope = _dot(direction, curved)
        length = torch.where(slope > 0, square / slope, 0.0)
        x = x + length * direction
        residual = residual - length * curved
        solved = preconditioner.solve(residual)
        before, square = square, _dot(residual, solved)
        direction = solved + square / before.clamp_min(1e-30) * direction
    return x


class Tuner:
    """Bilevel training with its state: the same face as `Trainer`."""

    def __init__(
        self,
        start: Experts,
        lam: Callable[[float], float],
        recipe: TuningRecipe,
        source: PatchSource,
        device: str | torch.device = "cpu",
        field: NoiseField | None = None,
    ) -> None:
        """start: the experts to begin with.  lam: their lambda(sigma).  field: how the noise is made; None
        for white noise."""
        self.recipe = recipe
        sigmas = (recipe.sigma_low, recipe.sigma_high)
        self.cases = CaseSource(source, recipe.batch_size, sigmas, recipe.visits, field)
        self.workers = Workers()  # alone: the pools of several would not fit a checkpoint
        self.device = torch.device(device)
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.critic = Experts(start.architecture).to(self.device)
        self.critic.load_state_dict(start.state_dict())
        self.log_lam = torch.tensor(
            [lam(knot) / start.usual_lam(knot) for knot in KNOTS], device=self.device
        ).log()
        self.log_lam.requires_grad_(True)
        learned = self._learned()
        self._sizes = [_size(name, value) for name, value in learned.items()]
        self.optimiser = torch.optim.Adam([{"params": [p]} for p in learned.values()], betas=_BETAS)
        self.average = {name: value.detach().clone() for name, value in learned.items()}
        self.pool: list[Case] = []
        self.step_count = 0

    @property
    def iterations(self) -> int:
        return self.recipe.iterations

    @property
    def done(self) -> bool:
        return self.step_count >= self.iterations

    @property
    def curve(self) -> LambdaCurve:
        """lambda(sigma) as learned so far (the moving average)."""
        values = self.average["log_lam"].exp().tolist()
        return LambdaCurve(
            tuple((knot, self.critic.usual_lam(knot) * v) for knot, v in zip(KNOTS, values, strict=True))
        )

    def step(self) -> Progress:
        """Bring one case up to date, and move theta and lambda by its gradient."""
        with devices.flushed_denormals():
            return self._step()

    def _step(self) -> Progress:
        case = self._next_case()
        with torch.no_grad():
            local = self._local(case, torch.bfloat16 if self.recipe.bfloat16 else torch.float32)
            self._descend(case, local)
            error = local.problem.crop(case.x) - case.clean
            mse = error.square().mean((1, 2, 3))
            s = torch.zeros_like(case.x)
            local.problem.crop(s).copy_(error / (mse + usual_error(case.sigma)).reshape(-1, 1, 1, 1))
            s *= 2 / error[0].numel()
            case.adjoint = local.adjoint(case.x, s, case.adjoint)
        # In float32: what is learned gains by it, and oneDNN's gradient of dilated filters in bfloat16 is
        # garbage.
        rate = self._update(-self._local(case).slope_along(case.x, case.adjoint).mean())
        before = (case.y - case.clean).square().mean((1, 2, 3))
        gain = float((10 * torch.log10(before / mse)).mean())
        return Progress(self.step_count, rate, {"gain": gain})

    def _local(self, case: Case, dtype: torch.dtype = torch.float32) -> Local:
        """The energy of a case as it now is, differentiable in what is learned."""
        sigma = case.sigma.reshape(-1, 1, 1, 1)
        lam = self.critic.usual_lam(sigma) * along_knots(self.log_lam, sigma)
        return Local(
            case.problem(self.critic.patch),
            case.y,
            Glimpse.number(self.step_count // _POOL, self.critic.stride, turns=False),
            self.critic.banks(dtype, dense=True),
            self.critic.stride,
            tuple(powers(filters.detach()) for filters in self.critic.filters),
            self.critic.stride**2 * 0.5 * case.clean.shape[1] * lam,
            self.critic.contrast(sigma),
        )

    def _descend(self, case: Case, local: Local) -> None:
        """Bring x* up to date: a new case as `alr denoise` would (solver.py), and from then on by quadratics
        that lie above the energy."""
        if not case.old:
            problem = local.problem
            regularizer = _Scaled(local, self.critic.patch)
            alike = local.preconditioner(local.inverses(torch.zeros_like(case.x)))
            # f and s are in the regularizer, so that lambda is 1 and the data term half a square: see _Scaled
            energy = Energy(problem.operator, SquaredError(case.y), regularizer, 1.0, problem.pixels)
            case.x = solve(energy, case.x, "fourier", int(case.first), preconditioner=alike).x
            case.old.fill_(1)
        case.x = local.majorised(case.x)

    def trained(self) -> Experts:
        """A copy of the critic as it would be shipped now."""
        critic = Experts(self.critic.architecture)
        critic.load_state_dict({name: v for name, v in self.average.items() if name != "log_lam"})
        return critic.to(self.device).eval()

    def _next_case(self) -> Case:
        index = self.step_count % _POOL
        if index == len(self.pool):
            self.pool.append(self._new_case())
        elif not self.pool[index].visits:
            self.pool[index] = self._new_case()
        self.pool[index].visits -= 1
        return self.pool[index]

    def _new_case(self) -> Case:
        return self.cases.draw(self.critic.patch, self.generator, self.device)

    def _update(self, loss: Tensor) -> float:
        rate = self.recipe.lr_at(self.step_count)
        for group, size in zip(self.optimiser.param_groups, self._sizes, strict=True):
            group["lr"] = rate * size
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        for group in self.optimiser.param_groups:
            torch.nn.utils.clip_grad_norm_(group["params"], 2.0)
        self.optimiser.step()
        decay = min(self.recipe.ema, (1 + self.step_count) / (10 + self.step_count))
        with torch.no_grad():
            for name, value in self._learned().items():
                self.average[name].lerp_(value, 1 - decay)
        self.step_count += 1
        return rate

    def _learned(self) -> dict[str, Tensor]:
        return {**dict(self.critic.named_parameters()), "log_lam": self.log_lam}

    def state(self) -> dict[str, Tensor]:
        """Everything that `restore_state` needs, as named tensors on the CPU."""
        state = {f"learned.{k}": v for k, v in self._learned().items()}
        state |= {f"average.{k}": v for k, v in self.average.items()}
        state |= adam_state(self.optimiser)
        for index, case in enumerate(self.pool):
            state |= {f"pool.{index}.{field.name}": getattr(case, field.name) for field in fields(case)}
        state["generator"] = self.generator.get_state()
        state["step"] = torch.tensor(self.step_count)
        return {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}

    def restore_state(self, state: dict[str, Tensor]) -> None:
        """Continue exactly where `state` was taken. Raises KeyError, ValueError or RuntimeError if it does
        not fit; the tuner is then unusable."""
        with torch.no_grad():
            for name, value in self._learned().items():
                value.copy_(same_shape(state[f"learned.{name}"], value))
                self.average[name].copy_(same_shape(state[f"average.{name}"], value))
        restore_adam(self.optimiser, state)
        names = [field.name for field in fields(Case)]
        count = len({name.split(".")[1] for name in state if name.startswith("pool.")})
        self.pool = [
            Case(**{name: state[f"pool.{index}.{name}"].clone().to(self.device) for name in names})
            for index in range(count)
        ]
        self.generator.set_state(state["generator"].byte())
        self.step_count = int(state["step"])


class _Scaled:
    """f sum r(s x) of a case, each crop with its own f and s, as the energy wants it."""

    def __init__(self, local: Local, patch: int) -> None:
        self.local = local
        self.channels = local.y.shape[1]
        self.patch = patch

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        local = self.local
        value, gradient = torch.zeros(len(x), device=x.device), torch.zeros_like(x)
        seen = local._seen(x * local.contrast)
        value, slope = summed(local.banks, local.stride, seen, seen.shape[-1])
        local._seen(gradient).copy_(slope * local.factor * local.contrast)
        # Energy divides the data term by N C / 2 (as half of it is meant here) and weighs R by patches / N.
        count = (x.shape[-2] - self.patch + 1) * (x.shape[-1] - self.patch + 1)
        share = 2 / (self.channels * count)
        return value * local.factor.flatten() * share, gradient * share


def usual_error(sigma: Tensor) -> Tensor:
    """m(sigma). Without it in the loss, smooth crops would count for more than their share of a picture."""
    return _USUAL[0] * sigma ** _USUAL[1]


def _size(name: str, value: Tensor) -> float:
    """What a step of a tensor is relative to: its root mean square for filters, 1 for logarithms."""
    if value.dim() == 2:
        return float(value.detach().square().mean().sqrt())
    return _SLOW if name in ("log_lam", "log_contrast") else 1.0


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((1, 2, 3), keepdim=True)
