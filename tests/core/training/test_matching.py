"""Clean and noisy patches of similar content, from pictures of different things."""

import numpy as np
import pytest
import torch

from alr_cli.core.noise.field import NoiseField
from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.training.matching import MatchedPatches, Matching, Places, separability, survey, varied
from alr_cli.core.training.patches import PatchSource
from tests.core.noise.test_model import a_model
from tests.core.toys import seeded


def surface(brightness: float, activity: float, seed: int, tint: float = 0.0) -> np.ndarray:
    """(96, 96, 3) uint8: blotches of a few pixels around a brightness."""
    blotches = np.random.default_rng(seed).normal(0, activity, (12, 12)).repeat(8, 0).repeat(8, 1)
    colour = np.array([tint, 0, -tint])
    return np.rint((brightness + blotches[..., None] + colour).clip(0, 1) * 255).astype(np.uint8)


def quiet(pictures: list[np.ndarray]) -> Places:
    return survey(pictures)


@pytest.fixture(scope="module")
def sides() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Mostly dark and smooth pictures, and mostly bright, busy and warm ones. Both contain some of
    everything."""
    kinds = [(0.25, 0.002, 0.0), (0.65, 0.08, 0.06)]
    clean = [surface(b, a, n, t) for n, (b, a, t) in enumerate([kinds[0]] * 4 + [kinds[1]])]
    noisy = [surface(b, a, 9 + n, t) for n, (b, a, t) in enumerate([kinds[0]] + [kinds[1]] * 4)]
    return clean, noisy


def test_matching_makes_different_content_indistinguishable(
    sides: tuple[list[np.ndarray], list[np.ndarray]],
) -> None:
    clean, noisy = (quiet(side) for side in sides)
    assert separability(clean.content, noisy.content) > 0.75
    matching = Matching(clean, noisy)
    assert matching.detail == 2
    a, b = matching.pairs(6000, seeded())
    assert separability(clean.content[a], noisy.content[b]) < 0.6
    np.testing.assert_allclose(clean.content[a].mean(0), noisy.content[b].mean(0), atol=0.01)


def test_pairs_are_of_the_same_cell(sides: tuple[list[np.ndarray], list[np.ndarray]]) -> None:
    clean, noisy = (quiet(side) for side in sides)
    matching = Matching(clean, noisy)
    a, b = matching.pairs(2000, seeded(1))
    np.testing.assert_array_equal(clean.cells(2)[a], noisy.cells(2)[b])


def test_every_place_of_a_shared_cell_can_be_drawn() -> None:
    places = quiet([surface(0.5, 0.0, 0)])
    a, b = Matching(places, places).pairs(20_000, seeded(2))
    assert set(a.tolist()) == set(b.tolist()) == set(range(len(places.row)))


def test_folders_without_common_content_are_sampled_as_they_are() -> None:
    dark, bright = quiet([surface(0.1, 0.002, 0)]), quiet([surface(0.9, 0.002, 1)])
    matching = Matching(dark, bright)
    assert matching.detail == 0
    a, _ = matching.pairs(5000, seeded(3))
    assert len(set(a.tolist())) == len(dark.row)


def test_equal_content_cannot_be_distinguished() -> None:
    content = np.random.default_rng(0).random((4000, 4))
    assert separability(content[::2], content[1::2]) == pytest.approx(0.5, abs=0.05)
    assert separability(content[::2], content[1::2] + np.array([0.5, 0, 0, 0])) > 0.8


def test_noise_changes_neither_brightness_nor_activity() -> None:
    model = a_model(scale=2.0)
    clean = surface(0.5, 0.0, 0)
    batch = torch.from_numpy(clean.transpose(2, 0, 1) / np.float32(255))[None]
    noisy = NoiseField([model]).add(batch, model.nominal, seeded(4))[0][0].numpy().transpose(1, 2, 0)
    before, raw, after = quiet([clean]), quiet([noisy]), survey([noisy], [model])
    assert raw.content[:, 1].mean() > 0.01
    assert np.square(after.content[:, 1]).mean() < 0.35 * np.square(raw.content[:, 1]).mean()
    assert after.content[:, 0].mean() == pytest.approx(before.content[:, 0].mean(), abs=0.01)


def test_patches_come_from_where_their_places_are(sides: tuple[list[np.ndarray], list[np.ndarray]]) -> None:
    clean, noisy = sides
    source = MatchedPatches(PatchSource(clean, 15), PatchSource(noisy, 15), quiet(clean), quiet(noisy))
    batch = source.batch(500, seeded(5))
    a, b = batch.clean, batch.noisy
    assert a.shape == b.shape == (500, 3, 15, 15)
    luma = [side.mean(dim=(1, 2, 3)) for side in (a, b)]
    assert float(luma[0].mean()) == pytest.approx(float(luma[1].mean()), abs=0.03)
    plain = PatchSource(noisy, 15).sample(500, seeded(6)).mean()
    assert abs(float(luma[1].mean() - plain)) > 0.05  # matching did move it
    again = source.batch(500, seeded(5))
    assert torch.equal(a, again.clean) and torch.equal(b, again.noisy)


@pytest.mark.parametrize("shape", [(15, 15, 3), (10, 200, 1)])
def test_pictures_without_a_whole_block_are_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="16 x 16"):
        quiet([np.zeros(shape, np.uint8)])


def test_small_pictures_among_others_are_passed_over() -> None:
    places = quiet([np.zeros((15, 15, 3), np.uint8), surface(0.5, 0.01, 0)])
    assert set(places.picture.tolist()) == {1}


def test_a_place_has_the_features_of_its_content() -> None:
    picture = np.zeros((64, 80, 1), np.float32)
    picture[24:40, 40:56] = 1.0
    places = quiet([picture])
    best = int(places.content[:, 0].argmax())
    assert (places.row[best], places.column[best]) == (24, 40)
    assert places.content[best, 0] == pytest.approx(1.0)


def test_variations_turn_and_mirror_and_expose_each_patch() -> None:
    patch = torch.rand(1, 3, 5, 5, generator=seeded(7)).expand(800, 3, 5, 5)
    results = varied(patch, seeded(8))
    turns = [patch[0], patch[0].mT]
    turns = [flipped for t in turns for flipped in (t, t.flip(-1), t.flip(-2), t.flip(-1, -2))]
    shape = torch.stack([t / t.mean(dim=(-1, -2), keepdim=True) for t in turns])
    found = results / results.mean(dim=(-1, -2), keepdim=True)
    nearest = (found[:, None] - shape).abs().amax(dim=(2, 3, 4))
    assert float(nearest.min(dim=1).values.max()) < 1e-5
    assert torch.bincount(nearest.argmin(dim=1), minlength=8).min() > 60
    gain = (results.mean(dim=(1, 2, 3)) / patch[0].mean()).log()
    assert 0.1 < float(gain.std()) < 0.2
    assert float(gain.abs().max()) <= 0.301


def test_white_noise_is_subtracted_as_it_should_be() -> None:
    model = NoiseModel.white(0.08, 1)
    noisy = np.random.default_rng(1).normal(0.5, 0.08, (400, 400, 1)).astype(np.float32)
    variance = np.square(survey([noisy]).content[:, 1]).mean()
    assert variance == pytest.approx(0.08**2 / 16, rel=0.05)
    rest = survey([noisy], [model]).content[:, 1]
    assert float(np.mean(rest == 0)) > 0.4
