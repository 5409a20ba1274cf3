"""Glow: f and its inverse, its log-determinant compared with autograd, and the value of its
initialisation."""

import math

import pytest
import torch

from alr_cli.core.priors.glow import Glow, GlowArchitecture
from tests.core.flows import TINY, a_flow, waves


@pytest.mark.parametrize(
    "architecture",
    [
        TINY,
        GlowArchitecture(3, 16, 3, 3, 8),
        GlowArchitecture(3, 12, 2, 1, 5),
        GlowArchitecture(1, 4, 1, 2, 3),
    ],
)
def test_the_inverse_brings_every_picture_back(architecture: GlowArchitecture) -> None:
    flow = a_flow(architecture)
    x = waves(3, architecture, torch.Generator().manual_seed(9))
    z, _ = flow(x)
    assert z.shape == (3, architecture.dimensions)
    assert (flow.inverse(z) - x).abs().max() < 1e-4
    assert (flow.double().inverse(flow(x.double())[0]) - x).abs().max() < 1e-11


@pytest.mark.parametrize("seed", range(3))
def test_the_log_determinant_is_that_of_the_jacobian(seed: int) -> None:
    flow = a_flow(seed=seed).double()
    x = torch.rand(1, 1, 8, 8, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda x: flow(x)[0], x).reshape(64, 64)
    # The density is one of v = (255 x + u) / 256.
    expected = torch.linalg.slogdet(jacobian)[1] - 64 * math.log(255 / 256)
    assert abs(float(flow(x)[1] - expected)) < 1e-9


def test_no_flow_codes_uniform_noise_in_less_than_eight_bits() -> None:
    x = (torch.randint(256, (200, 1, 8, 8)).float() + torch.rand(200, 1, 8, 8) - 0.5) / 255
    assert a_flow().bits_per_dimension(x).mean() > 8.0


def test_each_picture_of_a_batch_gets_what_it_would_get_alone() -> None:
    flow, x = a_flow(), torch.rand(3, 1, 8, 8)
    torch.testing.assert_close(
        flow.log_likelihood(x), torch.cat([flow.log_likelihood(part) for part in x.split(1)])
    )


def test_initialised_on_pictures_it_knows_them_better_than_a_gaussian_of_each_pixel() -> None:
    random = torch.Generator().manual_seed(3)
    architecture = GlowArchitecture(1, 8, 2, 4, 4)
    pictures, others = (waves(400, architecture, random) for _ in range(2))
    flow = Glow(architecture, random)
    flow.initialise(pictures)
    deviation, mean = torch.std_mean(pictures, dim=0)
    pixelwise = torch.distributions.Normal(mean, deviation).log_prob(others).mean() - math.log(256 / 255)
    assert flow.bits_per_dimension(others).mean() < 8 - float(pixelwise) / math.log(2) - 1.0


def test_a_flow_in_bfloat16_is_close_to_the_one_in_float32() -> None:
    flow, x = a_flow(), waves(2, TINY, torch.Generator().manual_seed(9))
    exact = flow.bits_per_dimension(x)
    flow.run_shifts_in_bfloat16(True)
    assert 0 < (flow.bits_per_dimension(x) - exact).abs().max() < 0.05


@pytest.mark.parametrize(
    "wrong",
    [{"channels": 2}, {"size": 20}, {"size": 2}, {"levels": 0}, {"steps": 0}, {"width": 0}, {"size": 4096}],
)
def test_an_impossible_flow_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="flow"):
        GlowArchitecture(**wrong)
