"""The table of restorations with the noise that is found."""

from pathlib import Path

import numpy as np
import pytest

from alr_cli.bench.studies import drawn_noise
from alr_cli.bench.studies.drawn_noise import KINDS, gaussian
from tests.bench.scenes import cartoon
from tests.conftest import write_picture
from tests.core.restoring import FEW, restorer


@pytest.mark.parametrize("name", KINDS)
def test_noise_has_the_level_and_the_correlation_of_its_model(name: str) -> None:
    gray = np.full((256, 256, 3), 0.4, np.float32)
    noise = KINDS[name].add(gray, seed=1) - gray
    model = KINDS[name].whole
    assert noise.std() == pytest.approx(model.level(gray), rel=0.08)
    unit = noise / noise.std()
    for lag in (1, 5):
        for other in (0, 1):
            found = np.mean(unit[:, lag:, 0] * unit[:, :-lag, other])
            assert found == pytest.approx(model.correlation[0, other, 0, lag], abs=0.1)
    assert np.mean(unit[1:, :, 0] * unit[:-1, :, 0]) == pytest.approx(model.correlation[0, 0, 1, 0], abs=0.1)


def test_light_makes_the_level_grow_with_brightness() -> None:
    sigma = gaussian(0.02, 0.7, 0.45, 0.7).sigma[0]
    assert sigma[8] == pytest.approx(0.02) and np.allclose(sigma[[0, -1]] / 0.02, np.sqrt([0.3, 1.7]))


def test_there_is_a_line_for_each_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [write_picture(tmp_path / f"{name}.png", cartoon(96, 96, 3)) for name in "ab"]
    drawn_noise.study(paths, ["camera C", "Poisson"], 96, 32, restorer(3, FEW))
    header, *lines = capsys.readouterr().out.splitlines()
    assert header == drawn_noise.HEADER
    assert [line[:8].strip() for line in lines] == ["camera C", "Poisson"]
    levels = lines[1].split("; ")[1].split()
    assert [float(level) for level in levels] == pytest.approx([1, 1], abs=0.1)
