"""Every kind of picture through `denoise` into every format: nothing is lost without a note."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from alr_cli.files.exif import ORIENTATION, read_block
from alr_cli.files.pictures import Picture, decode, encode, format_of_name, read_picture
from tests.conftest import FAST, Alr, scene, write_picture

MODES = {
    "png": ["1", "L", "LA", "P", "P+tRNS", "RGB", "RGBA", "I;16", "RGB;16", "RGBA;16"],
    "tif": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "RGB;16", "RGBA;16", "F", "RGB;F"],
    "jpg": ["L", "RGB"],
    "webp": ["RGB", "RGBA"],
}
SOURCES = [(suffix, mode) for suffix, modes in MODES.items() for mode in modes]
ARTIST = 315
EXIF = (  # a rotation (274: 6) and an artist (315: "abc")
    b"II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\x3b\x01\x02\0\x04\0\0\0abc\0\0\0\0\0"
)
SIZE = (16, 20)
NEAR_ZERO = ("--sigma", "1e-5", "--lam", "1e-9")  # less than a level of 16 bits


def make(path: Path, mode: str) -> Path:
    """A picture of the mode with a profile, a rotation and an artist in its EXIF, and a resolution."""
    gray = mode[0] in "1LIF"
    icc = None if gray else ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if mode.endswith((";16", "F")):
        alpha = np.linspace(0, 1, SIZE[0] * SIZE[1], dtype=np.float32).reshape(SIZE) if "A" in mode else None
        depth, pixels = "float32" if "F" in mode else "uint16", scene(*SIZE, 1 if gray else 3)
        return write_picture(path, pixels, depth, alpha=alpha, icc=icc, exif=EXIF, dpi=(300.0, 300.0))
    image = Image.fromarray((scene(*SIZE) * 255).round().astype(np.uint8))
    if "A" in mode:
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    image = image.convert(mode.split("+")[0])
    options: dict[str, object] = {"icc_profile": icc} if icc else {}
    if mode == "P+tRNS":
        options["transparency"] = image.getpixel((0, 0))
    if path.suffix == ".webp":
        options["lossless"] = True
    exif = Image.Exif()
    exif[ORIENTATION], exif[ARTIST] = 6, "abc"
    image.save(path, exif=exif, dpi=(300, 300), **options)
    return path


def described(picture: Picture) -> dict[int, bytes]:
    """The tags of the EXIF without those that describe how a TIFF stores its pixels."""
    layout, tags = read_block(picture.exif or b"") or (None, {})
    return {code: tags[code].value for code in (ORIENTATION, ARTIST) if layout and code in tags}


@pytest.mark.parametrize(("suffix", "mode"), SOURCES, ids=lambda value: value)
@pytest.mark.usefixtures("tiny_weights")
def test_metadata_are_kept_or_named(alr: Alr, tmp_path: Path, suffix: str, mode: str) -> None:
    source = make(tmp_path / f"a.{suffix}", mode)
    before = read_picture(source)
    assert (before.icc is None) == (mode[0] in "1LIF")
    assert len(described(before)) == 2
    for target in MODES:
        output = tmp_path / f"out.{target}"
        result = alr("denoise", source, "-o", output, *NEAR_ZERO, *FAST)
        if result.code != 0:
            assert result.code == 4
            assert "error: cannot write" in result.stderr
            assert target != suffix
            continue
        after = read_picture(output)
        assert after.depth == before.depth
        assert described(after) == described(before)
        assert after.channels == before.channels or "no gray" in result.stderr
        assert after.icc == before.icc
        if before.alpha is not None:
            assert after.alpha is not None
            assert np.array_equal(after.alpha, before.alpha)
        if after.dpi is None or not np.allclose(after.dpi, before.dpi or 0, atol=0.1):
            assert before.dpi is None or "resolution" in result.stderr
        kind = format_of_name(output)
        assert kind is not None
        unchanged = decode(encode(before, kind)).pixels  # JPEG loses something of its own
        level = 1 / 255 if before.depth == "uint8" else 1 / 65535
        assert np.abs(after.pixels - unchanged).max() <= level * 1.001
