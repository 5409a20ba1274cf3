"""Bilevel tuning: its gradient, its minimisers, its exact resume, its kernels."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from alr_cli.core import bilevel, problems
from alr_cli.core.bilevel import Tuner, TuningRecipe
from alr_cli.core.cases import Case
from alr_cli.core.criteria import wgan_gp
from alr_cli.core.critic import Architecture, Critic
from alr_cli.core.energy import Energy, SquaredError
from alr_cli.core.patches import PatchSource
from alr_cli.core.regularizer import LocalRegularizer
from alr_cli.core.solver import solve
from alr_cli.core.training import Recipe, SyntheticNoise

RECIPE = TuningRecipe(iterations=60, batch_size=2, side=20, sigma_low=0.05, sigma_high=0.2, lr=1e-2, ema=0.9)


def a_critic(channels: int = 1, activation: str = "silu") -> Critic:
    architecture = Architecture(channels, width=4, depth=3, activation=activation)  # type: ignore[arg-type]
    return Critic(architecture, torch.Generator().manual_seed(3))


def stripes(channels: int = 1) -> PatchSource:
    rows = np.arange(64)[:, None, None] // 8 % 2 * np.ones((1, 64, channels))
    return PatchSource([(0.25 + 0.5 * rows).astype(np.float32)], RECIPE.side)


def a_tuner(recipe: TuningRecipe = RECIPE, channels: int = 1) -> Tuner:
    return Tuner(a_critic(channels), lambda sigma: 0.1 * sigma, recipe, stripes(channels))


def gains(tuner: Tuner, steps: int) -> list[float]:
    return [tuner.step().measures["gain"] for _ in range(steps)]


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("channels", [1, 3])
def test_tuning_makes_the_minimisers_better_pictures(channels: int) -> None:
    tuner = a_tuner(replace(RECIPE, iterations=400, blurs=0.0, holes=0.0, lr=1e-2), channels)
    measured = gains(tuner, 400)
    assert np.mean(measured[-64:]) > np.mean(measured[:64]) + 0.5


@pytest.mark.parametrize(("blurs", "holes"), [(0.0, 0.0), (0.9, 0.0), (0.3, 0.6)])
@pytest.mark.parametrize("at", [1, 11, 23])
def test_a_resumed_tuning_is_the_same_bit_for_bit(at: int, blurs: float, holes: float) -> None:
    recipe = replace(RECIPE, blurs=blurs, holes=holes, visits=2)
    whole, first, second = a_tuner(recipe), a_tuner(recipe), a_tuner(recipe)
    gains(whole, 30)
    gains(first, at)
    second.restore_state(first.state())
    gains(second, 30 - at)
    assert same(whole.state(), second.state())


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state.pop("step"),
        lambda state: state.pop("pool.0.x"),
        lambda state: state.update({"learned.log_lam": torch.zeros(2)}),
        lambda state: state.update({"average.layers.0.weight": torch.zeros(1)}),
    ],
)
def test_a_state_that_does_not_fit_is_refused(damage: object) -> None:
    tuner = a_tuner()
    gains(tuner, 2)
    state = tuner.state()
    damage(state)  # type: ignore[operator]
    with pytest.raises((KeyError, ValueError, RuntimeError)):
        a_tuner().restore_state(state)


class Differences(torch.nn.Module):
    """r(z): the squares of the differences of a pixel and the two beside it; like a critic to the tuner."""

    architecture = Architecture(1, width=1, depth=2)
    patch, stride = 3, 1
    layers = ()  # nothing to turn: summed over a picture, the squares look the same from all sides

    def __init__(self) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        middle = x[..., 1:-1, 1:-1]
        right, below = x[..., 1:-1, 2:] - middle, x[..., 2:, 1:-1] - middle
        return 5.0 * (right.square() + below.square()) + 0.0 * self.unused


def factor_of(tuner: Tuner, case: Case) -> torch.Tensor:
    return bilevel._factor(case, tuner._lam(case)).detach()


def parts_of(tuner: Tuner) -> tuple[Case, torch.Tensor, problems.Problem]:
    gains(tuner, 1)
    case = tuner.pool[0]
    return case, factor_of(tuner, case), problems.denoising(case.y, tuner.critic.patch)


def test_the_sensitivity_is_the_directional_derivative_of_the_gradient() -> None:
    """d/d theta of - v^T grad_x R by two values of R, against the second derivative itself."""
    tuner = a_tuner(replace(RECIPE, blurs=0.0, holes=0.0))
    case, factor, _ = parts_of(tuner)
    looks = tuner.glimpses
    quick = torch.autograd.grad(
        tuner._sensitivity(case, factor), list(tuner.critic.parameters()), allow_unused=True
    )
    x = case.x.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(tuner._score(x, looks), x, factor, create_graph=True)
    whole = -(case.adjoint * gradient).sum((1, 2, 3)).mean()
    exact = torch.autograd.grad(whole, list(tuner.critic.parameters()), allow_unused=True)
    for one, two in zip(quick[:-1], exact[:-1], strict=True):  # R's last bias moves no gradient
        assert one is not None
        assert two is not None
        assert float(torch.nn.functional.cosine_similarity(one.flatten(), two.flatten(), dim=0)) > 0.99


def test_known_pixels_are_held_and_have_no_adjoint() -> None:
    tuner = a_tuner(replace(RECIPE, blurs=0.0, holes=0.99))
    gains(tuner, 1)
    case = tuner.pool[0]
    problem = case.problem(tuner.critic.patch)
    assert problem.free is not None
    held = (problem.free == 0).expand_as(case.x)
    assert torch.equal(case.x[held], problem.start[held])
    assert not case.adjoint[held].any()
    assert case.adjoint.any()


def test_the_product_with_the_hessian_is_the_second_derivative() -> None:
    tuner = a_tuner(replace(RECIPE, blurs=0.0, holes=0.0))
    case, factor, problem = parts_of(tuner)
    v = torch.randn(case.x.shape, generator=torch.Generator().manual_seed(1))
    quick = tuner._hessian(case, problem, factor, v, 5)
    x = case.x.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(tuner._score(x, 5), x, factor, create_graph=True)
    (curved,) = torch.autograd.grad(gradient, x, v)
    exact = curved + problem.operator.adjoint(problem.operator.forward(v)) + bilevel._DAMPING * v
    assert float((quick - exact).norm() / exact.norm()) < 0.01


@pytest.mark.parametrize("visits", [1, 3])
def test_the_adjoint_solves_its_equation(visits: int) -> None:
    tuner = a_tuner(replace(RECIPE, blurs=0.0, holes=0.0))
    case, factor, problem = parts_of(tuner)
    case.adjoint = torch.zeros_like(case.x)
    s = torch.randn(case.x.shape, generator=torch.Generator().manual_seed(1)) * 1e-3
    s = problem.operator.adjoint(problem.crop(s))
    for _ in range(visits):
        tuner._solve_adjoint(case, problem, factor, s)
    residual = s - tuner._hessian(case, problem, factor, case.adjoint, 0)
    assert float(residual.norm() / s.norm()) < (0.1 if visits == 1 else 0.05)


def test_the_gradient_is_that_of_the_loss_at_the_minimiser() -> None:
    """d loss / d log lambda where R(x) = ||K x||^2 / 2, whose minimiser is known."""
    recipe = replace(
        RECIPE, blurs=0.0, holes=0.0, sigma_low=0.1, sigma_high=0.1, lr=1e-9, lr_final=1e-9, visits=200
    )
    tuner = Tuner(a_critic(), lambda sigma: 0.2, recipe, stripes())
    quadratic = Differences()
    tuner.critic = quadratic  # type: ignore[assignment]
    tuner.average["unused"] = torch.zeros(1)
    gains(tuner, 200)
    case = tuner.pool[0]

    def loss(lam: float) -> float:
        problem = problems.denoising(case.y, quadratic.patch)
        regularizer = LocalRegularizer(quadratic)  # type: ignore[arg-type]
        energy = Energy(problem.operator, SquaredError(case.y), regularizer, lam, problem.pixels)
        error = problem.crop(solve(energy, problem.start, "nmapg", 1000, tol=1e-7).x) - case.clean
        usual = bilevel.usual_error(case.sigma)
        return float(torch.log(error.square().mean((1, 2, 3)) + usual).mean())

    tuner.log_lam.grad = None
    tuner._sensitivity(case, bilevel._factor(case, tuner._lam(case))).backward()  # type: ignore[no-untyped-call]
    assert tuner.log_lam.grad is not None
    expected = (loss(0.2 * 1.02) - loss(0.2 / 1.02)) / (2 * math.log(1.02))
    assert float(tuner.log_lam.grad.sum()) == pytest.approx(expected, rel=0.03)


def test_cases_end_near_the_minimiser_of_their_energy() -> None:
    tuner = a_tuner(replace(RECIPE, blurs=0.0, holes=0.0, visits=40, lr=1e-9, lr_final=1e-9))
    gains(tuner, 120)
    case = max(tuner.pool, key=lambda each: -int(each.visits))
    factor = factor_of(tuner, case)
    x = case.x.detach().requires_grad_(True)
    sides = [torch.autograd.grad(tuner._score(x, side), x, factor)[0] for side in range(8)]
    gradient = torch.stack(sides).mean(0)
    inner = problems.denoising(case.y, tuner.critic.patch).crop(gradient)
    data = problems.denoising(case.y, tuner.critic.patch).crop(case.x) - case.y
    assert float((inner + data).norm() / data.norm()) < 0.05


def test_the_anchor_is_eq_7() -> None:
    """Its gradient in theta is that of the adversarial objective, times its weight."""
    levels = Recipe(sigma_low=0.1, sigma_high=0.1)
    small = PatchSource([stripes().table.reshape(64, 64, 1).numpy()], 7)
    patches = SyntheticNoise(small, small, levels)
    tuner = Tuner(a_critic(), lambda sigma: 0.1, replace(RECIPE, anchor=0.5), stripes(), patches=patches)
    state = tuner.generator.get_state()
    found = torch.autograd.grad(tuner._anchor(), list(tuner.critic.parameters()), allow_unused=True)
    generator = torch.Generator()
    generator.set_state(state)
    batch = patches.batch(32, generator)
    alpha = torch.rand(32, generator=generator)
    objective = wgan_gp(tuner.critic, batch.noisy, batch.clean, alpha, 5.0, scale=batch.length).objective
    expected = torch.autograd.grad(-0.5 * objective, list(tuner.critic.parameters()), allow_unused=True)
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one, two)


def test_the_learned_lambda_starts_as_that_of_the_critic() -> None:
    tuner = a_tuner()
    for sigma in (0.05, 0.08, 0.2):
        assert tuner.curve(sigma) == pytest.approx(0.1 * sigma, rel=1e-4)
    tuner = a_tuner(replace(RECIPE, sigma_high=RECIPE.sigma_low))
    assert math.isfinite(gains(tuner, 2)[-1])
