"""Bilevel tuning of fields of experts: its gradient, its minimisers, and exact resuming."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from alr_cli.core import defaults, problems
from alr_cli.core.data_terms import SquaredError
from alr_cli.core.energy import Energy
from alr_cli.core.priors.experts import Experts, ExpertsArchitecture, ExpertsPrior
from alr_cli.core.priors.local import LocalRegularizer
from alr_cli.core.solver_options import SolverOptions
from alr_cli.core.solvers.base import solve
from alr_cli.core.training import bilevel, crops
from alr_cli.core.training import implicit as local_energy
from alr_cli.core.training.bilevel import Tuner, TuningRecipe
from alr_cli.core.training.crops import Case
from alr_cli.core.training.implicit import Local
from alr_cli.core.training.patches import PatchSource
from tests.core.energies import solver

RECIPE = TuningRecipe(iterations=60, batch_size=2, side=22, sigma_low=0.05, sigma_high=0.2, ema=0.9)
EAGER = replace(RECIPE, iterations=20, visits=1000, lr=6e-2, lr_final=2e-2, ema=0.8)
STILL = replace(RECIPE, lr=1e-9, lr_final=1e-9, visits=200)


@pytest.fixture
def short_descents(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few solver steps, for tests where cases need not be close to their minimisers."""
    monkeypatch.setattr(bilevel, "_POOL", 3)
    monkeypatch.setattr(crops, "_FIRST_STEPS", (2, 4))
    monkeypatch.setattr(crops, "_FIRST_STEPS_HOLES", (3, 5))


