"""Learning curves of unrolled descents: what is measured when, and the table."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from alr_cli.bench.studies import reg_unrolled as study
from alr_cli.core.priors.slope import Slope
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from tests.core.training.test_denoising import pictures


def test_every_start_is_measured_before_between_and_at_the_end() -> None:
    start = Slope(UNet(UNetArchitecture(1, (4, 8), (1, 1)), torch.Generator().manual_seed(0)), True, 0.1)
    starts = {"first": start, study.NOTHING: study.random_like(start, 3)}
    recipe = replace(study.recipe_of("upscale:2", 20, False, 0), patch=16, batch_size=2, unroll=2)
    clean = study.middles([picture.astype(np.float32) / 255 for picture in pictures()])
    assert clean.shape == (3, 1, 40, 40)
    points = list(study.learn(starts, recipe, pictures(), clean))
    assert [point.start for point in points] == ["first"] * 11 + [study.NOTHING] * 11
    assert [point.step for point in points[:11]] == list(range(0, 21, 2))
    assert not starts[study.NOTHING].explicit
    assert study.draw(points)[:4] == b"\x89PNG"


def test_the_table_says_when_a_start_is_as_good_as_the_end_from_nothing() -> None:
    def course(start: str, *psnr: float) -> list[study.Point]:
        return [study.Point(start, 10 * n, value) for n, value in enumerate(psnr)]

    points = [
        *course("a", 20, 23, 24, *[25] * 8),
        *course("b", *[19] * 11),
        *course(study.NOTHING, 18, *[20] * 9, 22),
    ]
    assert study.table(points, "t").rows == (
        ("a", "20.00", "23.00", "25.00", "25.00", "10"),
        ("b", "19.00", "19.00", "19.00", "19.00", "-"),
        (study.NOTHING, "18.00", "20.00", "20.00", "22.00", "100"),
    )


@pytest.mark.parametrize(("sizes", "side"), [([(200, 150)], 96), ([(50, 60), (100, 43)], 40)])
def test_all_pictures_are_measured_on_a_middle_of_one_size(sizes: list[tuple[int, int]], side: int) -> None:
    shape = study.middles([np.zeros((*size, 3), np.float32) for size in sizes]).shape
    assert shape == (len(sizes), 3, side, side)
