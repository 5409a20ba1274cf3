"""G and D: what they compute, sizes and blocks, the explicit variant, and descriptions that are refused."""

import pytest
import torch

from alr_cli.core import problems
from alr_cli.core.energy import Energy
from alr_cli.core.priors import blocks
from alr_cli.core.priors.glimpses import turned
from alr_cli.core.priors.gradient_network import SCALE, GradientNetwork, GradientPrior
from alr_cli.core.priors.protocol import Arithmetic
from alr_cli.core.priors.unet import UNet, UNetArchitecture

RANGE = (0.01, 0.2)
EXACT = Arithmetic(precision=torch.float64)


def prior(explicit: bool = False, channels: int = 1) -> GradientPrior:
    unets = [
        UNet(UNetArchitecture(channels, widths, (1, 1)), torch.Generator().manual_seed(seed)).double()
        for seed, widths in enumerate([(8, 12), (4, 8)])
    ]
    return GradientPrior(GradientNetwork(*unets, explicit=explicit), RANGE, lambda sigma: 2 / channels)


def random(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def seen(unet: UNet, z: torch.Tensor) -> torch.Tensor:
    return unet(z, torch.ones_like(z[:, :1]), torch.float64)[0]


def test_the_gradient_is_one_function_of_the_picture_times_the_variance() -> None:
    x, one = random(2, 3, 16, 24), prior(channels=3)
    expected = seen(one.network.gradient, x / SCALE) / SCALE
    for sigma in (0.0, 0.01, 0.2):
        value, gradient = one.at(sigma, EXACT).value_and_grad(x)
        assert value is None
        torch.testing.assert_close(gradient, sigma**2 * expected)


def test_the_proximal_map_is_the_denoiser_of_the_level_that_belongs_to_the_step() -> None:
    x, one = random(2, 1, 16, 24), prior()
    for sigma, step in ((0.05, 1.0), (0.05, 4.0), (0.1, 1.0)):
        level = sigma * step**0.5
        expected = x - level * seen(one.network.denoiser, x / level)
        torch.testing.assert_close(one.at(sigma, EXACT).prox(x, step), expected)
        torch.testing.assert_close(one.at(sigma, EXACT).denoise(x, step), expected)


def test_below_the_levels_of_training_the_picture_moves_less_and_without_noise_not_at_all() -> None:
    x, one = random(1, 1, 16, 16), prior()
    moved = [(one.at(sigma, EXACT).denoise(x) - x).abs().max() for sigma in (RANGE[0], RANGE[0] / 10, 0.0)]
    assert float(moved[1]) == pytest.approx(float(moved[0]) / 100)
    assert float(moved[2]) == 0.0


def test_the_explicit_variant_has_a_value_whose_slope_is_the_gradient() -> None:
    x, regularizer = random(2, 1, 15, 22), prior(explicit=True).at(0.05, EXACT)
    direction = random(2, 1, 15, 22).flip(-1) - 0.5
    _, gradient = regularizer.value_and_grad(x)
    ahead, behind = (regularizer.value_and_grad(x + t * direction)[0] for t in (1e-6, -1e-6))
    assert ahead is not None and behind is not None
    torch.testing.assert_close(
        (ahead - behind) / 2e-6, (gradient * direction).sum((1, 2, 3)), rtol=1e-5, atol=1e-7
    )


@pytest.mark.parametrize("shape", [(16, 16), (15, 22), (7, 5), (3, 3)])
def test_pictures_of_any_size_are_seen(shape: tuple[int, int]) -> None:
    x, regularizer = random(1, 1, *shape), prior().at(0.05, EXACT)
    assert regularizer.value_and_grad(x)[1].shape == x.shape
    assert bool(torch.isfinite(regularizer.denoise(x)).all())


@pytest.mark.parametrize("tile", [8, 24])
def test_blocks_that_see_far_enough_are_exact(tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    one, x = prior(), random(1, 1, 63, 70)
    monkeypatch.setattr(blocks, "HALO", one.network.denoiser.architecture.reach)
    whole, tiled = one.at(0.05, EXACT), one.at(0.05, Arithmetic(tile, torch.float64))
    torch.testing.assert_close(tiled.value_and_grad(x)[1], whole.value_and_grad(x)[1])
    torch.testing.assert_close(tiled.denoise(x), whole.denoise(x))


def test_in_turn_each_orientation_is_seen_once() -> None:
    x, regularizer = random(1, 1, 16, 24), prior().at(0.05, EXACT)
    flips = regularizer.glimpses(None)
    first = [flips.value_and_grad(x)[1] for _ in range(8)]
    torch.testing.assert_close(first[0], regularizer.value_and_grad(x)[1])
    torch.testing.assert_close(flips.value_and_grad(x)[1], first[0])
    assert len({round(float(gradient[0, 0, 0, 0]), 9) for gradient in first}) == 8
    other = turned(x, 5)
    again = regularizer.glimpses(None)
    mean = sum(again.value_and_grad(other)[1] for _ in range(8))
    torch.testing.assert_close(mean, turned(sum(first), 5))


def test_without_an_energy_there_is_only_the_size_of_the_gradient() -> None:
    y = random(1, 1, 16, 16)
    terms, _ = Energy.of(problems.denoising(y, 0), prior().at(0.05, EXACT), 2.0).value_and_grad(y)
    assert not terms.known and bool(terms.energy.isnan()) and float(terms.data) == 0.0
    expected = prior().at(0.05, EXACT).value_and_grad(y)[1].square().mean().sqrt()
    assert terms.slope is not None and float(terms.slope) == pytest.approx(float(expected))
    explicit = Energy.of(problems.denoising(y, 0), prior(explicit=True).at(0.05, EXACT), 2.0)
    terms, _ = explicit.value_and_grad(y)
    assert terms.known and terms.slope is None


def test_a_prior_is_what_its_description_says() -> None:
    one = prior(explicit=True)
    fields = dict(one.description)
    assert fields.pop("kind") == GradientPrior.kind
    built = GradientPrior.described(fields, one.sigma_range, one.lam)
    assert all(parameter.is_meta for parameter in built.network.parameters())
    built.network.load_state_dict(one.network.state_dict(), assign=True)
    x = random(1, 1, 8, 8)
    for given, again in zip(
        one.at(0.1, EXACT).value_and_grad(x), built.at(0.1, EXACT).value_and_grad(x), strict=True
    ):
        assert given is not None and again is not None and torch.equal(given, again)


SMALL = UNetArchitecture(1, (4, 8), (1, 1)).as_dict()
GOOD = {"denoiser": SMALL, "gradient": SMALL, "explicit": False, "channels": 1}


@pytest.mark.parametrize(
    "wrong",
    [
        {"denoiser": [1, 2]},
        {"denoiser": SMALL | {"widths": [10**9, 8]}},
        {"gradient": SMALL | {"widths": ["4", "8"]}},
        {"gradient": SMALL | {"channels": 3}},
        {"gradient": SMALL | {"nonsense": 1}},
        {"explicit": "yes"},
        {"third": SMALL},
        {"channels": 3},
    ],
)
def test_invalid_descriptions_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        GradientPrior.described({**GOOD, **wrong}, RANGE, lambda sigma: sigma)


@pytest.mark.parametrize("part", list(GOOD))
def test_a_description_without_a_part_is_refused(part: str) -> None:
    fields = {name: value for name, value in GOOD.items() if name != part}
    with pytest.raises((KeyError, TypeError, ValueError)):
        GradientPrior.described(fields, RANGE, lambda sigma: sigma)


def test_g_and_d_count_less_where_the_picture_is_not_only_noisy() -> None:
    y, one = random(1, 1, 16, 16), prior()
    blurred, noisy = problems.deblurring(y, torch.ones(3, 3).numpy() / 9, 0), problems.denoising(y, 0)
    of_g = one.at(0.05).gradient_weight
    assert of_g(noisy) == 1.0 > of_g(blurred) > 0
    assert one.gain(noisy) == 1.0 > one.gain(blurred) > one.gain(blurred) * of_g(blurred)


def test_a_regularizer_is_available_at_other_levels() -> None:
    x, one = random(1, 1, 16, 16), prior()
    other = one.at(0.05, EXACT).at(0.1)
    assert other.sigma == 0.1
    assert torch.equal(other.denoise(x), one.at(0.1, EXACT).denoise(x))