@pytest.fixture
def two_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same two cases in every step, so that few steps suffice."""
    monkeypatch.setattr(bilevel, "_POOL", 2)
    monkeypatch.setattr(crops, "_VISITS_HOLES", 1000)
    monkeypatch.setattr(crops, "_FIRST_STEPS_HOLES", (40, 60))


def stripes(channels: int = 1) -> PatchSource:
    rows = np.arange(64)[:, None, None] // 8 % 2 * np.ones((1, 64, channels))
    return PatchSource([(0.25 + 0.5 * rows).astype(np.float32)], RECIPE.side)


def a_tuner(recipe: TuningRecipe = RECIPE, channels: int = 1) -> Tuner:
    critic = Experts(ExpertsArchitecture(channels, fine=32, coarse=8, coarser=0 if channels == 1 else 4))
    return Tuner(critic, critic.usual_lam, recipe, stripes(channels))


def gains(tuner: Tuner, steps: int) -> list[float]:
    return [tuner.step().measures["gain"] for _ in range(steps)]


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def settled(holes: float = 0.0) -> tuple[Tuner, Case, Local]:
    """A case that a tuner without changes visited often."""
    tuner = copy.deepcopy(_settled(holes))
    case = tuner.pool[0]
    return tuner, case, tuner._local(case)


@cache
def _settled(holes: float) -> Tuner:
    tuner = a_tuner(replace(STILL, holes=holes, batch_size=1 if holes else 2))
    gains(tuner, 1)
    case = tuner.pool[0]
    tuner.pool = [case] * 8
    case.visits.fill_(10_000)
    for _ in range(60 if holes else 40):
        gains(tuner, 1)
        tuner.step_count = 1  # the same grid of patches
    return tuner


@pytest.mark.usefixtures("two_cases")
@pytest.mark.parametrize("channels", [1, 3])
def test_tuning_makes_the_minimisers_better_pictures(channels: int) -> None:
    measured = gains(a_tuner(EAGER, channels), 20)
    assert np.mean(measured[-2:]) > np.mean(measured[:2]) + 0.3


def error_of_filling(prior: ExpertsPrior) -> float:
    """Mean squared error for stripes of which 70 % of the pixels are missing."""
    clean = stripes().sample(2, torch.Generator().manual_seed(5))
    missing = torch.rand(clean.shape[-2:], generator=torch.Generator().manual_seed(6)) < 0.7
    problem = problems.inpainting(clean, missing, prior.margin, exact=True)
    regularizer = LocalRegularizer(prior.network)
    solution = defaults.minimise(
        problem, SquaredError(problem.y), regularizer, 1.0, 0.0, SolverOptions("fourier", 100)
    )
    return float((problem.crop(solution.x) - clean).square().mean())


@pytest.mark.usefixtures("two_cases")
def test_tuning_with_holes_makes_fillings_better_pictures() -> None:
    tuner = a_tuner(replace(EAGER, holes=1.0))
    before = error_of_filling(tuner.trained())
    gains(tuner, 20)
    assert tuner.curve(0.1) == pytest.approx(tuner.critic.usual_lam(0.1), rel=1e-5)
    assert error_of_filling(tuner.trained()) < 0.8 * before


@pytest.mark.usefixtures("short_descents")
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("at", [1, 5])
def test_a_resumed_tuning_is_the_same_bit_for_bit(at: int, channels: int) -> None:
    recipe = replace(RECIPE, visits=2, holes=0.5)
    whole, first, second = (a_tuner(recipe, channels) for _ in range(3))
    gains(whole, 7)
    gains(first, at)
    second.restore_state(first.state())
    gains(second, 7 - at)
    assert same(whole.state(), second.state())


@pytest.mark.usefixtures("short_descents")
@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state.pop("step"),
        lambda state: state.pop("pool.0.x"),
        lambda state: state.update({"learned.log_lam": torch.zeros(2)}),
        lambda state: state.update({"average.fine": torch.zeros(1)}),
    ],
)
def test_a_state_that_does_not_fit_is_refused(damage: Callable[[dict[str, Tensor]], object]) -> None:
    tuner = a_tuner()
    gains(tuner, 2)
    state = tuner.state()
    damage(state)
    with pytest.raises((KeyError, ValueError, RuntimeError)):
        a_tuner().restore_state(state)


def regularizer_of(tuner: Tuner, sigma: Tensor) -> list[tuple[LocalRegularizer, float]]:
    """The regularizer of `alr denoise` for each crop, and its lambda."""
    critic = tuner.trained().network
    levels = sigma.tolist()
    return [(LocalRegularizer(critic.at(level)), tuner.curve(level)) for level in levels]


def test_cases_converge_to_the_result_of_denoise() -> None:
    """Only approximately: a case uses one grid of patches at a time, and lambda is linear between its
    knots."""
    tuner, case, local = settled()
    for index, (regularizer, lam) in enumerate(regularizer_of(tuner, case.sigma)):
        y = case.y[index : index + 1]
        problem = local.problem
        energy = Energy(problem.operator, SquaredError(y), regularizer, lam, problem.pixels)
        found = solve(energy, case.x[index : index + 1], solver("nmapg", 100, tol=1e-6)).x
        moved = (problem.crop(found) - problem.crop(case.x[index : index + 1])).square().mean().sqrt()
        assert float(moved / case.sigma[index]) < 0.06


def scores_of(local: Local, x: Tensor) -> Tensor:
    """sum r(s x), (B,)."""
    seen = local._seen(x * local.contrast)
    scores = [
        (torch.log1p(bank.responses(bank.seen(seen)).square()).sum((2, 3)) * bank.weights).sum(1)
        for bank in local.banks
    ]
    return torch.stack(scores).sum(0)


def gradient_of(local: Local, x: Tensor) -> Tensor:
    """grad ( ||A x - y||^2 / 2 + f sum r(s x) ), by autograd."""
    leaf = x.detach().clone().requires_grad_(True)
    scores = scores_of(local, leaf)
    data = (local.problem.operator.forward(leaf) - local.y).square().sum((1, 2, 3)) / 2
    (gradient,) = torch.autograd.grad((data + local.factor.flatten() * scores).sum(), leaf, create_graph=True)
    return gradient


def test_the_product_with_the_hessian_is_the_second_derivative() -> None:
    _, case, local = settled()
    v = torch.randn(case.x.shape, generator=torch.Generator().manual_seed(1))
    step = 1e-3
    with torch.no_grad():
        inverses = local.inverses(case.x)
        quick = local.hessian([u * (2 * u - 1) for u in inverses])(v)
    ahead, behind = gradient_of(local, case.x + step * v), gradient_of(local, case.x - step * v)
    exact = (ahead - behind).detach() / (2 * step) + local_energy.DAMPING * v
    assert float((quick - exact).norm() / exact.norm()) < 0.01


def test_a_majorised_step_never_raises_the_energy() -> None:
    _, _, local = settled()

    def energy(x: Tensor) -> Tensor:
        scores = scores_of(local, x)
        data = (local.problem.operator.forward(x) - local.y).square().sum((1, 2, 3)) / 2
        return data + local.factor.flatten() * scores

    with torch.no_grad():
        x = local.problem.start
        energies = [energy(x)]
        for _ in range(12):
            x = local.majorised(x)
            energies.append(energy(x))
    assert all(bool((after <= before + 1e-4).all()) for before, after in pairwise(energies))
    assert bool((energies[-1] < 0.8 * energies[0]).all())


def test_the_adjoint_solves_its_equation() -> None:
    _, case, local = settled()
    s = torch.randn(case.x.shape, generator=torch.Generator().manual_seed(1)) * 1e-3
    s = local.problem.operator.adjoint(local.problem.crop(s))
    v = torch.zeros_like(s)
    with torch.no_grad():
        for _ in range(6):
            v = local.adjoint(case.x, s, v)
        inverses = local.inverses(case.x)
        residual = s - local.hessian([u * (2 * u - 1) for u in inverses])(v)
    assert float(residual.norm() / s.norm()) < 0.1


def test_a_diverging_adjoint_is_dropped() -> None:
    """Where E has negative curvature, conjugate gradients diverge. The other crop keeps its adjoint."""
    _, case, local = settled()
    s = torch.randn(case.x.shape, generator=torch.Generator().manual_seed(1)) * 1e-3
    s = local.problem.operator.adjoint(local.problem.crop(s))
    downwards = replace(local, factor=local.factor * torch.tensor([-1e4, 1.0]).reshape(2, 1, 1, 1))
    with torch.no_grad():
        v = downwards.adjoint(case.x, s, torch.zeros_like(s))
    assert not v[0].any()
    assert v[1].any()


def test_an_adjoint_may_be_long_for_a_flat_energy() -> None:
    """If pixels are held, only the prior has curvature. A tenth of it makes v ten times as long."""
    tuner = a_tuner(replace(STILL, holes=1.0))
    case = tuner._new_case()
    local = tuner._local(case)
    assert local.problem.free is not None
    s = torch.zeros_like(case.x)
    local.problem.crop(s).normal_(generator=torch.Generator().manual_seed(1))
    s *= local.problem.free
    flat = replace(local, factor=local.factor / 64)
    with torch.no_grad():
        nothing = torch.zeros_like(s)  # a flat picture, where E curves upwards everywhere
        short, long = (each.adjoint(nothing, s, nothing) for each in (local, flat))
    assert bool((long.flatten(1).norm(dim=1) > 5 * s.flatten(1).norm(dim=1)).all())
    torch.testing.assert_close(long / 64, short, rtol=1e-3, atol=1e-4 * float(short.abs().max()))


def test_the_sensitivity_is_the_derivative_of_the_gradient_along_the_adjoint() -> None:
    tuner, case, local = settled()
    quick = torch.autograd.grad(local.slope_along(case.x, case.adjoint).sum(), tuner.critic.fine)[0]
    local = tuner._local(case)
    whole = (case.adjoint * gradient_of(local, case.x)).sum()
    exact = torch.autograd.grad(whole, tuner.critic.fine)[0]
    torch.testing.assert_close(quick, exact, rtol=1e-3, atol=1e-3 * float(exact.abs().max()))


@pytest.mark.parametrize(
    ("name", "holes"),
    [("log_lam", 0.0), ("log_contrast", 0.0), ("log_fine", 0.0), ("log_fine", 1.0)],
)
def test_the_gradient_is_that_of_the_loss_at_the_minimiser(
    name: str, holes: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """d loss / d each parameter, compared with minimising again for another value."""
    monkeypatch.setattr(local_energy, "_HELD_DAMPING", 1e-5)
    tuner, case, local = settled(holes)
    tuner.optimiser.zero_grad()
    (-local.slope_along(case.x, case.adjoint).mean()).backward()  # type: ignore[no-untyped-call]
    parameter = tuner._learned()[name]
    assert parameter.grad is not None
    gradient = parameter.grad.clone()

    def loss(step: float) -> float:
        with torch.no_grad():
            parameter.add_(step * torch.sign(gradient))
            moved, x = tuner._local(case), case.x
            for _ in range(60):
                x = moved.majorised(x)
            parameter.sub_(step * torch.sign(gradient))
        error = moved.problem.crop(x) - case.clean
        return float(torch.log(error.square().mean((1, 2, 3)) + case.usual_error).mean())

    expected = (loss(0.02) - loss(-0.02)) / 0.04
    assert float(gradient.abs().sum()) == pytest.approx(expected, rel=0.1)


def test_the_learned_lambda_starts_as_that_of_the_critic() -> None:
    critic = Experts(ExpertsArchitecture(1, fine=4, coarse=2))
    tuner = Tuner(critic, lambda sigma: 0.1 * sigma, RECIPE, stripes())
    for sigma in (0.01, 0.05, 0.2):
        assert tuner.curve(sigma) == pytest.approx(0.1 * sigma, rel=1e-4)
