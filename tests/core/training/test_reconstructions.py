"""What a critic of whole pictures is trained between: clean pictures, and reconstructions without a prior."""

from statistics import mean

import numpy as np
import pytest
import torch
from torch import Tensor

from alr_cli.core.operators.geometry import Geometry
from alr_cli.core.operators.ray import RayTransform
from alr_cli.core.priors.global_critic import GlobalArchitecture
from alr_cli.core.tomography import usual_range
from alr_cli.core.training.adversarial import Recipe
from alr_cli.core.training.reconstructions import (
    GlobalTrainer,
    MeasuredSlices,
    Reconstructions,
    measured_slice,
    scan_of,
)

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


def test_measured_slices_are_scaled_to_the_clean_pictures_and_drawn_independently() -> None:
    scan, clean = RayTransform(Geometry((SIDE, SIDE), tuple(np.pi * np.arange(24) / 24), 47)), 0.54 * disks()
    y = 30 * scan.forward(clean[4, 0]).numpy()
    y += np.random.default_rng(0).normal(0, 15.0, y.shape).astype(np.float32)
    found, level = measured_slice(y, SIDE)
    assert float((found - clean[4, 0]).square().mean().sqrt()) < 0.25
    per_pixel = 15.0 * scan.per_pixel().scale / usual_range(y, scan.geometry)
    assert level == pytest.approx(per_pixel, rel=0.2)
    source = MeasuredSlices(clean[:1], found[None, None])
    batch = source.batch(3, torch.Generator().manual_seed(0))
    assert source.scanned and batch.length is None
    assert torch.allclose(batch.clean, clean[:1].expand(3, -1, -1, -1))
    assert torch.allclose(batch.noisy.mean((1, 2, 3)), found.mean())
