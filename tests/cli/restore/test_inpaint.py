"""`alr inpaint`: sources of the mask, and pixels that stay unchanged."""

from pathlib import Path

import numpy as np
import pytest

from alr_cli.files.pictures import read_picture
from tests.conftest import FAST, Alr, scene, write_picture

pytestmark = pytest.mark.usefixtures("tiny_weights")

HOLE = np.zeros((24, 32), bool)
HOLE[4:8, 5:17] = True  # 48 of 768 pixels: 6.25 %


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    return write_picture(tmp_path / "mask.png", HOLE[..., None].astype(np.float32))


def changed(before: Path, after: Path) -> np.ndarray:
    return (read_picture(before).pixels != read_picture(after).pixels).any(axis=2)


def test_white_pixels_are_repaired_and_sigma_0_keeps_the_others(alr: Alr, picture: Path, mask: Path) -> None:
    output = picture.with_name("x.png")
    result = alr("inpaint", picture, "--mask", mask, "--sigma", "0", "-o", output, *FAST)
    assert result.code == 0
    assert "6.2 % of pixels to fill" in result.stderr
    assert changed(picture, output)[HOLE].any()
    assert not changed(picture, output)[~HOLE].any()


def test_an_inverted_mask_repairs_black(alr: Alr, picture: Path, mask: Path) -> None:
    output = picture.with_name("x.png")
    result = alr("inpaint", picture, "--mask", mask, "--invert-mask", "--sigma", "0", "-o", output, *FAST)
    assert "93.8 % of pixels to fill" in result.stderr
    assert not changed(picture, output)[HOLE].any()


def test_every_pixel_that_a_soft_mask_touches_is_repaired_with_a_warning(
    alr: Alr, picture: Path, tmp_path: Path
) -> None:
    soft = np.where(HOLE, 1, 0)[..., None].astype(np.float32)
    soft[3, 5:17] = 0.1
    path = write_picture(tmp_path / "soft.png", soft)
    output = picture.with_name("x.png")
    result = alr("inpaint", picture, "--mask", path, "--sigma", "0", "-o", output, *FAST)
    assert "7.8 % of pixels to fill" in result.stderr
    assert "warning" in result.stderr and "every pixel that is not black" in result.stderr
    assert changed(picture, output)[3, 5:17].any()


