"""min_theta E log( ||x*(theta) - x||^2 / N + m(sigma) )  where  x*(theta) = arg min_x E(x)    (eq. 4, tuned)

Eq. 7 asks the critic to tell noisy from clean; here the same energy is tuned until its minimiser is the best
picture (bilevel learning; Kunisch and Pock 2013). With s the sensitivity of the loss to x*, and H the Hessian
of E, the implicit function theorem gives

    d loss / d theta = - v^T d grad_x R / d theta,   H v = s.

Conjugate gradients solve for v. Taking v = s instead ("Jacobian-free") is cheaper and wrong here: where R is
sharp x* hardly moves, and without H^-1 those directions drive the energy to smooth far too much. All
products with the Hessian, and v^T grad R itself, are central differences, so that only first derivatives of
the network are ever needed. Each case of a pool keeps its x* and its v between visits: the network changes
slowly, and a few steps bring both up to date.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor

from alr_cli.core import devices, problems
from alr_cli.core.calibration import LambdaCurve
from alr_cli.core.cases import BLUR_STEPS, Case, CaseSource
from alr_cli.core.criteria import wgan_gp
from alr_cli.core.critic import Critic, scored
from alr_cli.core.energy import Energy, SquaredError
from alr_cli.core.noise_field import NoiseField
from alr_cli.core.patches import PatchSource
from alr_cli.core.problems import Problem
from alr_cli.core.regularizer import LocalRegularizer
from alr_cli.core.solver import adam_moments, adam_size, adam_step
from alr_cli.core.symmetry import Glimpse, Turning
from alr_cli.core.training import (
    BatchSource,
    Progress,
    Recipe,
    adam_state,
    prefixed,
    restore_adam,
    same_shape,
)
from alr_cli.core.workers import Workers

_KNOTS = 4  # of log lambda, straight in log sigma between them
_USUAL = 0.018, 1.4  # m(sigma) = 0.018 sigma^1.4, half of the squared error that a picture usually ends with
_DIFFERENCE = 0.006  # root mean square of the steps of finite differences: bfloat16 sees no less
_POOL = 8
_STEPS = 5  # of the descent, on each visit but the first
_DAMPING = 0.03
_ANCHOR_BATCH = 32
_FOLLOWING = 0.003  # step size with which x* follows the network; the first steps end there
_FIRST_SOLVES, _SOLVES = 12, 2  # steps of conjugate gradients on a new case, and on each later visit
_BETAS = (0.9, 0.99)


@dataclass(frozen=True)
class TuningRecipe:
    """How a critic is tuned.

    iterations: Adam steps.  batch_size: crops in a step.  side: of the crops, in pixels.  lr, lr_final: step
    size relative to each tensor's root mean square, decaying exponentially.  sigma_low, sigma_high: noise
    levels on [0,1], drawn log-uniformly.  visits: of a case before it is replaced, at most.  blurs: share of
    the cases that are blurred too, by kernels of many kinds, with less noise.  holes: share of those without
    noise that miss pixels (cases.py).  anchor: weight of eq. 7, which keeps the critic a distance.
    ema: decay of the moving average that is kept.  bfloat16: run the convolutions in bfloat16.
    """

    iterations: int = 8000
    batch_size: int = 3
    side: int = 112
    lr: float = 2e-4
    lr_final: float = 2e-5
    sigma_low: float = 0.02
    sigma_high: float = 0.22
    visits: int = 120
    blurs: float = 0.15
    holes: float = 0.1
    anchor: float = 0.2
    ema: float = 0.998
    bfloat16: bool = False
    seed: int = 0

    def lr_at(self, step: int) -> float:
        """The relative step size of step 0 ... iterations - 1."""
        return float(self.lr * (self.lr_final / self.lr) ** (step / max(1, self.iterations - 1)))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Tuner:
    """Bilevel training with its state: the same face as `Trainer`."""

    def __init__(
        self,
        start: Critic,
        lam: Callable[[float], float],
        recipe: TuningRecipe,
        source: PatchSource,
        device: str | torch.device = "cpu",
        field: NoiseField | None = None,
        patches: BatchSource | None = None,
    ) -> None:
        """start: a trained critic, of a smooth activation (see rounding.py).  lam: its lambda(sigma).
        field: how the noise is made; None for white noise.  patches: noisy and clean ones for the anchor."""
        self.recipe = recipe
        sigmas = (recipe.sigma_low, recipe.sigma_high)
        self.cases = CaseSource(
            source, recipe.batch_size, sigmas, recipe.blurs, recipe.holes, recipe.visits, field
        )
        self.patches = patches
        self.workers = Workers()  # alone: the pools of several would not fit a checkpoint
        self.device = torch.device(device)
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.critic = Critic(start.architecture).to(self.device)
        self.critic.load_state_dict(start.state_dict())
        self.critic = self.critic.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        low, high = math.log(recipe.sigma_low), math.log(recipe.sigma_high)
        self.knots = torch.linspace(low, high, _KNOTS) if high > low else torch.tensor([low])
        self.log_lam = torch.tensor([math.log(lam(math.exp(knot))) for knot in self.knots.tolist()])
        self.log_lam.requires_grad_(True)
        self._sizes = [_size(parameter) for parameter in self.critic.parameters()] + [1.0]
        groups = [{"params": [p]} for p in self.critic.parameters()] + [{"params": [self.log_lam]}]
        self.optimiser = torch.optim.Adam(groups, lr=recipe.lr, betas=_BETAS)
        self.average = {k: v.detach().clone() for k, v in self._learned().items()}
        self.pool: list[Case] = []
        self.glimpses = 0
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
        logs = zip(self.knots.tolist(), self.average["log_lam"].tolist(), strict=True)
        return LambdaCurve(tuple((math.exp(knot), math.exp(value)) for knot, value in logs))

    def step(self) -> Progress:
        """Bring one case up to date, and move theta and lambda by its gradient."""
        with devices.flushed_denormals():
            return self._step()

    def _step(self) -> Progress:
        case = self._next_case()
        lam = self._lam(case)
        factor = _factor(case, lam)
        self.critic.requires_grad_(False)
        problem = case.problem(self.critic.patch)
        self._descend(case, problem, lam.detach())
        error = problem.crop(case.x) - case.clean
        mse = error.square().mean((1, 2, 3))
        s = torch.zeros_like(case.x)
        problem.crop(s).copy_(error / (mse + usual_error(case.sigma)).reshape(-1, 1, 1, 1))
        s *= 2 / error[0].numel()
        self._solve_adjoint(case, problem, factor.detach(), s)
        self.critic.requires_grad_(True)
        rate = self._update(self._sensitivity(case, factor) + self._anchor())
        before = (case.y - case.clean).square().mean((1, 2, 3))
        gain = float((10 * torch.log10(before / mse)).mean())
        return Progress(self.step_count, rate, {"gain": gain})

    def trained(self) -> Critic:
        """A copy of the critic as it would be shipped now."""
        critic = Critic(self.critic.architecture)
        critic.load_state_dict({k: v for k, v in self.average.items() if k != "log_lam"})
        return critic.to(self.device).eval()

    def _sensitivity(self, case: Case, factor: Tensor) -> Tensor:
        """A scalar whose gradient in theta and lambda is that of the loss: - v^T grad R, v = H^-1 s."""
        v = case.adjoint
        length = _rms(v).clamp_min(1e-30)
        step = v * (_DIFFERENCE / length)
        ahead, behind = self._score(torch.cat([case.x + step, case.x - step]), self.glimpses).chunk(2)
        self.glimpses += 1
        return -(factor * length.flatten() * (ahead - behind) / (2 * _DIFFERENCE)).mean()

    def _anchor(self) -> Tensor:
        """- eq. 7. Tuning alone digs holes, far from the cases it sees, into which longer descents fall."""
        if self.patches is None or not self.recipe.anchor:
            return torch.zeros((), device=self.device)
        batch = self.patches.batch(_ANCHOR_BATCH, self.generator)
        alpha = torch.rand(_ANCHOR_BATCH, generator=self.generator).to(self.device)
        length = None if batch.length is None else batch.length.to(self.device)
        noisy, clean = batch.noisy.to(self.device), batch.clean.to(self.device)
        criterion = wgan_gp(self._patch_score, noisy, clean, alpha, Recipe.mu, scale=length)
        return -self.recipe.anchor * criterion.objective

    def _patch_score(self, patches: Tensor) -> Tensor:
        return scored(self.critic, patches, self.recipe.bfloat16)

    def _solve_adjoint(self, case: Case, problem: Problem, factor: Tensor, s: Tensor) -> None:
        """Bring v = H^-1 s up to date by conjugate gradients from the v of the last visit."""
        warm = bool(case.adjoint.any())
        glimpse, self.glimpses = self.glimpses, self.glimpses + 1
        v = case.adjoint
        residual = s - self._hessian(case, problem, factor, v, glimpse) if warm else s.clone()
        direction, square = residual.clone(), _dot(residual, residual)
        for _ in range(_SOLVES if warm else _FIRST_SOLVES):
            curved = self._hessian(case, problem, factor, direction, glimpse)
            slope = _dot(direction, curved)
            length = torch.where(slope > 0, square / slope, 0.0)  # E is not convex everywhere
            v = v + length * direction
            residual = residual - length * curved
            before, square = square, _dot(residual, residual)
            direction = residual + square / before.clamp_min(1e-30) * direction
        case.adjoint = v

    def _hessian(self, case: Case, problem: Problem, factor: Tensor, v: Tensor, number: int) -> Tensor:
        """(H + c) v at one glimpse, where the data term is || A x - y ||^2 / 2; a central difference of the
        gradient of R. c is for pixels beyond the frame, which some glimpses do not see."""
        length = _rms(v).clamp_min(1e-30)
        step = v * (_DIFFERENCE / length)
        both = torch.cat([case.x + step, case.x - step]).requires_grad_(True)
        (gradient,) = torch.autograd.grad(self._score(both, number), both, torch.cat([factor, factor]))
        ahead, behind = gradient.chunk(2)
        curved = (ahead - behind) * (length / (2 * _DIFFERENCE))
        curved += problem.operator.adjoint(problem.operator.forward(v))
        return (curved if problem.free is None else curved * problem.free) + _DAMPING * v

    def _descend(self, case: Case, problem: Problem, lam: Tensor) -> None:
        """Bring x* up to date by Adam's steps, which do not care how sharp the energy has become: a new case
        as `alr denoise` would (solver.py), and from then on at the last step size."""
        precision = torch.bfloat16 if self.recipe.bfloat16 else torch.float32
        regularizer = Turning(LocalRegularizer(self.critic, precision=precision), self.glimpses)
        energy = Energy(
            problem.operator, SquaredError(case.y), regularizer, lam, problem.pixels, problem.free
        )
        scale = problem.step_scale(case.sigma).reshape(-1, 1, 1, 1)
        first = int(case.first)
        later = _STEPS * (BLUR_STEPS if case.blurred else 1)
        for _ in range(later if int(case.steps) else first):
            _, gradient = energy.value_and_grad(case.x)
            case.steps += 1
            step = int(case.steps)
            size = adam_size(step, first) if step <= first else _FOLLOWING
            adam_moments(case.mean, case.square, gradient, problem.pixels)
            adam_step(case.x, case.mean, case.square, step, size * scale)
        self.glimpses = regularizer.evaluations

    def _lam(self, case: Case) -> Tensor:
        """lambda of each crop, (B,)."""
        if len(self.knots) == 1:
            logs = self.log_lam.expand(len(case.sigma))
        else:
            at = (case.sigma.log().cpu() - self.knots[0]) / (self.knots[1] - self.knots[0])
            index = at.floor().clamp(0, _KNOTS - 2).long()
            logs = self.log_lam[index] + (at - index) * (self.log_lam[index + 1] - self.log_lam[index])
        return (logs.exp() * problems.noise_gain(case.kernel)).to(self.device)

    def _score(self, x: Tensor, number: int) -> Tensor:
        """sum_i r(x_i), (B,), as one glimpse shows it."""
        seen = Glimpse.number(number, self.critic.stride).of(x)
        patches = math.prod(size - self.critic.patch + 1 for size in x.shape[-2:])
        return scored(self.critic, seen, self.recipe.bfloat16).mean((1, 2, 3)) * patches

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
        torch.nn.utils.clip_grad_norm_([p for g in self.optimiser.param_groups for p in g["params"]], 2.0)
        self.optimiser.step()
        decay = min(self.recipe.ema, (1 + self.step_count) / (10 + self.step_count))
        with torch.no_grad():
            for name, value in self._learned().items():
                self.average[name].lerp_(value, 1 - decay)
        self.step_count += 1
        return rate

    def _learned(self) -> dict[str, Tensor]:
        return {**self.critic.state_dict(), "log_lam": self.log_lam}

    def state(self) -> dict[str, Tensor]:
        """Everything that `restore_state` needs, as named tensors on the CPU."""
        state = {f"learned.{k}": v for k, v in self._learned().items()}
        state |= {f"average.{k}": v for k, v in self.average.items()}
        state |= adam_state(self.optimiser)
        for index, case in enumerate(self.pool):
            state |= {f"pool.{index}.{field.name}": getattr(case, field.name) for field in fields(case)}
        state["generator"] = self.generator.get_state()
        state["step"] = torch.tensor(self.step_count)
        state["glimpses"] = torch.tensor(self.glimpses)
        return {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}

    def restore_state(self, state: dict[str, Tensor]) -> None:
        """Continue exactly where `state` was taken. Raises KeyError, ValueError or RuntimeError if it does
        not fit; the tuner is then unusable."""
        learned = prefixed(state, "learned.")
        with torch.no_grad():
            self.log_lam.copy_(same_shape(learned.pop("log_lam"), self.log_lam))
        self.critic.load_state_dict(learned)
        for name, value in prefixed(state, "average.").items():
            self.average[name].copy_(same_shape(value, self.average[name]))
        restore_adam(self.optimiser, state)
        names = [field.name for field in fields(Case)]
        count = len({name.split(".")[1] for name in state if name.startswith("pool.")})
        self.pool = [
            Case(**{name: state[f"pool.{index}.{name}"].clone().to(self.device) for name in names})
            for index in range(count)
        ]
        self.generator.set_state(state["generator"].byte())
        self.step_count = int(state["step"])
        self.glimpses = int(state["glimpses"])


def usual_error(sigma: Tensor) -> Tensor:
    """m(sigma). Without it in the loss, smooth crops would count for more than their share of a picture."""
    return _USUAL[0] * sigma ** _USUAL[1]


def _factor(case: Case, lam: Tensor) -> Tensor:
    """lambda C / 2 (B,): E times N C / 2 is ||A x - y||^2 / 2 + factor sum r."""
    return 0.5 * case.clean.shape[1] * lam


def _size(parameter: Tensor) -> float:
    """What a step of a tensor is relative to: its root mean square; that of a new bias is a guess."""
    size = float(parameter.detach().square().mean().sqrt())
    return size if size > 1e-3 else 0.05


def _rms(x: Tensor) -> Tensor:
    return x.square().mean((1, 2, 3), keepdim=True).sqrt()


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((1, 2, 3), keepdim=True)
