"""What a JPEG file holds before it is decoded, and files of which it cannot be told."""

import sys

import numpy as np
import pytest

from alr_cli.errors import InputError, UsageError
from alr_cli.files.jpeg_coefficients import read_coefficients
from tests.files.coded import a_photograph, decoded_by_pillow, jpeg_of
from tests.files.seeds import seed_files

FLAVOURS = {
    "gray": jpeg_of(a_photograph(gray=True)),
    "4:4:4": jpeg_of(a_photograph()),
    "4:2:2": jpeg_of(a_photograph(), subsampling=1),
    "4:2:0": jpeg_of(a_photograph(), subsampling=2),
    "progressive": jpeg_of(a_photograph(), subsampling=2, progressive=True),
    "optimised": jpeg_of(a_photograph(), quality=90, optimize=True),
    "tiny": jpeg_of(a_photograph(1, 3), subsampling=2),
}


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_coefficients_decode_to_what_every_decoder_shows(flavour: str) -> None:
    """But for rounding to whole levels, and for few pixels whose luma or chroma decoders clip."""
    file = FLAVOURS[flavour]
    coefficients = read_coefficients(file, "a file")
    expected = decoded_by_pillow(file)
    decoded = coefficients.decoded()[0, :, : coefficients.height, : coefficients.width]
    difference = np.abs(decoded.permute(1, 2, 0).clamp(0, 1).numpy() - expected) * 255
    assert decoded.shape[1:] == expected.shape[:2]
    assert difference.mean() < 0.7
    assert np.quantile(difference, 0.99) < 2.0


def test_what_is_no_jpeg_is_refused() -> None:
    with pytest.raises(InputError, match=r"in.png is not a JPEG.*omit --jpeg"):
        read_coefficients(None, "in.png")


def test_a_file_coded_in_cmyk_is_refused() -> None:
    with pytest.raises(InputError, match=r"is coded as .*omit --jpeg"):
        read_coefficients(seed_files()["jpeg-cmyk"], "print.jpg")


def test_without_jpeglib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jpeglib", None)
    with pytest.raises(UsageError, match=r"pip install 'alr-cli\[jpeg\]'"):
        read_coefficients(FLAVOURS["gray"], "a file")


def test_a_damaged_file_ends_in_a_sentence() -> None:
    file = FLAVOURS["4:2:0"]
    with pytest.raises(InputError, match="cannot be read"):
        read_coefficients(file.replace(b"\xff\xc4", b"\xff\xc5", 1), "broken.jpg")
