"""What a critic of whole pictures is trained between: clean pictures, and reconstructions without a prior."""

from statistics import mean

import torch
from torch import Tensor

from alr_cli.core.priors.global_critic import GlobalArchitecture
from alr_cli.core.training.adversarial import Recipe
from alr_cli.core.training.reconstructions import GlobalTrainer, Reconstructions, scan_of

SIDE = 32
RECIPE = Recipe(
    iterations=70,
    batch_size=8,
    lr=3e-3,
    lr_final=3e-3,
    one_sided=True,
    mu=20.0,
    sigma_low=0.1,
    sigma_high=0.1,
)


def disks() -> Tensor:
    """(12, 1, 32, 32): disks of different sizes."""
    axis = torch.arange(SIDE) - (SIDE - 1) / 2
    squared = axis.square() + axis[:, None].square()
    return torch.stack([(squared < (4 + 0.7 * k) ** 2).float() for k in range(12)])[:, None]


def test_a_reconstruction_shows_the_picture_with_artefacts() -> None:
    source = Reconstructions(disks()[5:6], RECIPE, scan_of(SIDE, 30))
    batch = source.batch(2, torch.Generator().manual_seed(0))
    error = (batch.noisy - batch.clean).square().mean(dim=(1, 2, 3)).sqrt()
    assert batch.noisy.shape == batch.clean.shape == (2, 1, SIDE, SIDE)
    assert ((error > 0.02) & (error < 0.3)).all()
    assert not torch.equal(batch.noisy[0], batch.noisy[1])


def test_a_share_of_the_artefacts_is_between_the_picture_and_its_reconstruction() -> None:
    picture, scan = disks()[5:6], scan_of(SIDE, 30)
    whole, part = (Reconstructions(picture, RECIPE, scan, least) for least in (1.0, 0.1))
    full, shared = (each.batch(40, torch.Generator().manual_seed(0)) for each in (whole, part))
    assert full.length is not None and shared.length is not None
    share = shared.length / full.length.mean()
    assert 0.08 < float(share.min()) < 0.2 and 0.7 < float(share.max()) < 1.3
    distance = (shared.noisy - picture).flatten(1).norm(dim=1)  # the disk looks alike in all orientations
    assert torch.allclose(distance, shared.length, rtol=1e-4)


def test_without_a_scan_the_pictures_have_white_noise_of_the_level() -> None:
    batch = Reconstructions(torch.zeros(1, 1, 64, 64), RECIPE).batch(4, torch.Generator().manual_seed(0))
    assert abs(float(batch.noisy.std()) - 0.1) < 0.005


def test_training_tells_reconstructions_from_clean_pictures_with_short_gradients() -> None:
    source = Reconstructions(disks(), RECIPE, scan_of(SIDE, 12))
    trainer = GlobalTrainer(GlobalArchitecture(SIDE, 1, 4), RECIPE, source)
    steps = []
    while not trainer.done:
        steps.append(trainer.step().measures)
    distances = [step["wasserstein"] for step in steps]
    assert mean(distances[-15:]) > mean(distances[:5]) + 0.4
    assert mean(step["gradient_norm"] for step in steps[-15:]) < 1.2
