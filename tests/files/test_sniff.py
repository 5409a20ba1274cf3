"""Formats are recognised by their first bytes, and unsupported formats are named."""

import pytest

from alr_cli.errors import InputError, OutputError
from alr_cli.files import pictures
from alr_cli.files.pictures import EXTENSIONS, FORMATS, Picture, decode, encode, format_of_name
from alr_cli.files.sniff import HEAD, sniff
from tests.files.seeds import pil, save, seed_files

FOREIGN = {
    b"": "it is empty",
    b"GIF89a\x01\x00\x01\x00": "it is a GIF",
    b"\x00\x00\x00\x18ftypheic\x00\x00": "it is HEIC",
    b"\x00\x00\x00\x18ftypmif1\x00\x00": "it is HEIC",
    b"\x00\x00\x00\x1cftypavif\x00\x00": "it is AVIF",
    b"\x00\x00\x00\x18ftypcrx \x00\x00": "it is a camera RAW file",
    b"\x00\x00\x00\x18ftypisom\x00\x00": "it is a film",
    b"FUJIFILMCCD-RAW ": "it is a camera RAW file",
    b"II*\0\x10\0\0\0CR\x02\0": "it is a camera RAW file",
    b"IIRO\x08\0\0\0": "it is a camera RAW file",
    b"<?xml version='1.0'?><svg xmlns='x'/>": "it is an SVG drawing",
    b"<!DOCTYPE html><html></html>": "it is a web page",
    b"\xef\xbb\xbf  <html></html>": "it is a web page",
    b"version https://git-lfs.github.com/spec/v1\noid": "it is a Git LFS pointer",
    b"hello there\n": "it is text",
    "größe\n".encode(): "it is text",
    b"\0" * 5000: "it is filled with zeros",
    b"\x93NUMPY\x01\0": "it is a NumPy array",
    b"%PDF-1.7": "it is a PDF",
    b"8BPS\0\1": "it is a Photoshop document",
    b"P7\nWIDTH 1\n": "it is PAM",
    b"Pf\n1 1\n-1.0\n": "it is PFM",
    b"\xff\x0a\x00": "it is JPEG XL",
    b"PK\x03\x04": "it is a zip archive",
    b"\x1f\x8b\x08": "it is gzip data",
    b"\x00\x00\x01\x00\x01\x00": "it is an icon",
    b"v/1\x01\x02": "it is OpenEXR",
    b"BMW is a car, not a bitmap": "it is text",
    b"P3rhaps text": "it is text",
    b"\xde\xad\xbe\xef" * 9: "it is of an unknown kind",
    b"control \x01 signs": "it is of an unknown kind",
}


@pytest.mark.parametrize(("data", "sentence"), FOREIGN.items(), ids=list(FOREIGN.values()))
def test_what_is_not_supported_is_refused_by_its_name_with_a_remedy(data: bytes, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        decode(data, "holiday.png")
    reason = str(caught.value)
    assert reason.startswith(f"cannot read holiday.png: {sentence}")
    assert "; " in reason and "\n" not in reason


@pytest.mark.parametrize("name", seed_files())
def test_the_first_bytes_suffice(name: str) -> None:
    wanted = {"apng": "png", "bigtiff": "tiff", "ppm": "pnm", "ppm16": "pnm", "pgm": "pnm", "pbm": "pnm"}
    kind = name.split("-")[0]
    assert sniff(seed_files()[name][:HEAD]) == wanted.get(kind, kind)


def test_the_bytes_decide_and_not_the_name() -> None:
    assert decode(save(pil("RGB"), "JPEG"), "holiday.png").format == "jpeg"


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.PNG", "png"),
        ("b/c.d.jpeg", "jpeg"),
        ("x.TIF", "tiff"),
        ("p.pgm", "pnm"),
        ("noise", None),
        (".png", None),
    ],
)
def test_the_suffix_of_an_output_names_its_format(name: str, format: str | None) -> None:
    assert format_of_name(name) == format
    assert set(EXTENSIONS.values()) == set(FORMATS)


def test_a_stream_is_named_in_words() -> None:
    with pytest.raises(InputError, match=r"^cannot read standard input: it is text"):
        decode(b"hello there\n")


def test_whatever_a_decoder_or_encoder_raises_becomes_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = decode(save(pil("RGB"), "PPM"))
    for error, reason in (
        (MemoryError(), "it needs more memory than there is; crop it first"),
        (
            ZeroDivisionError("of\ntwo lines"),
            "it is damaged (ZeroDivisionError: of two lines); get an undamaged copy",
        ),
        (RecursionError(), "it is damaged (RecursionError:); get an undamaged copy"),
    ):

        def fail(*_: object, error: Exception = error) -> Picture:
            raise error

        with monkeypatch.context() as patch:
            patch.setitem(pictures._READERS, "pnm", fail)
            with pytest.raises(InputError) as caught:
                decode(b"P5 1 1 255\n\0", "a.pgm")
        assert str(caught.value) == f"cannot read a.pgm: {reason}"
    with monkeypatch.context() as patch:
        patch.setitem(pictures._WRITERS, "pnm", fail)
        with pytest.raises(
            OutputError, match=r"^cannot write standard output: RecursionError:; try another format$"
        ):
            encode(picture, "pnm")
