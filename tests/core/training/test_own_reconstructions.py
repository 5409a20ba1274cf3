"""A critic that is trained on slices which it reconstructs itself."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from alr_cli.core.defaults import choose
from alr_cli.core.energy import Energy
from alr_cli.core.priors.global_critic import GlobalArchitecture, GlobalCritic, GlobalPrior
from alr_cli.core.solvers import solve
from alr_cli.core.solvers.splitting import Splitting
from alr_cli.core.training.adversarial import Recipe
from alr_cli.core.training.own_reconstructions import OwnReconstructions
from alr_cli.core.training.reconstructions import GlobalTrainer, Reconstructions, scan_of

SIDE = 16
ARCHITECTURE = GlobalArchitecture(SIDE, 1, 2)
RECIPE = Recipe(
    iterations=12,
    batch_size=4,
    lr=1e-3,
    one_sided=True,
    mu=20.0,
    normalise=True,
    ema=0.9,
    sigma_low=0.1,
    sigma_high=0.2,
)
STRENGTH = 1.5


def squares() -> Tensor:
    """(8, 1, 16, 16): squares of different sizes."""
    slices = torch.zeros(8, 1, SIDE, SIDE)
    for number, slice in enumerate(slices):
        slice[..., 2 : 7 + number, 3 : 8 + number] = 0.7
    return slices


def source(share: float = 1.0, recipe: Recipe = RECIPE) -> OwnReconstructions:
    return OwnReconstructions(Reconstructions(squares(), recipe, scan_of(SIDE, 8), 0.1, STRENGTH), share)


def trainer(share: float = 0.7, recipe: Recipe = RECIPE) -> GlobalTrainer:
    return GlobalTrainer(ARCHITECTURE, recipe, source(share, recipe))


def following() -> OwnReconstructions:
    """A source that follows a random critic."""
    own = source()
    own.follow(GlobalCritic(ARCHITECTURE, torch.Generator().manual_seed(0)))
    return own


def misfit(own: OwnReconstructions) -> Tensor:
    return (own.scan.observe(own.pool["x"]) - own.pool["y"]).square().mean(dim=(1, 2, 3))


def test_a_run_that_is_stopped_continues_exactly_with_its_pool() -> None:
    straight, stopped, resumed = trainer(), trainer(), trainer(recipe=replace(RECIPE, seed=5))
    expected = [straight.step() for _ in range(12)]
    for _ in range(7):
        stopped.step()
    resumed.restore_state(stopped.state())
    assert [resumed.step() for _ in range(5)] == expected[7:]
    state, found = straight.state(), resumed.state()
    assert state.keys() == found.keys() and "source.x" in state
    assert [name for name in state if not torch.equal(state[name], found[name])] == []


def test_a_state_is_a_snapshot_of_the_pool() -> None:
    one = trainer(1.0)
    one.step()
    state = one.state()
    ages = state["source.age"].clone()
    for _ in range(4):
        one.step()
    assert torch.equal(state["source.age"], ages)
    assert not torch.equal(one.state()["source.age"], ages)


@pytest.mark.parametrize("name", ["x", "clean", "y", "sigma", "age"])
def test_a_state_without_the_whole_pool_is_refused(name: str) -> None:
    state = trainer().state()
    with pytest.raises((KeyError, ValueError)):
        trainer().restore_state({key: value for key, value in state.items() if key != f"source.{name}"})
    with pytest.raises((KeyError, ValueError)):
        trainer().restore_state(state | {f"source.{name}": torch.zeros(3)})


def test_the_weights_say_how_the_critic_was_trained_and_lambda_has_the_strength() -> None:
    own, usual = trainer(), GlobalTrainer(ARCHITECTURE, RECIPE, source().simulated)
    assert own.trained().own and not usual.trained().own
    assert own.curve is not None
    assert [sigma for sigma, _ in own.curve.points] == [0.1, 0.2]
    assert [lam for _, lam in own.curve.points] == pytest.approx([0.2 * STRENGTH, 0.4 * STRENGTH])


def test_a_training_begins_with_the_critic_that_is_given() -> None:
    first = GlobalCritic(ARCHITECTURE, torch.Generator().manual_seed(9))
    begun = GlobalTrainer(ARCHITECTURE, RECIPE, source(), first=first)
    weights = begun.trained().network.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in first.state_dict().items())
    begun.step()
    assert not torch.equal(first.scores[2].weight, begun.critic.scores[2].weight)


def test_reconstructions_approach_their_measurements() -> None:
    own, random = following(), torch.Generator().manual_seed(1)
    own._begin(torch.arange(len(own.pool["age"])), random)
    before = misfit(own)
    for _ in range(30):
        own.batch(RECIPE.batch_size, random)
    old = own.pool["age"] > 4
    assert int(old.sum()) > 5
    assert (misfit(own)[old] < before[old]).float().mean() > 0.8


def test_every_reconstruction_ages_until_it_begins_anew() -> None:
    own, random = following(), torch.Generator().manual_seed(1)
    ages = []
    for _ in range(150):
        batch = own.batch(RECIPE.batch_size, random)
        assert batch.noisy.shape == batch.clean.shape == (4, 1, SIDE, SIDE)
        assert batch.length is not None and (batch.length > 0).all()
        ages.append(own.pool["age"].clone())
    age = torch.stack(ages)
    assert set(age.unique().tolist()) <= {-1, *range(2, 200, 2)}
    assert float(age.amax()) > 20 and (age[-1] < 120).all()
    assert ((age[1:] == -1) & (age[:-1] > 0)).any() and ((age[1:] == 2) & (age[:-1] == -1)).any()


def test_a_share_of_the_minibatches_shows_backprojections() -> None:
    own, random = source(0.25), torch.Generator().manual_seed(1)
    own.follow(GlobalCritic(ARCHITECTURE, random))
    visits = 0
    for _ in range(80):
        before = own.pool["age"].clone()
        own.batch(4, random)
        visits += not torch.equal(own.pool["age"], before)
    assert 8 < visits < 35


def test_a_reconstruction_descends_by_the_steps_of_the_training() -> None:
    """`choose` gives the same path that the training takes if it sees the views in turn."""
    own = following()
    own._begin(torch.arange(2), torch.Generator().manual_seed(1))
    assert own._critic is not None
    pool = {name: value[:1] for name, value in own.pool.items()}
    sigma = pool["sigma"].flatten()
    lam = 2 * STRENGTH * float(sigma)
    regularizer = GlobalPrior(own._critic, (0.1, 0.2), lambda sigma: 2 * sigma, True).at(float(sigma))
    problem = own.scan.problem(pool["y"], 0, float(sigma))
    solver = choose(regularizer, problem, lam, float(sigma))
    assert isinstance(solver, Splitting)
    solver = replace(solver, way=solver.way[:11])
    found = solve(Energy.of(problem, regularizer, lam), problem.start, solver).x
    x = pool["x"]
    for age in range(11):
        x = own.advanced(x, pool["y"], sigma, torch.tensor([age]), age % 8)
    assert torch.allclose(x, found, atol=1e-5)


def test_only_scans_are_reconstructed() -> None:
    with pytest.raises(ValueError, match="only scans"):
        OwnReconstructions(Reconstructions(squares(), RECIPE), 0.5)
    with pytest.raises(ValueError, match="no critic"):
        source().batch(4, torch.Generator())