def test_a_mask_can_be_grown(alr: Alr, picture: Path, mask: Path) -> None:
    result = alr("inpaint", picture, "--mask", mask, "--grow", "1", *FAST)
    assert "10.4 % of pixels to fill" in result.stderr  # 12 x 4 and a row or column on each side


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (["--mask", "{black}"], "no pixels of {picture} are to be filled: white means repair"),
        (["--mask", "{labels}"], "and no white, as labels have"),
        (["--mask", "alpha"], "no pixels of {clear} are to be filled: what is transparent is repaired"),
        (["--mask", "nan"], "no pixels of {picture} are to be filled: NaN means repair"),
    ],
)
def test_an_empty_and_a_full_mask_are_refused(
    alr: Alr, picture: Path, tmp_path: Path, given: list[str], reason: str
) -> None:
    paths = {
        "picture": picture,
        "black": write_picture(tmp_path / "black.png", np.zeros((24, 32, 1), np.float32)),
        "labels": write_picture(tmp_path / "labels.png", np.indices((24, 32)).sum(0)[..., None] // 20 / 255),
        "clear": write_picture(tmp_path / "clear.png", scene(), alpha=np.ones((24, 32), np.float32)),
    }
    result = alr(
        "inpaint", paths["clear"] if "alpha" in given else picture, *(g.format(**paths) for g in given)
    )
    assert result.code == 2
    assert reason.format(**paths) in result.stderr


def test_transparency_can_be_the_mask(alr: Alr, tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", scene(), alpha=1 - HOLE.astype(np.float32))
    output = tmp_path / "x.png"
    result = alr("inpaint", path, "--mask", "alpha", "--sigma", "0", "-o", output, *FAST)
    assert result.code == 0
    assert not changed(path, output)[~HOLE].any()
    assert read_picture(output).alpha is None
    assert "opaque" in result.stderr


def test_a_mask_file_leaves_transparency_untouched(alr: Alr, tmp_path: Path, mask: Path) -> None:
    alpha = np.linspace(0, 1, 24 * 32, dtype=np.float32).reshape(24, 32)
    path = write_picture(tmp_path / "a.png", scene(), alpha=alpha)
    alr("inpaint", path, "--mask", mask, "-o", tmp_path / "x.png", *FAST)
    assert np.array_equal(read_picture(path).alpha, read_picture(tmp_path / "x.png").alpha)


@pytest.mark.parametrize("with_mask", [False, True])
def test_nan_is_always_repaired(alr: Alr, tmp_path: Path, with_mask: bool) -> None:
    pixels = scene()
    pixels[HOLE] = np.nan
    pixels[0, 0, 1] = np.nan
    path = write_picture(tmp_path / "a.tif", pixels, "float32")
    mask = write_picture(tmp_path / "m.png", HOLE[..., None].astype(np.float32)) if with_mask else "nan"
    output = tmp_path / "x.tif"
    result = alr("inpaint", path, "--mask", mask, "--sigma", "0", "-o", output, *FAST)
    assert result.code == 0
    restored = read_picture(output).pixels
    known = ~HOLE
    known[0, 0] = False
    assert np.isfinite(restored).all()
    assert np.array_equal(restored[known], pixels[known])


def test_a_random_mask_depends_on_seed_and_name_alone(alr: Alr, tmp_path: Path) -> None:
    first, second = (write_picture(tmp_path / f"in/{name}.png", scene()) for name in "ab")

    def filled(out: str, *arguments: object) -> dict[str, np.ndarray]:
        command = (
            "inpaint",
            *arguments,
            "--missing",
            "0.3",
            "--sigma",
            "0",
            "-o",
            f"{tmp_path}/{out}/",
            *FAST,
        )
        assert alr(*command).code == 0
        return {path.name: changed(first, path) for path in (tmp_path / out).iterdir()}

    alone, batch = filled("alone", second), filled("batch", first, second)
    other = filled("other", second, "--seed", "1")
    assert np.array_equal(alone["b.png"], batch["b.png"])
    assert not np.array_equal(batch["a.png"], batch["b.png"])
    assert not np.array_equal(alone["b.png"], other["b.png"])
    assert 0.2 < alone["b.png"].mean() < 0.4


def test_a_folder_of_masks_is_matched_by_name(alr: Alr, tmp_path: Path) -> None:
    for name, hole in (("a", HOLE), ("b", ~HOLE)):
        write_picture(tmp_path / f"in/{name}.png", scene())
        write_picture(tmp_path / f"masks/{name}.png", hole[..., None].astype(np.float32))
    result = alr(
        *("inpaint", tmp_path / "in", "--mask", tmp_path / "masks", "--sigma", "0"),
        *("-o", f"{tmp_path}/out/", *FAST),
    )
    assert result.code == 0
    assert not changed(tmp_path / "in/a.png", tmp_path / "out/a.png")[~HOLE].any()
    assert not changed(tmp_path / "in/b.png", tmp_path / "out/b.png")[HOLE].any()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 2),
        (["--mask", "{mask}", "--missing", "0.5"], 2),
        (["--mask", "{mask}", "--seed", "1"], 2),
        (["--mask", "{other}"], 2),
        (["--mask", "{full}"], 2),
        (["--mask", "{empty}", "--invert-mask"], 2),
        (["--mask", "alpha"], 2),
        (["--missing", "1"], 2),
        (["--missing", "0"], 2),
        (["--missing", "nan"], 2),
        (["--missing", "0.5", "--grow", "1"], 2),
        (["--mask", "nan", "--invert-mask"], 2),
        (["--mask", "{mask}", "--grow", "-1"], 2),
        (["--mask", "{mask}", "--grow", "99"], 2),
        (["--mask", "gone.png"], 3),
        (["--mask", "{text}"], 3),
    ],
)
def test_a_mask_that_does_not_fit_is_refused_and_nothing_written(
    alr: Alr, picture: Path, mask: Path, tmp_path: Path, arguments: list[str], code: int
) -> None:
    paths = {
        "mask": mask,
        "other": write_picture(tmp_path / "other.png", scene(8, 8, 1)),
        "full": write_picture(tmp_path / "full.png", np.ones((24, 32, 1), np.float32)),
        "empty": write_picture(tmp_path / "empty.png", np.zeros((24, 32, 1), np.float32)),
        "text": tmp_path / "text.png",
    }
    paths["text"].write_text("text")
    output = tmp_path / "x.png"
    result = alr("inpaint", picture, *(a.format(**paths) for a in arguments), "-o", output)
    assert result.code == code
    assert result.stderr.count("error:") == 1
    assert not output.exists()
