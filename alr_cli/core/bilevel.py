"""min_theta E log( ||x*(theta) - x||^2 / N + c sigma^2 )  where  x*(theta) = arg min_x E(x)    (eq. 4, tuned)

Eq. 7 asks the critic to tell noisy from clean; here the same energy is tuned until its minimiser is the best
picture (bilevel learning; Kunisch and Pock 2013). With s the sensitivity of the loss to x*, the implicit
function theorem gives  d loss / d theta = - s^T H^-1 d grad_x E / d theta,  H being the Hessian of E.  H^-1
is taken as a constant ("Jacobian-free backpropagation", Fung et al. 2022): for denoising it is that of the
data term, and for a blur the direction is still one of descent, that in which x* should be less probable
than the truth. What remains is a directional derivative of R, and a central difference gives it:

    s^T grad R(x*)  ~  ( R(x* + h s) - R(x* - h s) ) / 2h

so that only first derivatives of the network are ever needed. Each case of a pool keeps its x* between
visits: the network changes slowly, and a few steps of descent bring it up to date.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from alr_cli.core import problems
from alr_cli.core.calibration import LambdaCurve
from alr_cli.core.critic import Critic
from alr_cli.core.energy import Energy, SquaredError
from alr_cli.core.kernels import parse_kernel
from alr_cli.core.noise_field import NoiseField
from alr_cli.core.patches import PatchSource
from alr_cli.core.problems import Problem
from alr_cli.core.regularizer import LocalRegularizer
from alr_cli.core.symmetry import Glimpse, Turning
from alr_cli.core.training import Progress, adam_state, prefixed, restore_adam, same_shape

_KNOTS = 4  # of log lambda, straight in log sigma between them
_FLOOR = 0.03  # c: errors below this share of the noise's variance count no further
_LEAST_DIFFERENCE = 0.02  # h s is at least this long (root mean square): bfloat16 sees no less
_POOL = 8
_FIRST_STEPS, _STEPS = 30, 5  # on a new case, as `alr denoise` takes them; on each later visit
_BLUR_STEPS = 2  # times as many for a blurred case: its data term is flat in many directions
_BLUR_SIGMAS = (0.005, 0.05)
_FOLLOWING = 0.003  # step size with which x* follows the network; the first steps end at 0.01
_PENALTY_EVERY = 9  # steps; no multiple of the pool, so that every case has its turn
_POWER_STEPS = 3
_BETAS = (0.9, 0.99)
_INNER_BETAS = (0.9, 0.999)  # those of the solver


@dataclass(frozen=True)
class TuningRecipe:
    """How a critic is tuned.

    iterations: Adam steps.  batch_size: crops in a step.  side: of the crops, in pixels.  lr, lr_final: step
    size relative to each tensor's root mean square, decaying exponentially.  sigma_low, sigma_high: noise
    levels on [0,1], drawn log-uniformly.  curvature: what the largest curvature of E, in units of the data
    term's, may reach before it is penalised.  visits: of a case before it is replaced.  blurs: share of the
    cases that are blurred too, by kernels of many kinds, with less noise.  ema: decay of the moving average
    that is kept.  bfloat16: run the convolutions in bfloat16.
    """

    iterations: int = 8000
    batch_size: int = 3
    side: int = 112
    lr: float = 2e-3
    lr_final: float = 2e-4
    sigma_low: float = 0.02
    sigma_high: float = 0.22
    curvature: float = 30.0
    visits: int = 16
    blurs: float = 0.25
    ema: float = 0.998
    bfloat16: bool = False
    seed: int = 0

    def lr_at(self, step: int) -> float:
        """The relative step size of step 0 ... iterations - 1."""
        return float(self.lr * (self.lr_final / self.lr) ** (step / max(1, self.iterations - 1)))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Case:
    """A batch of crops on its way to the minimisers.

    clean: (B, C, s, s).  y: the observation.  kernel: (h, w), of a single 1 where nothing is blurred.
    sigma: (B,).  x: the extended unknown.  steepest: the direction in which R curves most, like x.
    mean, square: Adam's moments, like x.  steps: of descent so far, ().  visits: how often it is still to be
    used, ().
    """

    clean: Tensor
    y: Tensor
    kernel: Tensor
    sigma: Tensor
    x: Tensor
    steepest: Tensor
    mean: Tensor
    square: Tensor
    steps: Tensor
    visits: Tensor

    @property
    def blurred(self) -> bool:
        return self.kernel.numel() > 1


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
    ) -> None:
        """start: a trained critic, of a smooth activation (see `smoothed`).  lam: its lambda(sigma).
        field: how the noise is made; None for white noise."""
        self.recipe = recipe
        self.source = source
        self.field = field
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
        self.steepness = 0.0
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
        case = self._next_case()
        lam = self._lam(case)
        factor = _factor(case, lam)
        self.critic.requires_grad_(False)
        self._descend(case, lam.detach())
        self.critic.requires_grad_(True)
        error = _frame(case.x, case.clean) - case.clean
        mse = error.square().mean((1, 2, 3))
        loss = self._sensitivity(case, factor, error, mse)
        if self.step_count % _PENALTY_EVERY == 0:
            loss = loss + self._curvature_penalty(case, factor)
        rate = self._update(loss)
        before = (case.y - case.clean).square().mean((1, 2, 3))
        gain = float((10 * torch.log10(before / mse)).mean())
        return Progress(self.step_count, rate, {"gain": gain, "curvature": self.steepness})

    def trained(self) -> Critic:
        """A copy of the critic as it would be shipped now."""
        critic = Critic(self.critic.architecture)
        critic.load_state_dict({k: v for k, v in self.average.items() if k != "log_lam"})
        return critic.to(self.device).eval()

    def _sensitivity(self, case: Case, factor: Tensor, error: Tensor, mse: Tensor) -> Tensor:
        """A scalar whose gradient in theta and lambda is that of the loss, H^-1 left out (see above)."""
        weight = 0.01 / (mse + _FLOOR * case.sigma.square())  # d log(mse + ...) / d mse, tamed for Adam's eps
        stretch = (_LEAST_DIFFERENCE / mse.sqrt()).clamp(1.0, 4.0)
        direction = torch.zeros_like(case.x)
        _frame(direction, error).copy_(error * stretch.reshape(-1, 1, 1, 1))
        ahead, behind = self._total_score(torch.cat([case.x + direction, case.x - direction])).chunk(2)
        slope = (ahead - behind) / (2 * stretch)
        return -(weight * factor * slope).sum() / case.clean.numel()

    def _curvature_penalty(self, case: Case, factor: Tensor) -> Tensor:
        """The largest curvature of lambda R by the power iteration, and its excess squared, for one crop."""
        number = self.step_count // _PENALTY_EVERY % len(case.sigma)
        crop = slice(number, number + 1)
        x = case.x[crop].detach().requires_grad_(True)
        gradient = self._gradient(x, factor[crop], create_graph=True)
        curved = case.steepest[crop]
        for left in reversed(range(_POWER_STEPS)):
            direction = (curved / _norm(curved).clamp_min(1e-12).reshape(-1, 1, 1, 1)).detach()
            (curved,) = torch.autograd.grad(
                gradient, x, direction, create_graph=not left, retain_graph=bool(left) or None
            )
        case.steepest[crop] = curved.detach()
        curvature = _norm(curved)
        self.steepness += 0.1 * (float(curvature.detach()) - self.steepness)
        excess = curvature / self.recipe.curvature - 1
        if not float(excess.detach()) > 0:  # nor has a length of zero a gradient
            return curvature.new_zeros(())
        return 0.03 * _PENALTY_EVERY * excess.square().sum()

    def _descend(self, case: Case, lam: Tensor) -> None:
        """Bring x* up to date by Adam's steps, which do not care how sharp the energy has become: a new case
        as `alr denoise` would (solver.py), and from then on at the last step size."""
        problem = _problem(case, self.critic.patch)
        precision = torch.bfloat16 if self.recipe.bfloat16 else torch.float32
        regularizer = Turning(LocalRegularizer(self.critic, precision=precision), self.glimpses)
        energy = Energy(problem.operator, SquaredError(case.y), regularizer, lam, problem.pixels)
        scale = problem.step_scale(case.sigma).reshape(-1, 1, 1, 1)
        times = _BLUR_STEPS if case.blurred else 1
        first = _FIRST_STEPS * times
        for _ in range(_STEPS * times if int(case.steps) else first):
            _, gradient = energy.value_and_grad(case.x)
            gradient *= problem.pixels
            case.steps += 1
            case.mean.lerp_(gradient, 1 - _INNER_BETAS[0])
            case.square.mul_(_INNER_BETAS[1]).addcmul_(gradient, gradient, value=1 - _INNER_BETAS[1])
            size = _FOLLOWING if case.steps > first else 0.1 * 0.1 ** ((int(case.steps) - 1) / (first - 1))
            bias = [1 - beta ** int(case.steps) for beta in _INNER_BETAS]
            update = (case.mean / bias[0]) / ((case.square / bias[1]).sqrt() + 1e-8)
            case.x -= size * scale * update
        self.glimpses = regularizer.evaluations

    def _gradient(self, x: Tensor, factor: Tensor, create_graph: bool = False) -> Tensor:
        """Of the regularizer, where the data term is || x - y ||^2 / 2."""
        scores = self._total_score(x)
        (gradient,) = torch.autograd.grad(scores, x, factor, create_graph=create_graph)
        return gradient

    def _lam(self, case: Case) -> Tensor:
        """lambda of each crop, (B,)."""
        if len(self.knots) == 1:
            logs = self.log_lam.expand(len(case.sigma))
        else:
            at = (case.sigma.log().cpu() - self.knots[0]) / (self.knots[1] - self.knots[0])
            index = at.floor().clamp(0, _KNOTS - 2).long()
            logs = self.log_lam[index] + (at - index) * (self.log_lam[index + 1] - self.log_lam[index])
        return (logs.exp() * problems.noise_gain(case.kernel)).to(self.device)

    def _total_score(self, x: Tensor) -> Tensor:
        """sum_i r(x_i), (B,), as it looks at a glimpse."""
        glimpse = Glimpse.number(self.glimpses, self.critic.stride)
        self.glimpses += 1
        seen = glimpse.of(x).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.bfloat16):
            scores: Tensor = self.critic(seen)
        patches = math.prod(size - self.critic.patch + 1 for size in x.shape[-2:])
        total: Tensor = scores.float().mean((1, 2, 3)) * patches
        return total

    def _next_case(self) -> Case:
        index = self.step_count % _POOL
        if index == len(self.pool):  # the first cases retire one after the other
            self.pool.append(self._new_case(max(1, self.recipe.visits * (index + 1) // _POOL)))
        elif not self.pool[index].visits:
            self.pool[index] = self._new_case(self.recipe.visits)
        self.pool[index].visits -= 1
        return self.pool[index]

    def _new_case(self, visits: int) -> Case:
        recipe, count = self.recipe, self.recipe.batch_size
        clean = self.source.sample(count, self.generator)
        blurred, u = torch.rand((), generator=self.generator), torch.rand(count, generator=self.generator)
        kernel = torch.ones(1, 1)
        low, high = recipe.sigma_low, recipe.sigma_high
        if blurred < recipe.blurs:
            kernel, (low, high) = random_kernel(self.generator), _BLUR_SIGMAS
        sigma = low * (high / low) ** u
        y, clean = _blur(clean, kernel)
        if self.field is None:
            y = y + sigma.reshape(-1, 1, 1, 1) * torch.randn(y.shape, generator=self.generator)
        else:
            y, _ = self.field.add(y, sigma, self.generator)
        margin = self.critic.patch - 1
        x = problems.extend(y, kernel.shape[0] // 2 + margin, kernel.shape[1] // 2 + margin)
        clean, y, kernel, sigma, x = (tensor.to(self.device) for tensor in (clean, y, kernel, sigma, x))
        mean, square = torch.zeros_like(x), torch.zeros_like(x)
        steepest = torch.randn(x.shape, generator=self.generator).to(self.device)
        return Case(clean, y, kernel, sigma, x, steepest, mean, square, torch.tensor(0), torch.tensor(visits))

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
        state["steepness"] = torch.tensor(self.steepness, dtype=torch.float64)
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
        self.steepness = float(state["steepness"])


def random_kernel(generator: torch.Generator) -> Tensor:
    """(h, w), summing to 1: a Gaussian, a line of motion or a disk of random size."""
    kind, size, angle = torch.rand(3, generator=generator).tolist()
    spec = (
        f"gaussian:{2 * round(2 + 4 * size) + 1}:{0.8 + 2.2 * angle}",
        f"motion:{4 + 12 * size}:{180 * angle}",
        f"disk:{1 + 3 * size}",
    )[int(3 * kind)]
    return torch.from_numpy(parse_kernel(spec).copy()).float()


def _factor(case: Case, lam: Tensor) -> Tensor:
    """lambda C / 2 (B,): E times N C / 2 is ||A x - y||^2 / 2 + factor sum r."""
    return 0.5 * case.clean.shape[1] * lam


def _problem(case: Case, patch: int) -> Problem:
    if case.blurred:
        return problems.deblurring(case.y, case.kernel.cpu().numpy(), patch)
    return problems.denoising(case.y, patch)


def _blur(clean: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
    """The part of the convolution that the crop determines, and the crop there."""
    rows, columns = (side // 2 for side in kernel.shape)
    planes = clean.flatten(0, 1)[:, None]
    blurred = torch.nn.functional.conv2d(planes, kernel.flip(0, 1)[None, None])
    height, width = clean.shape[-2:]
    inner = clean[..., rows : height - rows, columns : width - columns]
    return blurred.reshape(inner.shape), inner.contiguous()


def _frame(x: Tensor, like: Tensor) -> Tensor:
    """The middle of x, of the size of `like`."""
    top, left = ((x.shape[axis] - like.shape[axis]) // 2 for axis in (-2, -1))
    return x[..., top : top + like.shape[-2], left : left + like.shape[-1]]


def smoothed(critic: Critic, sharpness: float = 10.0) -> Critic:
    """A ReLU critic with each corner rounded: t sigmoid(sharpness t) in place of max(t, 0).

    The factor moves into the weights, so that what comes out is a plain SiLU critic: its activations are
    `sharpness` times as large and its last layer undoes it. Other activations are smooth already, and stay.
    """
    if critic.architecture.activation != "relu":
        return critic
    result = Critic(replace(critic.architecture, activation="silu"))
    result.load_state_dict(critic.state_dict())
    convolutions = [layer for layer in result.layers if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        convolutions[0].weight.mul_(sharpness)
        convolutions[-1].weight.div_(sharpness)
        for convolution in convolutions[:-1]:
            if convolution.bias is not None:
                convolution.bias.mul_(sharpness)
    return result


def _size(parameter: Tensor) -> float:
    """What a step of a tensor is relative to: its root mean square; that of a new bias is a guess."""
    size = float(parameter.detach().square().mean().sqrt())
    return size if size > 1e-3 else 0.05


def _norm(x: Tensor) -> Tensor:
    return x.flatten(1).square().sum(1).sqrt()
