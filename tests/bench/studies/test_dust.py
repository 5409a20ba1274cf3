"""The table of finding dust without infrared."""

from pathlib import Path

import numpy as np
import pytest
import torch

from alr_cli.bench.studies import dust
from alr_cli.core.defects.detector import OUTPUTS, Detector
from alr_cli.core.defects.finding import Finder, Found
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.core.tasks import Guess
from tests.bench.scenes import cartoon
from tests.conftest import write_picture
from tests.core.restoring import FEW, restorer


class Oracle(Finder):
    """Marks what differs from the clean picture."""

    clean: np.ndarray

    def find(self, pixels: np.ndarray) -> Found:
        mask = np.abs(pixels - self.clean).max(axis=2) > 6.5 / 255
        return Found(mask, Guess(pixels, np.full(mask.shape, np.inf, np.float32)))


@pytest.mark.parametrize("restoring", [False, True])
def test_the_true_mask_has_the_best_scores(
    restoring: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = np.round(255 * cartoon(96, 96, 3)).astype(np.float32) / 255
    path = write_picture(tmp_path / "a.png", clean)
    finder = Oracle(Detector(UNet(UNetArchitecture(3, (4,), (0,), OUTPUTS), torch.Generator())))
    object.__setattr__(finder, "clean", clean)
    scores = dust.study([path], finder, restorer(3, FEW) if restoring else None)
    assert scores.recall > 0.97 and scores.precision > 0.97 and scores.false == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == dust.HEADER and lines[1].split()[0] == "a.png" and lines[2].split()[0] == "all"
    before, _, best = map(float, lines[1].split()[3:6])
    assert not restoring or best > before
