"""min_theta E log( ||x*(theta) - x||^2 / N + m )  where  x*(theta) = arg min_x E(x)    (eq. 4, tuned)

Eq. 7 trains a critic to distinguish noisy from clean patches. Here the energy of fields of experts
(experts.py) is tuned until its minimiser is the best picture (bilevel learning; Kunisch and Pock 2013). Let s
be the derivative of the loss with respect to x*, and H the Hessian of E. The implicit function theorem gives

    d loss / d theta = - v^T d grad_x R / d theta,   H v = s.

Conjugate gradients solve for v (implicit.py). Each case of a pool keeps its x* and its v between visits. The
filters change slowly, and a few steps bring both up to date. A new case is minimised as `alr denoise` would
do it, and far enough: an energy that is tuned at points where the descent has not converged is good only
there (docs/notebook/critics.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor

from alr_cli.core.data_terms import SquaredError
from alr_cli.core.energy import Energy
from alr_cli.core.noise.field import NoiseField
from alr_cli.core.numerics import devices
from alr_cli.core.priors.experts import KNOTS, Experts, ExpertsPrior, along_knots
from alr_cli.core.priors.glimpses import Glimpse
from alr_cli.core.priors.preconditioner import powers
from alr_cli.core.solvers.base import solve
from alr_cli.core.solvers.preconditioned import HOLES, NEAR, Preconditioned
from alr_cli.core.training.calibration import LambdaCurve
from alr_cli.core.training.crops import Case, CaseSource
from alr_cli.core.training.implicit import Local, Scaled
from alr_cli.core.training.patches import PatchSource
from alr_cli.core.training.stepwise import (
    Progress,
    Stepwise,
    adam_state,
    restore_adam,
    same_shape,
    stored,
)

_POOL = 8
_BETAS = (0.9, 0.99)
_SLOW = 0.15  # relative step size for lambda and the contrast, because all crops act on the same few numbers


@dataclass(frozen=True)
class TuningRecipe:
    """How fields of experts are tuned.

    Attributes:
        iterations: Number of Adam steps.
        batch_size: Crops per step.
        side: Side of the crops in pixels.
        lr, lr_final: Step size relative to the root mean square of the filters; it decays exponentially.
        sigma_low, sigma_high: Range of noise levels on [0,1], drawn log-uniformly.
        holes: Share of the cases that have missing pixels instead of noise.
        visits: Largest number of visits before a case is replaced.
        ema: Decay of the moving average.
        bfloat16: Run the convolutions in bfloat16.
        seed: Random seed.
    """

    iterations: int = 3000
    batch_size: int = 8
    side: int = 72
    lr: float = 1e-2
    lr_final: float = 4e-4
    sigma_low: float = 0.008
    sigma_high: float = 0.42
    holes: float = 0.0
    visits: int = 50
    ema: float = 0.995
    bfloat16: bool = False
    seed: int = 0

    def lr_at(self, step: int) -> float:
        """The step size at step 0 ... iterations - 1."""
        return float(self.lr * (self.lr_final / self.lr) ** (step / max(1, self.iterations - 1)))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Tuner(Stepwise[TuningRecipe]):
    """Bilevel training with its state."""

    def __init__(
        self,
        start: Experts,
        lam: Callable[[float], float],
        recipe: TuningRecipe,
        source: PatchSource,
        device: str | torch.device = "cpu",
        field: NoiseField | None = None,
    ) -> None:
        """Args:
        start: The experts to start from.
        lam: Their lambda(sigma).
        recipe: How they are tuned.
        source: The source of crops.
        device: Where to compute.
        field: Draws the noise; None for white noise.
        """
        # a single process, because the pools of several would not fit into a checkpoint
        super().__init__(recipe, device)
        sigmas = (recipe.sigma_low, recipe.sigma_high)
        self.cases = CaseSource(source, recipe.batch_size, sigmas, recipe.visits, field, recipe.holes)
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

    @property
    def curve(self) -> LambdaCurve:
        """lambda(sigma) as learned so far (the moving average)."""
        values = self.average["log_lam"].exp().tolist()
        return LambdaCurve(
            tuple((knot, self.critic.usual_lam(knot) * v) for knot, v in zip(KNOTS, values, strict=True))
        )

    def step(self) -> Progress:
        """Bring one case up to date, and update theta and lambda by its gradient."""
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
            local.problem.crop(s).copy_(error / (mse + case.usual_error).reshape(-1, 1, 1, 1))
            s *= 2 / error[0].numel()
            case.adjoint = local.adjoint(case.x, s, case.adjoint)
        # In float32: the learned weights gain from it, and oneDNN's gradient of dilated filters is wrong in
        # bfloat16.
        rate = self._update(-self._local(case).slope_along(case.x, case.adjoint).mean())
        before = (local.problem.crop(local.problem.start) - case.clean).square().mean((1, 2, 3))
        gain = float((10 * torch.log10(before / mse)).mean())
        return Progress(self.step_count, rate, {"gain": gain})

    def _local(self, case: Case, dtype: torch.dtype = torch.float32) -> Local:
        """The current energy of a case, differentiable in what is learned."""
        sigma = case.sigma.reshape(-1, 1, 1, 1)
        lam = self.critic.usual_lam(sigma) * along_knots(self.log_lam, sigma)
        return Local(
            case.problem(self.critic.patch - 1),
            case.y,
            Glimpse.number(self.step_count // _POOL, self.critic.stride, turns=False),
            self.critic.banks(dtype, dense=True),
            self.critic.stride,
            tuple(powers(filters.detach()) for filters in self.critic.filters),
            self.critic.stride**2 * 0.5 * case.clean.shape[1] * lam,
            self.critic.contrast(sigma),
        )

    def _descend(self, case: Case, local: Local) -> None:
        """Bring x* up to date.

        A new case is minimised as `alr denoise` would do it, and later visits minimise quadratic upper bounds
        of the energy.
        """
        if not case.old:
            problem = local.problem
            regularizer = Scaled(local, self.critic.patch - 1)
            alike = local.preconditioner(local.inverses(torch.zeros_like(case.x)))
            # f and s are part of the regularizer, so that lambda is 1 and the data term is half a square; see
            # Scaled
            data, pixels = SquaredError(case.y), problem.pixels
            energy = Energy(problem.operator, data, regularizer, 1.0, pixels, problem.free)
            pace = HOLES if problem.holes else NEAR
            case.x = solve(energy, case.x, Preconditioned(alike, int(case.first), pace=pace)).x
            case.old.fill_(1)
        case.x = local.majorised(case.x)

    def trained(self) -> ExpertsPrior:
        """A copy of the prior as it would be shipped now."""
        critic = Experts(self.critic.architecture)
        critic.load_state_dict({name: v for name, v in self.average.items() if name != "log_lam"})
        levels = (self.recipe.sigma_low, self.recipe.sigma_high)
        return ExpertsPrior(critic.to(self.device).eval(), levels, self.curve)

    def _next_case(self) -> Case:
        index = self.step_count % _POOL
        if index == len(self.pool):
            self.pool.append(self._new_case())
        elif not self.pool[index].visits:
            self.pool[index] = self._new_case()
        self.pool[index].visits -= 1
        return self.pool[index]

    def _new_case(self) -> Case:
        return self.cases.draw(self.critic.patch - 1, self.generator, self.device)

    def _update(self, loss: Tensor) -> float:
        rate = self.recipe.lr_at(self.step_count)
        for group, size in zip(self.optimiser.param_groups, self._sizes, strict=True):
            group["lr"] = rate * size
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.recipe.holes == 1:  # lambda has no effect where pixels are held, and rounding would move it
            self.log_lam.grad = torch.zeros_like(self.log_lam)
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
        return stored(state)

    def restore_state(self, state: dict[str, Tensor]) -> None:
        """Continue exactly where `state` was taken.

        Raises KeyError, ValueError or RuntimeError if it does not fit. The tuner cannot be used after that.
        """
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


def _size(name: str, value: Tensor) -> float:
    """The scale of the steps of a tensor: its root mean square for filters, and 1 for logarithms."""
    if value.dim() == 2:
        return float(value.detach().square().mean().sqrt())
    return _SLOW if name in ("log_lam", "log_contrast") else 1.0
