"""The kind of noise is recognised, and texture is not mistaken for noise."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage import data
from skimage.transform import downscale_local_mean

from alr_cli.core.noise.finding import Found, Kind, find_noise, noise_of_kind
from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.noise.opponent_colours import opponent_matrix
from alr_cli.core.noise.seen_levels import WEAKEST, SeenLevels
from alr_cli.core.noise.white import add_gaussian_noise, estimate_sigma
from alr_cli.core.priors.cosines import colours
from tests.conftest import scene
from tests.core.noise.test_drawings import DRAWINGS
from tests.core.noise.test_estimation import photograph, shades, with_noise
from tests.core.noise.test_model import a_model


def as_file(pixels: np.ndarray) -> np.ndarray:
    """The picture clipped and rounded to 8 bits."""
    return np.asarray(np.rint(255 * pixels.clip(0, 1)) / 255, np.float32)


def ramp() -> np.ndarray:
    """Every brightness, nearly equal in all channels."""
    return shades(channels=1) * np.array([1.0, 0.95, 0.9], np.float32)


def clean(name: str) -> np.ndarray:
    pixels = getattr(data, name)() / 255.0
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels[..., :3]
    return as_file(downscale_local_mean(pixels, (2, 2, 1)))


@pytest.mark.parametrize("scene", [ramp(), photograph()], ids=["ramp", "photograph"])
def test_correlated_noise_is_found(scene: np.ndarray) -> None:
    model = a_model()
    noisy = as_file(with_noise(scene, model))
    found = find_noise(noisy)
    assert found.kind is Kind.CORRELATED
    assert found.confidence == 1
    assert found.sigma == pytest.approx(model.level(scene), rel=0.25)
    assert found.model is not None
    assert found.model.neighbours == pytest.approx(model.neighbours, abs=0.15)


@pytest.mark.parametrize("quality", [85, 95])
def test_the_noise_of_a_jpeg_is_not_that_of_its_emptiest_blocks(quality: int) -> None:
    scene = photograph()
    noisy = np.rint(255 * with_noise(scene, a_model()).clip(0, 1)).astype(np.uint8)
    coded = io.BytesIO()
    Image.fromarray(noisy).save(coded, "jpeg", quality=quality, subsampling=0)
    decoded = np.asarray(Image.open(coded), np.float32) / 255
    assert find_noise(decoded).sigma == pytest.approx(float((decoded - scene).std()), rel=0.3)


@pytest.mark.parametrize("name", ["brick", "grass", "gravel"])
def test_texture_without_flat_places_is_not_added_to_the_noise(name: str) -> None:
    """The noise in colour bounds that in gray, of which nothing can be measured here."""
    scene = clean(name) * np.array([1.0, 0.95, 0.9], np.float32)
    model = a_model()
    found = find_noise(as_file(with_noise(scene, model)))
    assert 0.5 < found.sigma / model.level(scene) < 1.5


@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.2])
@pytest.mark.parametrize("name", ["coffee", "chelsea", "camera", "astronaut"])
def test_the_level_of_white_noise_is_that_of_its_estimator(name: str, sigma: float) -> None:
    noisy = as_file(add_gaussian_noise(clean(name), sigma, seed=1))
    found = find_noise(noisy)
    assert found.kind is Kind.WHITE
    assert found.sigma == estimate_sigma(noisy)


@pytest.mark.parametrize("name", ["coffee", "chelsea", "astronaut", "camera", "brick", "grass", "gravel"])
def test_clean_pictures_and_textures_have_hardly_any(name: str) -> None:
    found = find_noise(clean(name))
    assert found.kind in (Kind.NONE, Kind.WHITE)
    assert found.sigma == pytest.approx(estimate_sigma(clean(name)))


def grain(sigma: float, channels: int) -> NoiseModel:
    """Noise of neighbours that is the same in all channels."""
    return NoiseModel(
        np.full((channels, 17), sigma), np.ones((channels, channels, 1, 1)) * a_model().correlation[:1, :1]
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["coffee", "camera"])
def test_grain_that_is_alike_in_all_channels_is_found_where_a_picture_has_flat_places(
    name: str, channels: int
) -> None:
    scene = clean(name).mean(axis=2, keepdims=True) * np.array([1.0, 0.95, 0.9], np.float32)[:channels]
    model = grain(0.03, channels)
    found = find_noise(as_file(with_noise(scene, model)))
    assert found.kind is Kind.CORRELATED and found.confidence == 1
    assert found.sigma == pytest.approx(0.03, rel=0.3)
    assert found.model is not None
    assert found.model.neighbours == pytest.approx(model.neighbours, abs=0.2)


@pytest.mark.parametrize("name", ["gravel", "grass"])
def test_gravel_and_grass_all_over_are_no_grain(name: str) -> None:
    colour = clean(name) * np.array([1.0, 0.95, 0.9], np.float32)
    for each in (clean(name), as_file(colour)):
        assert find_noise(each).kind in (Kind.NONE, Kind.WHITE)


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_has_none(name: str) -> None:
    found = find_noise(DRAWINGS[name])
    assert found == Found(Kind.NONE, 0.0, None, drawing=True)


def test_noise_that_grows_with_brightness_is_found() -> None:
    scene, model = ramp(), NoiseModel.poisson(0.01, 0.005, 0.0, 3)
    found = find_noise(as_file(with_noise(scene, model)))
    assert found.kind is Kind.UNEVEN
    assert found.model is not None
    gray = np.linspace(0.15, 0.85, 8)[:, None, None] * np.ones(3)
    np.testing.assert_allclose(found.model.sigma_at(gray), model.sigma_at(gray), rtol=0.1)
    assert found.sigma == pytest.approx(model.level(scene), rel=0.15)


@pytest.mark.parametrize(("peak", "channels"), [(30, 1), (30, 3), (300, 3)])
def test_counted_light_is_recognised_although_bright_pixels_are_clipped(peak: int, channels: int) -> None:
    scene = clean("coffee").mean(axis=2, keepdims=True) if channels == 1 else clean("coffee")
    noisy = as_file(np.random.default_rng(0).poisson(scene * peak) / peak)
    found, model = find_noise(noisy), NoiseModel.poisson(1 / peak, 0.0, 0.0, channels)
    assert found.kind is Kind.UNEVEN
    assert found.sigma == pytest.approx(model.level(scene), rel=0.1)


@pytest.mark.parametrize("name", ["coffee", "chelsea", "camera", "grass"])
def test_white_noise_of_one_level_is_not_thought_to_depend_on_brightness(name: str) -> None:
    for sigma in (0.01, 0.03, 0.1):
        noisy = as_file(add_gaussian_noise(clean(name), sigma, seed=3))
        assert find_noise(noisy).kind is Kind.WHITE


@pytest.mark.parametrize("tint", [(1.0, 1.0, 1.0), (1.0, 0.9, 0.7)], ids=["nearly gray", "sepia"])
def test_noise_that_is_alike_in_all_channels_is_found_in_gray(tint: tuple[float, ...]) -> None:
    gray = add_gaussian_noise(clean("camera"), 0.1, seed=2)
    noisy = as_file(gray * np.array(tint) + np.array([0, 1 / 255, 0]))
    found = find_noise(noisy)
    assert found.kind is Kind.CORRELATED
    assert found.model is not None
    assert found.sigma == pytest.approx(0.1 * np.sqrt(np.mean(np.square(tint))), rel=0.25)
    gray_share = opponent_matrix(3)[0] @ found.model.correlation[..., 0, 0] @ opponent_matrix(3)[0]
    assert gray_share > 2.5


@pytest.mark.parametrize("side", [96, 128, 192])
@pytest.mark.parametrize("sigma", [0.001, 0.002])
def test_smooth_shades_in_colour_add_nothing_to_weak_noise(side: int, sigma: float) -> None:
    found = find_noise(scene(side, side, sigma=sigma))
    assert found.kind in (Kind.NONE, Kind.WHITE)
    assert found.sigma == pytest.approx(sigma, rel=0.1)


def test_too_small_a_picture_does_not_tell() -> None:
    assert np.isnan(find_noise(np.full((4, 4, 3), 0.5) + np.arange(48).reshape(4, 4, 3) / 500).sigma)


def test_a_given_kind_of_noise_is_not_doubted() -> None:
    grain = NoiseModel(np.full((3, 17), 0.03), np.ones((3, 3, 1, 1)) * a_model().correlation[:1, :1])
    noisy = as_file(with_noise(ramp(), grain))
    found = noise_of_kind(Kind.CORRELATED, noisy)
    assert found.kind is Kind.CORRELATED
    assert found.sigma == pytest.approx(0.03, rel=0.2)


def test_white_noise_of_gray_pictures_is_measured_at_each_brightness_where_it_is_asked_for() -> None:
    scene, model = clean("camera"), NoiseModel.poisson(0.02, 0.01, 0.0, 1)
    found = noise_of_kind(Kind.UNEVEN, as_file(with_noise(scene, model)))
    assert found.kind is Kind.UNEVEN and found.model is not None
    assert found.sigma == pytest.approx(model.level(scene), rel=0.2)
    dark, bright = found.model.sigma_at(np.array([[[0.1], [0.7]]]))[0]
    assert bright > 1.5 * dark


def test_opponent_colours_are_those_of_the_priors() -> None:
    for channels in (1, 3):
        np.testing.assert_allclose(opponent_matrix(channels), colours(channels).numpy(), atol=1e-6)


class Sees:
    """A network that sees the same level in each cell, and in gray `half` times that at half the
    resolution."""

    def __init__(self, gray: float, colour: float, half: float = 1.0) -> None:
        self.gray, self.colour, self.half, self.side = gray, colour, half, 0

    def see(self, pixels: np.ndarray, mask: np.ndarray | None = None) -> SeenLevels | None:
        if mask is not None:
            return None
        self.side = max(self.side, len(pixels))
        gray = self.gray * (self.half if len(pixels) < self.side else 1.0)
        levels = np.log(np.hypot([[gray], [self.colour], [self.colour]], WEAKEST))
        return SeenLevels(np.array([0.5]), levels, np.ones((3, 1)))


def noisy_photograph() -> np.ndarray:
    return as_file(with_noise(photograph(), a_model()))


def test_the_network_lowers_the_level_of_correlated_noise() -> None:
    rules, seen = (find_noise(noisy_photograph(), finder=each) for each in (None, Sees(0.01, 0.005)))
    assert rules.kind is seen.kind is Kind.CORRELATED
    assert seen.sigma < 0.6 * rules.sigma


def test_the_network_raises_it_only_in_colour() -> None:
    networks = Sees(0.2, 0.02), Sees(0.4, 0.02), Sees(0.4, 0.04)
    usual, more_gray, more_colour = (find_noise(noisy_photograph(), finder=each).sigma for each in networks)
    assert more_gray == usual < more_colour


def test_the_rules_decide_if_the_network_cannot_see() -> None:
    noisy = noisy_photograph()
    assert (
        find_noise(noisy, np.zeros(noisy.shape[:2], bool), Sees(0.01, 0.005)).sigma == find_noise(noisy).sigma
    )


GRAVEL = np.array([1.0, 0.95, 0.9], np.float32) * clean("gravel")


@pytest.mark.parametrize(
    ("network", "kind"),
    [
        (Sees(0.02, 0.0), Kind.NONE),
        (Sees(0.08, 0.0), Kind.CORRELATED),
        (Sees(0.08, 0.0, half=1.4), Kind.NONE),
        (Sees(0.25, 0.0, half=1.4), Kind.CORRELATED),
        (Sees(0.03, 0.015), Kind.CORRELATED),
    ],
    ids=["weak", "strong", "stronger at half the resolution", "all that is seen", "coloured"],
)
def test_noise_that_only_the_network_sees_is_found(network: Sees, kind: Kind) -> None:
    found = find_noise(as_file(GRAVEL), finder=network)
    assert (found.kind is Kind.CORRELATED) == (kind is Kind.CORRELATED)
    if kind is Kind.CORRELATED:
        assert 0 < found.sigma < noise_of_kind(Kind.CORRELATED, as_file(GRAVEL)).sigma


def test_white_noise_and_gray_pictures_are_left_to_the_rules() -> None:
    white = as_file(add_gaussian_noise(clean("coffee"), 0.05, seed=1))
    gray = as_file(with_noise(clean("camera"), grain(0.03, 1)))
    for noisy in (white, gray):
        assert find_noise(noisy, finder=Sees(0.2, 0.2)).sigma == find_noise(noisy).sigma
