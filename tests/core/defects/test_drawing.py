"""Drawn defects: where they are, how they look, and that nothing else changes."""

import math
from dataclasses import replace

import numpy as np
import pytest

from alr_cli.core.defects.drawing import MEASURED, TRAINED, VISIBLE, Law, coverage, damaged
from alr_cli.core.defects.look_alikes import with_look_alikes

LAWS = [TRAINED, MEASURED]


def gray(value: float = 0.5, channels: int = 3) -> np.ndarray:
    return np.full((96, 120, channels), value, np.float32)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("channels", [1, 3])
def test_only_defective_pixels_change_visibly(law: Law, channels: int) -> None:
    clean = gray(channels=channels)
    made = damaged(clean, 30, law, np.random.default_rng(0))
    changed = np.abs(made.pixels - clean).max(axis=2)
    assert changed[~made.defective].max() <= VISIBLE < changed[made.defective].min()
    assert 0.01 < made.defective.mean() < 0.5
    assert made.pixels.min() >= 0 and made.pixels.max() <= 1
    assert (made.pixels.mean(axis=2) > 0.55).any() and (made.pixels.mean(axis=2) < 0.45).any()


@pytest.mark.parametrize("law", LAWS)
def test_defects_depend_on_the_seed_alone_and_none_changes_nothing(law: Law) -> None:
    first, again, other = (damaged(gray(), 9, law, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.pixels, again.pixels) and not np.array_equal(first.pixels, other.pixels)
    assert np.array_equal(damaged(gray(), 0, law, np.random.default_rng(0)).pixels, gray())


@pytest.mark.parametrize("opacity", [0.3, 0.6, 1.0])
def test_opacity_is_the_share_of_the_colour_of_the_defect(opacity: float) -> None:
    law = replace(
        TRAINED,
        shares=(1, 0, 0),
        diameters=(12, 12),
        opacities=(opacity, opacity),
        dark=(0, 0),
        bright=(0, 0),
    )
    made = damaged(gray(0.5), 5, law, np.random.default_rng(3))
    assert made.pixels.mean(axis=2).min() <= 0.5 * (1 - opacity) + 0.03
    one = damaged(gray(0.5), 1, law, np.random.default_rng(3))
    assert one.pixels.mean(axis=2).min() == pytest.approx(0.5 * (1 - opacity), abs=0.03)


@pytest.mark.parametrize("radius", [0.6, 2.0, 5.0])
@pytest.mark.parametrize("edge", [1.0, 2.0])
def test_a_disk_covers_its_area_on_average_over_its_places(radius: float, edge: float) -> None:
    covers = []
    for centre in 20 + np.random.default_rng(0).random((200, 1, 2)):
        rows, columns, cover = coverage(centre, np.array([radius]), edge, (40, 40))
        assert len({*zip(rows.tolist(), columns.tolist(), strict=True)}) == len(rows)
        assert 0 < cover.min() <= cover.max() <= 1
        covers.append(cover.sum())
    assert np.mean(covers) == pytest.approx(math.pi * (radius**2 + edge**2 / 12), rel=0.04)


def test_what_lies_beyond_the_frame_is_not_drawn() -> None:
    rows, columns, _ = coverage(np.array([[0.0, 0.0], [-9.0, 50.0]]), np.array([2.0, 2.0]), 1.0, (8, 8))
    assert rows.min() == columns.min() == 0 and rows.max() <= 3 and columns.max() <= 3


@pytest.mark.parametrize("seed", range(12))
def test_look_alikes_stay_in_range_and_do_not_change_the_picture_they_are_drawn_on(seed: int) -> None:
    clean = gray(0.4)
    made = with_look_alikes(clean, np.random.default_rng(seed))
    assert np.array_equal(clean, gray(0.4))
    assert made.shape == clean.shape and made.dtype == np.float32
    assert made.min() >= 0 and made.max() <= 1
    assert np.abs(made - clean).max() > 0.02
