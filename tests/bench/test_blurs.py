"""Kernels for benchmarks, and masks of text."""

from pathlib import Path

import numpy as np
import pytest

from alr_cli.bench.blurs import gs_pnp, read_blur
from alr_cli.bench.degradations import missing_of, observe
from alr_cli.bench.protocol import Setting
from alr_cli.bench.text_masks import text_mask
from alr_cli.core.operators.kernels import parse_kernel
from alr_cli.errors import InputError, UsageError
from tests.bench.scenes import INPAINT, cartoon


@pytest.fixture
def kernels(tmp_path: Path) -> Path:
    shapes = {f"Levin09_{number:02}": np.eye(2 * number + 1) for number in (2, 1)}
    np.savez(tmp_path / "kernels.npz", other=np.ones((3, 3)), **shapes)
    return tmp_path / "kernels.npz"


def test_the_protocol_takes_levins_blurs_in_their_order_then_box_and_gaussian(kernels: Path) -> None:
    specs = gs_pnp(str(kernels))
    assert specs == (
        f"npz:{kernels}:Levin09_01",
        f"npz:{kernels}:Levin09_02",
        "box:9",
        "gaussian:25:1.6",
    )
    assert [read_blur(spec)[0].shape for spec in specs] == [(3, 3), (5, 5), (9, 9), (25, 25)]


def test_a_kernel_from_a_file_is_normalised_with_a_note(kernels: Path) -> None:
    kernel, note = read_blur(f"npz:{kernels}:Levin09_01")
    assert kernel == pytest.approx(np.eye(3) / 3)
    assert note is not None and "its sum was 3" in note
    assert read_blur("box:3") == (pytest.approx(parse_kernel("box:3")), None)


def test_a_file_without_levins_names_is_taken_whole(tmp_path: Path) -> None:
    np.savez(tmp_path / "k.npz", b=np.ones((3, 3)), a=np.ones((5, 5)))
    assert [spec.rpartition(":")[2] for spec in gs_pnp(str(tmp_path / "k.npz"))[:2]] == ["a", "b"]


@pytest.mark.parametrize("content", [None, b"", b"no archive", b"\x93NUMPY"])
def test_an_unreadable_file_of_kernels_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "k.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="--kernels"):
        gs_pnp(str(path))


def test_an_invalid_kernel_in_a_file_is_refused_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "k.npz", flat=np.ones(3))
    with pytest.raises(UsageError, match="kernel flat of"):
        read_blur(f"npz:{tmp_path / 'k.npz'}:flat")


def test_a_setting_shows_the_name_of_its_kernel_alone(kernels: Path) -> None:
    setting = Setting("deblur", 0.01, kernel=f"npz:{kernels}:Levin09_01", boundary="circular")
    assert str(setting) == "deblur Levin09_01 circular, sigma 0.01, unclipped"
    assert setting.slug == "deblur-Levin09_01-circular-sigma-0.01-unclipped"


@pytest.mark.parametrize("shape", [(60, 90), (200, 150), (3, 2)])
def test_text_covers_a_part_of_any_picture_and_follows_its_seed(shape: tuple[int, int]) -> None:
    mask = text_mask(shape, 1)
    assert mask.shape == shape and mask.dtype == bool
    assert np.array_equal(mask, text_mask(shape, 1))
    if min(shape) > 50:
        assert 0.05 < mask.mean() < 0.3
        assert not np.array_equal(mask, text_mask(shape, 2))
        assert mask[: shape[0] // 3].any() and mask[-shape[0] // 3 :].any() and mask[:, -20:].any()


def test_pixels_under_text_are_black() -> None:
    setting = Setting("inpaint", 0.0, missing="text")
    observation = observe(cartoon(), "a", setting)
    missing = missing_of(observation)
    assert 0 < missing.mean() < 0.4
    assert not observation.pixels[missing].any()
    assert str(setting) == "inpaint under text, sigma 0, unclipped"
    assert setting.slug != INPAINT.slug
