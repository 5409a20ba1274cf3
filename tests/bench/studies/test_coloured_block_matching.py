"""The table of BM3D for correlated noise."""

from pathlib import Path

import numpy as np
import pytest

from alr_cli.bench.studies import coloured_block_matching as study
from tests.conftest import write_picture
from tests.core.noise.test_estimation import shades, with_noise
from tests.core.noise.test_model import a_model
from tests.core.restoring import FEW, restorer


def test_a_pair_is_denoised_by_both_with_the_noise_that_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = shades(channels=1) * np.array([1.0, 0.95, 0.9], np.float32)
    clean = write_picture(tmp_path / "a_mean.png", scene)
    noisy = write_picture(tmp_path / "a_real.png", with_noise(scene, a_model()))
    monkeypatch.setattr(study, "coloured_bm3d", lambda y, model: y + model.level(y))
    monkeypatch.setattr(study, "FACTORS", (1.0, 0.0))
    [(before, theirs, best, ours, our_best)] = study.study([(noisy, clean)], 32, restorer(3, FEW))
    assert theirs < before == best
    assert our_best >= ours
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == study.HEADER and lines[1].split()[0] == "a_real" and lines[2].startswith("mean: ")
