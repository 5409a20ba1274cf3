"""`alr benchmark upscale`, on tiny pictures."""

import json
from pathlib import Path

import numpy as np
import pytest
import skimage

from alr_cli.bench.upscaling import bicubic, luma, quality
from alr_cli.core.tasks import Upscaling
from tests.conftest import Alr, write_picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    write_picture(folder / "cat.png", skimage.data.chelsea()[90:139, 150:200].astype(np.float32) / 255)
    return folder


def test_ours_is_ahead_of_interpolation_at_each_scale(alr: Alr, folder: Path) -> None:
    result = alr("benchmark", "upscale", "--data", folder, "--json")
    assert result.code == 0, result.stderr
    means = [line for line in map(json.loads, result.stdout.splitlines()) if line["kind"] == "mean"]
    found = {(mean["scale"], mean["method"]): mean["psnr"] for mean in means}
    assert set(found) == {(scale, method) for scale in (2, 3, 4) for method in ("bicubic", "tv", "ours")}
    for scale in (2, 3, 4):
        assert found[scale, "ours"] > found[scale, "bicubic"] + 0.3


def test_no_picture_is_saved(alr: Alr, folder: Path, tmp_path: Path) -> None:
    result = alr("benchmark", "upscale", "--data", folder, "-o", tmp_path / "out")
    assert (result.code, "saves no pictures" in result.stderr) == (2, True)


def test_a_border_does_not_count_and_luma_is_that_of_video() -> None:
    truth = np.full((12, 12, 3), 0.5, np.float32)
    estimate = truth + np.float32(0.1)
    estimate[:2] = 0
    of_all, of_luma = quality(truth, estimate, 2)
    assert of_all == pytest.approx(20)
    assert of_luma == pytest.approx(20 - 20 * np.log10(219 / 255), abs=1e-3)
    np.testing.assert_allclose(luma(truth), luma(truth[..., :1]), rtol=1e-6)


def test_interpolation_goes_through_even_pictures() -> None:
    even = np.full((6, 5, 3), 0.25, np.float32)
    np.testing.assert_allclose(bicubic(even, Upscaling(3)), np.full((18, 15, 3), 0.25), atol=1e-6)
