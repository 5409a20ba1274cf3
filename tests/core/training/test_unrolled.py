"""Training an unrolled descent: it learns, starts from what it is given, and resumes exactly."""

from dataclasses import replace

import pytest
import torch

from alr_cli.core.priors.slope import Slope
from alr_cli.core.priors.unet import UNet
from alr_cli.core.training.denoising import CropSource
from alr_cli.core.training.unrolled import UnrolledRecipe, UnrolledTrainer
from tests.core.training.test_denoising import SMALL, pictures

RECIPE = UnrolledRecipe(
    "upscale:2",
    iterations=30,
    unroll=2,
    batch_size=4,
    patch=16,
    warm_up=2,
    fall=10,
    lr=0.05,
    lr_ends=0.01,
    ema=0.9,
    sigma_low=0.08,
    sigma_high=0.1,
)
BLUR = "deblur:gaussian:5:1"


def start(explicit: bool = False) -> Slope:
    return Slope(UNet(SMALL, torch.Generator().manual_seed(0)), explicit, 0.1)


def trainer(recipe: UnrolledRecipe = RECIPE, explicit: bool = False) -> UnrolledTrainer:
    return UnrolledTrainer(start(explicit), recipe, CropSource([pictures()], recipe.patch))


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("task", ["upscale:2", BLUR])
def test_the_result_of_all_steps_becomes_better(task: str, explicit: bool) -> None:
    one = trainer(replace(RECIPE, task=task, iterations=50), explicit)
    clean = one.source.draw(replace(RECIPE, batch_size=16).crops, torch.Generator().manual_seed(5)).clean
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(6))
    sizes = one.learner.network.log_sizes.detach().clone()
    start, before = one.quality(clean, noise, 0.09)
    while not one.done:
        one.step()
    assert one.quality(clean, noise, 0.09)[1] > max(start, before) + 1
    assert not torch.equal(one.learner.network.log_sizes, sizes)


def test_the_first_steps_are_as_long_as_the_operator_allows() -> None:
    network = trainer().learner.network
    norm = trainer().task.problem(torch.zeros(1, 1, 8, 8), 0, 0.0).operator.norm
    torch.testing.assert_close(network.log_sizes.exp(), torch.full((2,), norm**-2))
    assert len(set(network.log_weights.tolist())) == 1


def test_a_network_that_gives_no_numbers_begins_all_the_same() -> None:
    broken = start()
    torch.nn.init.constant_(broken.unet.tail, float("nan"))
    one = UnrolledTrainer(broken, RECIPE, CropSource([pictures()], RECIPE.patch))
    assert bool(torch.isfinite(one.learner.network.log_weights).all())


@pytest.mark.parametrize("change", [{}, {"task": BLUR}, {"bfloat16": True}])
def test_stopping_and_resuming_changes_not_a_single_bit(change: dict[str, str | bool]) -> None:
    recipe = replace(RECIPE, **change)  # type: ignore[arg-type]  # of mixed types
    straight, killed, resumed = trainer(recipe), trainer(recipe), trainer(recipe)
    for one, steps in ((straight, 12), (killed, 5)):
        for _ in range(steps):
            one.step()
    resumed.restore_state(killed.state())
    for _ in range(7):
        resumed.step()
    expected, found = straight.state(), resumed.state()
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name


def test_the_start_is_not_modified() -> None:
    begin = start()
    before = {name: value.clone() for name, value in begin.unet.state_dict().items()}
    UnrolledTrainer(begin, RECIPE, CropSource([pictures()], RECIPE.patch)).step()
    assert all(torch.equal(value, before[name]) for name, value in begin.unet.state_dict().items())


def test_the_prior_knows_its_task_and_its_levels() -> None:
    prior = trainer().trained()
    assert (prior.task, prior.sigma_range, prior.lam(0.05)) == ("upscale:2", (0.08, 0.1), 2.0)


def test_the_quality_is_that_of_the_start_and_of_the_result() -> None:
    clean = torch.rand(2, 1, 21, 18, generator=torch.Generator().manual_seed(0))
    before, after = trainer().quality(clean, torch.zeros_like(clean), 0.0)
    assert before != after
    assert trainer().quality(clean, torch.randn_like(clean), 0.3)[0] < before
