"""Choosing places that show the effect of a restoration."""

import numpy as np
import pytest

from alr_cli.core.places import informative_places


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """(300, 400, 1): flat at the left, a straight edge in the middle, stripes at the right."""
    x = np.full((300, 400, 1), 0.7, np.float32)
    x[:, 200:] = 0.3
    x[:, 290:] += 0.1 * np.sign(np.sin(np.arange(110) * 1.6)).astype(np.float32)[None, :, None]
    return x


def test_each_kind_of_place_is_found_where_it_is(scene: np.ndarray) -> None:
    before = scene.copy()
    before[10:30, 30:50] = 1  # what is changed most
    places = {place.kind: place for place in informative_places(before, scene, side=64)}
    assert set(places) == {"change", "texture", "edge", "even"}
    assert places["change"].top <= 10 and places["change"].left <= 30 < places["change"].left + 64
    assert places["texture"].left > 270
    assert places["edge"].left < 200 < places["edge"].left + 64
    assert np.ptp(places["even"].of(scene)) < 1e-6


@pytest.mark.parametrize(
    "shape", [(300, 400, 1), (120, 400, 3), (112, 112, 3), (20, 33, 1), (1, 1, 1), (1, 40, 3)]
)
def test_places_lie_inside_and_apart_whatever_the_size(shape: tuple[int, int, int]) -> None:
    random = np.random.default_rng(0)
    before, after = (random.random(shape).astype(np.float32) for _ in range(2))
    places = informative_places(before, after)
    assert 1 <= len(places) <= 4
    seen = np.zeros(shape[:2], int)
    for place in places:
        seen[place.top : place.top + place.side, place.left : place.left + place.side] += 1
        assert place.of(after).shape == (place.side, place.side, shape[2])
    assert seen.max() == 1
