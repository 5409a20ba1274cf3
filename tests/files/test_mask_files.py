"""The meaning of mask files: an unambiguous interpretation is used, and everything else is refused by
name."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage import data as pictures

from alr_cli.errors import UsageError
from alr_cli.files.mask_files import grown, marked
from alr_cli.files.pictures import Picture, decode
from tests.files.seeds import save, tiff

SIZE = (40, 60)
HOLE = np.zeros(SIZE, bool)
HOLE[5:9, 10:50] = HOLE[20:30, 30:33] = True
BRUSH = np.asarray(HOLE * 255, np.uint8)
RED, BLACK, WHITE = np.array([255, 0, 0]), np.zeros(3), np.full(3, 255)


def two(mark: Any, ground: Any) -> np.ndarray:
    """(H, W, C) uint8 with `mark` in the hole."""
    return np.where(HOLE[..., None], np.asarray(mark), np.asarray(ground)).astype(np.uint8)


def png(samples: np.ndarray, **options: Any) -> Picture:
    return decode(save(Image.fromarray(np.squeeze(samples)), "PNG", **options))


def soft_strokes() -> np.ndarray:
    """An anti-aliased brush, drawn at four times the size."""
    image = Image.new("L", (SIZE[1] * 4, SIZE[0] * 4))
    ImageDraw.Draw(image).line([(20, 30), (210, 120), (60, 150)], fill=255, width=11)
    return np.asarray(image.resize(SIZE[::-1], Image.Resampling.BOX))


def label_tiff(kind: str) -> Picture:
    return decode(tiff((HOLE * (3 if kind == "uint16" else 255)).astype(kind), photometric="minisblack"))


READINGS = {
    "white on black": png(two([255], [0])),
    "1-bit": decode(save(Image.fromarray(HOLE), "PNG")),
    "0 and 1": png(two([1], [0])),
    "a label of 3": png(two([3], [0])),
    "a label of 3 in 16 bits": label_tiff("uint16"),
    "a float file of 0 and 255": label_tiff("float32"),
    "red on black": png(two(RED, BLACK)),
    "red on white": png(two(RED, WHITE)),
    "dark blue on black": png(two([0, 0, 160], BLACK)),
    "red in JPEG": decode(save(Image.fromarray(two(RED, BLACK)), "JPEG", quality=95, subsampling=0)),
    "white in JPEG": decode(save(Image.fromarray(BRUSH), "JPEG", quality=75)),
    "JPEG saved as PNG": png(
        np.asarray(Image.open(io.BytesIO(save(Image.fromarray(BRUSH), "JPEG", quality=60))))
    ),
    "black on a layer": png(two([0, 0, 0, 255], [0, 0, 0, 0])),
    "white on a layer": png(two([255, 255, 255, 255], [0, 0, 0, 0])),
    "red on a layer": png(two([255, 0, 0, 255], [0, 0, 0, 0])),
    "thin red on a layer": png(two([255, 0, 0, 100], [0, 0, 0, 0])),
    "gray with alpha": png(two([0, 255], [0, 0])),
    "a palette of black and red": png(np.asarray(HOLE, np.uint8)),
}


@pytest.mark.parametrize("name", READINGS)
def test_unambiguous_masks_are_accepted(name: str) -> None:
    mask = READINGS[name]
    lossy = "JPEG" in name
    found = marked(mask).repaired
    assert found[HOLE].all()
    assert np.array_equal(found & ~grown(HOLE, 8), np.zeros_like(found))  # compression reaches 7 pixels far
    assert lossy or np.array_equal(found, HOLE)
    if not lossy:
        assert np.array_equal(marked(mask, invert=True).repaired, ~HOLE)


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("colour", [WHITE, RED])
def test_every_pixel_that_the_brush_touched_counts(colour: np.ndarray, alpha: bool) -> None:
    coverage = soft_strokes()
    if alpha:
        mask = png(np.dstack([np.broadcast_to(colour, (*SIZE, 3)), coverage]).astype(np.uint8))
    else:
        mask = png(np.rint(coverage[..., None] / 255 * colour).astype(np.uint8))
    found = marked(mask)
    assert found.soft or colour is RED
    assert np.array_equal(found.repaired, coverage > 0)


def test_the_interpretation_of_a_mask_is_reported_if_it_is_not_obvious() -> None:
    assert marked(READINGS["white on black"]).notes == ()
    assert marked(READINGS["0 and 1"]).notes == (
        "its values are 0 and 1 of 255; the higher one is taken for white",
    )
    assert "#ff0000 on black" in marked(READINGS["red on black"]).notes[0]
    assert "#ff0000 on white" in marked(READINGS["red on white"]).notes[0]
    assert "transparent layer" in marked(READINGS["black on a layer"]).notes[0]


LABELS = (np.indices(SIZE).sum(0) // 20).astype(np.uint8)
REFUSED = {
    "values from 0 to 4 of 255 and no white": png(LABELS),
    "values 200 and 255 of 255 and no black": png(two([255], [200])),
    "the value 7 of 255 everywhere": png(np.full(SIZE, 7, np.uint8)),
    "lie between black and white, as in a photograph": png(pictures.camera()),
    "hardly any black or white": png(pictures.astronaut()[:100, 300:400] // 2 + 60),
    "several colours beside black": png(
        np.stack([LABELS == 1, LABELS == 2, LABELS == 3], axis=-1).astype(np.uint8) * 255
    ),
    "transparent everywhere": png(np.zeros((*SIZE, 4), np.uint8)),
    "it is black with transparent parts": png(two([0, 0, 0, 0], [0, 0, 0, 255])),
    "it has colours and transparent parts": png(
        np.dstack([pictures.astronaut()[:40, :60], ~HOLE * 255]).astype(np.uint8)
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_other_masks_are_refused_by_name(reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        marked(REFUSED[reason])
    assert reason in str(caught.value)
    assert "white where the picture is to be repaired" in str(caught.value)


@pytest.mark.parametrize("pixels", [0, 1, 3])
def test_a_mask_grows_by_so_many_pixels_on_all_sides(pixels: int) -> None:
    point = np.zeros((15, 15), bool)
    point[7, 7] = True
    found = grown(point, pixels)
    assert found[7].sum() == found[:, 7].sum() == 2 * pixels + 1
    assert np.array_equal(found, found.T)
    assert not grown(np.zeros((3, 3), bool), pixels).any()


def test_numbers_that_are_no_colours_are_cut_to_black_and_white(capfd: pytest.CaptureFixture[str]) -> None:
    pixels = np.where(HOLE[..., None], np.float32([3e38, -3e38, np.nan]), np.float32(-1e38))
    assert np.array_equal(marked(Picture(pixels, "float32", "tiff")).repaired, HOLE)
    assert capfd.readouterr() == ("", "")
