"""`alr benchmark lunz1` and `lunz2`, on tiny sets."""

from pathlib import Path

import numpy as np
import pytest
import torch

from alr_cli.cli.benchmark.tomography import contenders
from alr_cli.cli.options.common import ComputeOptions, ModelOptions
from alr_cli.core.priors.global_critic import GlobalArchitecture, GlobalCritic, GlobalPrior
from alr_cli.core.priors.local import unfitted
from alr_cli.core.priors.postprocessor import PostProcessorPrior
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.files.weights import save_weights
from tests.bench.scenes import cartoon
from tests.conftest import FAST, Alr, write_picture
from tests.core.operators.scans import ellipse


def test_lunz2_measures_slices_beside_what_was_published(alr: Alr, tmp_path: Path) -> None:
    disk = ellipse((64, 64), (3.0, 0.0), (20.0, 15.0)).astype(np.float32)
    write_picture(tmp_path / "slices" / "a.png", disk[..., None], "uint16")
    result = alr("benchmark", "lunz2", "--data", tmp_path / "slices", "-w", "gray-tuned", "--markdown")
    assert result.code == 0, result.stderr
    rows = [line.split("|")[1:4] for line in result.stdout.decode().splitlines() if line.startswith("| 0.0")]
    methods = [row[1].strip() for row in rows if row[0].strip() == "0.02"]
    assert methods[:4] == ["fbp", "fbp hann", "tv", "gray-tuned"] and "U-Net, as published" in methods
    found = {(row[0].strip(), row[1].strip()): float(row[2]) for row in rows}
    assert found["0.005", "gray-tuned"] > found["0.005", "fbp"] + 3


def test_weights_of_other_kinds_bring_the_methods_of_the_paper_with_them(tmp_path: Path) -> None:
    critic, post = tmp_path / "critic.safetensors", tmp_path / "post.safetensors"
    unet = UNet(UNetArchitecture(1, (2, 2), (1, 1)), torch.Generator().manual_seed(0))
    priors = {
        critic: GlobalPrior(GlobalCritic(GlobalArchitecture(16, 1, 1)), (0.1, 0.2), unfitted),
        post: PostProcessorPrior(unet, (0.1, 0.2), unfitted),
    }
    for path, prior in priors.items():
        save_weights(path, prior, {"sigma_range": [0.1, 0.2], "lam": [[0.1, 0.2]]})
    found = contenders(ModelOptions(weights=f"{critic},{post}"), ComputeOptions())
    names = ["fbp", "fbp hann", "tv", "critic", "critic, stopped as published", "post", "RED with post"]
    assert list(found) == names
    assert [name for name, method in found.items() if method.with_truth] == ["critic, stopped as published"]


@pytest.mark.parametrize(
    ("options", "sentence"), [((), "lunz2 needs slices"), (("-o", "out"), "saves no pictures")]
)
def test_lunz2_refuses_what_it_cannot_do(
    alr: Alr, tmp_path: Path, options: tuple[str, ...], sentence: str
) -> None:
    data = ("--data", tmp_path) if options else ()
    write_picture(tmp_path / "a.png", cartoon(16, 16, 1))
    result = alr("benchmark", "lunz2", *data, *options)
    assert (result.code, sentence in result.stderr) == (2, True)


def test_colour_pictures_are_refused_as_slices(alr: Alr, tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", cartoon(16, 16, 3))
    result = alr("benchmark", "lunz2", "--data", tmp_path)
    assert (result.code, "give gray slices" in result.stderr) == (3, True)


def test_lunz1_takes_the_middles(alr: Alr, tmp_path: Path, colour_critic: Path) -> None:
    write_picture(tmp_path / "a.png", cartoon(140, 150))
    options = ("-w", colour_critic, "--methods", "ours", *FAST, "--no-cache", "--markdown")
    result = alr("benchmark", "lunz1", "--data", tmp_path, *options)
    assert result.code == 0, result.stderr
    text = result.stdout.decode()
    assert "the middles, 128 x 128" in text and "adversarial regularizer, as published | 28.2 | 0.892" in text
