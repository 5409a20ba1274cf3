from pathlib import Path

import pytest
import torch

from alr_cli.core.data_terms import SquaredError
from alr_cli.core.energy import Energy
from alr_cli.core.operators.pixels import Identity
from alr_cli.core.priors.global_critic import SHIFTS, GlobalArchitecture, GlobalCritic, GlobalPrior
from alr_cli.core.priors.orientations import turned
from alr_cli.errors import WeightsError

SMALL = GlobalArchitecture(side=32, width=2)


def prior() -> GlobalPrior:
    return GlobalPrior(GlobalCritic(SMALL, torch.Generator().manual_seed(0)), (0.01, 0.1), lambda s: 3 * s)


def test_the_gradient_is_that_of_the_value() -> None:
    regularizer = prior().at(0.1)
    x, v = torch.rand(2, 2, 1, 32, 32, generator=torch.Generator().manual_seed(1)).double()
    regularizer.critic.double()
    value, gradient = regularizer.value_and_grad(x)
    ahead, _ = regularizer.value_and_grad(x + 1e-6 * v)
    behind, _ = regularizer.value_and_grad(x - 1e-6 * v)
    slope = (gradient.double() * v).sum((1, 2, 3))
    assert torch.allclose(
        (ahead - behind).double() / 2e-6, slope, rtol=0.05, atol=2e-2 * float(slope.abs().max())
    )
    assert value.shape == (2,)


def test_in_an_energy_it_is_the_papers_objective() -> None:
    """N^2 E = ||x - y||^2 + lam Psi(x) with lam = 2 E||e|| = 2 sigma N, for a picture without orientation."""
    critic = prior()
    x, y = torch.full((1, 1, 32, 32), 0.3), torch.rand(1, 1, 32, 32)
    sigma = 0.1
    energy = Energy(Identity((32, 32)), SquaredError(y), critic.at(sigma), 2 * sigma, 32 * 32)
    terms, _ = energy.value_and_grad(x)
    with torch.no_grad():
        paper = float((x - y).square().sum() + 2 * sigma * 32 * critic.network(x))
    assert float(terms.energy) * 32 * 32 == pytest.approx(paper, rel=1e-4)


def test_it_is_the_mean_over_the_orientations_of_shifted_pictures() -> None:
    x, critic = torch.zeros(1, 1, 32, 32), prior()
    x[..., 8:24, 8:24] = torch.rand(16, 16, generator=torch.Generator().manual_seed(1))
    value, _ = critic.at(0.1).value_and_grad(x)
    with torch.no_grad():
        views = [torch.roll(x, (2 - top, 2 - left), (-2, -1)) for top, left in SHIFTS]
        scores = [float(critic.network(turned(view, side))) for side, view in enumerate(views)]
    assert float(value) == pytest.approx(32 * sum(scores) / 8, rel=1e-4)
    assert max(scores) - min(scores) > 0.01 and len(set(SHIFTS)) == 8


@pytest.mark.parametrize("shape", [(32, 48), (16, 16)])
def test_another_size_is_refused_in_a_sentence(shape: tuple[int, int]) -> None:
    with pytest.raises(WeightsError, match="whole pictures of 32 x 32 pixels and not of"):
        prior().at(0.1).value_and_grad(torch.zeros(1, 1, *shape))


@pytest.mark.parametrize("wrong", [{"side": 40}, {"side": 2048}, {"channels": 2}, {"width": 0}])
def test_impossible_critics_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        GlobalArchitecture(**wrong)


def test_it_goes_through_a_weights_file(tmp_path: Path) -> None:
    from alr_cli.files.weights import load_weights, save_weights

    path = tmp_path / "global.safetensors"
    metadata = {"sigma_range": [0.01, 0.1], "lam": [[0.01, 0.03], [0.1, 0.3]]}
    critic = prior()
    save_weights(path, critic, metadata)
    x = torch.rand(1, 1, 32, 32)
    loaded = load_weights(str(path))
    assert torch.equal(loaded.prior.at(0.1).value_and_grad(x)[1], critic.at(0.1).value_and_grad(x)[1])
    assert loaded.prior.margin == 0 and loaded.lam(0.1) == pytest.approx(0.3)
