"""Restoring a few crops, which gives the number that training logs and calibration maximises."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from alr_cli.core import problems
from alr_cli.core.numerics import devices
from alr_cli.core.training.calibration import psnr
from alr_cli.core.training.validation import Validation
from tests.conftest import scene
from tests.core.toys import a_critic, deep, smoothness_critic


def clean_pictures(count: int = 3, channels: int = 1) -> list[np.ndarray]:
    return [scene(30 + n, 40 - n, channels, sigma=0.0) for n in range(count)]


def a_validation(channels: int = 1, solver: str = "adam") -> Validation:
    return Validation.from_pictures(
        clean_pictures(2, channels), count=2, side=24, per_picture=1, solver=solver
    )


@pytest.mark.parametrize(
    ("count", "side", "per_picture", "expected"),
    [(2, 24, 1, (2, 24)), (8, 24, 3, (9, 24)), (3, 160, 2, (6, 30))],
)
def test_crops_come_from_inside_pictures_spread_over_the_folder(
    count: int, side: int, per_picture: int, expected: tuple[int, int]
) -> None:
    pictures = clean_pictures()
    validation = Validation.from_pictures(pictures, count, side, per_picture)
    number, size = expected
    assert validation.clean.shape == validation.noise.shape == (number, 1, size, size)
    for index, crop in enumerate(validation.clean[:, 0].numpy()):
        picture = pictures[index // per_picture * len(pictures) // min(count, len(pictures))][..., 0]
        places = np.lib.stride_tricks.sliding_window_view(picture, (size, size))
        assert (places == crop).all(axis=(2, 3)).any()


def test_the_crops_of_one_picture_share_one_psnr() -> None:
    noise = torch.cat([torch.full((1, 1, 20, 20), level) for level in (0.1, 0.3, 0.2, 0.2)])
    validation = Validation(torch.full_like(noise, 0.5), noise, per_picture=2)
    first, second = -10 * math.log10((0.01 + 0.09) / 2), -10 * math.log10(0.04)
    # At lambda = 0 the observation itself is the answer.
    quality = validation.quality(deep(smoothness_critic()), 1.0, 0.0)
    assert quality == pytest.approx((first + second) / 2, abs=1e-3)


def test_the_noise_is_always_the_same_and_of_unit_size() -> None:
    first, again = a_validation(), a_validation()
    assert torch.equal(first.noise, again.noise)
    assert float(first.noise.std()) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sigma", [0.05, 0.2])
def test_lunz_rule_balances_the_gradients_at_the_truth(sigma: float, channels: int) -> None:
    validation, critic = a_validation(channels), a_critic(channels)
    lam = validation.balance(deep(critic), sigma)
    x = problems.extend(validation.clean, 14).requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(x).sum() / 24**2, x)
    data = 2 * sigma * validation.noise / (24**2 * channels)
    assert lam == pytest.approx(float(data.norm() / gradient[..., 14:-14, 14:-14].norm()), rel=1e-4)


def test_a_critic_that_measures_roughness_denoises() -> None:
    validation, critic = a_validation(), deep(smoothness_critic())
    noisy = float(psnr(validation.clean + 0.1 * validation.noise, validation.clean).mean())
    curve = validation.fit(critic, [0.1])
    lam = curve.points[0][1]
    best = validation.quality(critic, 0.1, lam)
    assert best > noisy + 5
    assert best > validation.quality(critic, 0.1, lam / 2)
    assert best > validation.quality(critic, 0.1, lam * 2)


def test_lambda_0_returns_the_noisy_picture() -> None:
    validation, critic = a_validation(solver="nmapg"), deep(smoothness_critic())
    restored = validation.restore(critic, 0.1, 0.0)
    assert restored is not None
    torch.testing.assert_close(restored, validation.clean + 0.1 * validation.noise, atol=1e-4, rtol=0)


def test_a_descent_that_blows_up_has_the_worst_quality() -> None:
    critic = smoothness_critic()
    critic.layers[-1].weight.data.fill_(torch.inf)
    assert a_validation().restore(deep(critic), 0.1, 1.0) is None
    assert a_validation().quality(deep(critic), 0.1, 1.0) == -math.inf


@pytest.mark.parametrize(("native", "precision"), [(True, torch.bfloat16), (False, torch.float32)])
def test_it_moves_to_a_device_and_takes_the_precision_that_is_usual_there(
    monkeypatch: pytest.MonkeyPatch, native: bool, precision: torch.dtype
) -> None:
    monkeypatch.setattr(devices, "has_fast_bfloat16", lambda device: native)
    validation = Validation(torch.zeros(1, 1, 20, 20), torch.ones(1, 1, 20, 20), "gd")
    moved = validation.to(torch.device("cpu"))
    assert isinstance(moved.clean, Tensor)
    assert (moved.solver, moved.precision) == ("gd", precision)
