"""`--compare`: what it draws, and what is refused before any work."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alr_cli.cli.report.compare import Comparison
from alr_cli.cli.restore.task import Prepared
from alr_cli.core.places import informative_places
from alr_cli.files.pictures import Picture
from tests.conftest import FAST, Alr, scene, write_picture

pytestmark = pytest.mark.usefixtures("tiny_weights")

TASKS = {
    "denoise": (),
    "deblur": ("--kernel", "gaussian:3:1"),
    "inpaint": ("--missing", "0.3"),
}


@pytest.fixture
def large(tmp_path: Path) -> Path:
    return write_picture(tmp_path / "large.png", scene(150, 260))


def size_of(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as image:
        return image.size


@pytest.mark.parametrize("task", TASKS)
def test_a_sheet_has_a_column_for_each_strength_and_a_row_for_each_place(
    alr: Alr, large: Path, tmp_path: Path, task: str
) -> None:
    options = ("-o", tmp_path / "out.png", "--sigma", 0.1, "--compare", tmp_path / "sheet.png", *FAST)
    result = alr(task, large, *TASKS[task], *options)
    assert result.code == 0, result.stderr
    assert f"{tmp_path / 'sheet.png'} written" in result.stderr
    assert size_of((tmp_path / "sheet.png").read_bytes())[0] > 5 * 2 * 112


def test_crops_are_the_same_place_at_each_strength(tmp_path: Path) -> None:
    """The result of `again` encodes the strength in red, and the position of the crop in green and blue."""
    height, width = 150, 260
    y, x = np.mgrid[:height, :width] / 300
    before = np.stack([np.zeros_like(x), y, x], axis=-1).astype(np.float32)
    prepared = Prepared(Picture(before, "uint8", "png"))
    asked: list[float] = []

    def again(part: Prepared, strength: float) -> np.ndarray:
        asked.append(strength)
        pixels = part.picture.pixels.copy()
        pixels[..., 0] = strength / 10
        return pixels

    restored = before.copy()
    restored[..., 0] = 0.2
    comparison = Comparison(str(tmp_path / "sheet.png"))
    comparison.look("title", prepared, restored, 2.0, again, None)
    assert comparison.write() == [tmp_path / "sheet.png"]
    places = informative_places(before, restored)
    assert asked == pytest.approx([1.0, 1.4, 2.8] * len(places))
    with Image.open(tmp_path / "sheet.png") as image:
        sheet = np.asarray(image).astype(int)
    side = 2 * places[0].side
    for row, place in enumerate(places):
        for column, red in enumerate([0, 0.1, 0.14, 0.2, 0.28]):
            top, left = 26 + row * (side + 6), 74 + column * (side + 6)
            crop = sheet[top : top + side : 2, left : left + side : 2]
            shown = np.rint(place.of(before) * 255)
            shown[..., 0] = np.rint(red * 255)
            assert np.abs(crop - shown).max() <= 1


def test_a_page_holds_both_pictures_and_the_true_one(alr: Alr, large: Path, tmp_path: Path) -> None:
    options = ("--sigma", 0.1, "--reference", large, "--compare", tmp_path / "page.html", *FAST)
    result = alr("denoise", large, *options)
    assert result.code == 0, result.stderr
    text = (tmp_path / "page.html").read_text()
    assert text.count("data:image/png;base64,") == 3 and "true picture" in text and "large.png" in text
    assert size_of(result.stdout) == (260, 150)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--compare", "x.jpg"), 2, ".html"),
        (("--compare", "large.png", "--overwrite"), 2, "used otherwise"),
        (("--compare", "there.html"), 4, "--overwrite"),
        (("--compare", "gone/x.html"), 4, "folder"),
        (("--compare", "x.png", "--lam", "0.1"), 2, "--strength"),
        (("--compare", "x.html", "there.html"), 2, "name a single one"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_any_work(
    alr: Alr, large: Path, options: tuple[str, ...], code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(large.parent)
    Path("there.html").write_bytes(b"")
    result = alr("denoise", "large.png", "-o", "out/", "--sigma", "0.1", *options, *FAST)
    assert (result.code, result.stderr.count("\n")) == (code, 1), result.stderr
    assert said in result.stderr
    assert sorted(path.name for path in large.parent.iterdir()) == ["large.png", "there.html"]
