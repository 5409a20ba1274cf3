"""Training a network to remove the artefacts of filtered backprojection."""

import torch

from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.core.training.denoising import DenoisingRecipe
from alr_cli.core.training.postprocessing import Backprojections, PostProcessorTrainer
from alr_cli.core.training.reconstructions import scan_of
from tests.core.training.test_reconstructions import SIDE, disks

RECIPE = DenoisingRecipe(
    iterations=400,
    batch_size=4,
    patch=SIDE,
    gradient=False,
    lr=2e-2,
    lr_ends=1e-2,
    warm_up=20,
    fall=200,
    ema=0.9,
    sigma_low=0.1,
    sigma_high=0.1,
)


def trainer() -> PostProcessorTrainer:
    start = UNet(UNetArchitecture(1, (8, 12), (1, 1)), torch.Generator().manual_seed(0))
    return PostProcessorTrainer(start, RECIPE, Backprojections(disks(), scan_of(SIDE, 12)))


def test_artefacts_are_what_backprojections_show_in_addition() -> None:
    source = Backprojections(disks(), scan_of(SIDE, 12))
    pair = source.draw(RECIPE, torch.Generator().manual_seed(0))
    error = (pair.noise * pair.sigma).square().mean((1, 2, 3)).sqrt()
    assert pair.clean.shape == (4, 1, SIDE, SIDE) and ((error > 0.02) & (error < 0.3)).all()
    assert set(pair.clean.unique().tolist()) == {0.0, 1.0}


def test_the_trained_network_removes_part_of_the_error_of_other_noise() -> None:
    training = trainer()
    while not training.done:
        training.step()
    clean, source = disks()[3:7], Backprojections(disks(), scan_of(SIDE, 12))
    rough = source.measured(clean, torch.full((4, 1, 1, 1), 0.1), torch.Generator().manual_seed(9))
    restored = training.trained().at(0.1).denoise(rough)
    assert float((restored - clean).norm()) < 0.6 * float((rough - clean).norm())


def test_a_training_that_is_resumed_gives_the_same_network() -> None:
    straight, resumed = trainer(), trainer()
    for _ in range(4):
        straight.step()
    resumed.step(), resumed.step()
    again = trainer()
    again.restore_state(resumed.state())
    again.step(), again.step()
    assert again.step_count == 4 and all(
        torch.equal(a, b) for a, b in zip(straight.state().values(), again.state().values(), strict=True)
    )
