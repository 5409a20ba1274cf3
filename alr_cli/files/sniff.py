"""Determine the format of a file by its bytes. Formats that are not supported are refused by their names."""

from pathlib import PurePath
from typing import Literal

from alr_cli.errors import InputError

Format = Literal["png", "jpeg", "tiff", "webp", "bmp", "pnm"]

EXTENSIONS: dict[str, Format] = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".webp": "webp",
    ".bmp": "bmp",
    ".pnm": "pnm",
    ".pbm": "pnm",
    ".pgm": "pnm",
    ".ppm": "pnm",
}
FORMATS: tuple[Format, ...] = ("png", "jpeg", "tiff", "webp", "bmp", "pnm")
HEAD = 4096
"""Number of bytes that `sniff` examines."""

_RAW = ("a camera RAW file", "develop it to a 16-bit TIFF first, for example with darktable or RawTherapee")
_CONVERT = "convert it to PNG or TIFF first"
_PICTURE_SUFFIXES = {
    suffix: remedy
    for suffixes, remedy in (
        (
            ".cr2 .cr3 .crw .nef .nrw .arw .srf .sr2 .dng .raf .rw2 .orf .pef .srw .3fr .iiq .x3f .erf .mrw "
            ".dcr .kdc .mos .raw .rwl",
            "develop camera RAW files to 16-bit TIFF first, for example with darktable or RawTherapee",
        ),
        (
            ".heic .heif .avif",
            "convert them to PNG first, for example with ImageMagick: magick in.heic out.png",
        ),
        (".gif", "take the frames you want as PNG first"),
        (".psd .psb .xcf .kra", "export them as TIFF first"),
        (".jp2 .j2k .jpf .jxl .jxr .jls .tga .dds .qoi .ico .pfm .pam", "convert them to PNG or TIFF first"),
        (".exr .hdr .fits .fit", "convert them to float TIFF first"),
        (".svg .pdf .eps .ai", "render them to PNG first"),
        (".mp4 .mov .avi .mkv .webm", "extract the frames as PNG first, for example with ffmpeg"),
    )
    for suffix in suffixes.split()
}
_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"GIF8", "a GIF", "take the frame you want as a PNG first"),
    (b"8BPS", "a Photoshop document", "export it as a TIFF first"),
    (b"gimp xcf", "a GIMP document", "export it as a PNG or TIFF first"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL", _CONVERT),
    (b"\xff\x0a", "JPEG XL", _CONVERT),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000", _CONVERT),
    (b"\xff\x4f\xff\x51", "JPEG 2000", _CONVERT),
    (b"\x76\x2f\x31\x01", "OpenEXR", "convert it to a float TIFF first"),
    (b"#?RADIANCE", "Radiance HDR", "convert it to a float TIFF first"),
    (b"\x8bJNG", "JNG", _CONVERT),
    (b"\x8aMNG", "MNG", _CONVERT),
    (b"qoif", "QOI", _CONVERT),
    (b"DDS ", "a DirectDraw texture", _CONVERT),
    (b"SIMPLE  =", "FITS", _CONVERT),
    (b"\x89HDF", "HDF5", _CONVERT),
    (b"\x93NUMPY", "a NumPy array", "save it as a float TIFF first"),
    (b"\x00\x00\x01\x00", "an icon", _CONVERT),
    (b"%PDF", "a PDF", "render the page to a PNG first"),
    (b"P7", "PAM", "convert it to PNG or PPM first"),
    (b"PF", "PFM", "convert it to a float TIFF first"),
    (b"Pf", "PFM", "convert it to a float TIFF first"),
    (b"PK\x03\x04", "a zip archive", "unpack it first"),
    (b"\x1f\x8b", "gzip data", "unpack it first"),
    (b"FUJIFILM", *_RAW),
    (b"IIRO", *_RAW),
    (b"IIU\x00", *_RAW),
    (b"version https://git-lfs", "a Git LFS pointer", "fetch the picture itself with git lfs pull"),
)


def format_of_name(path: str | PurePath) -> Format | None:
    """The format that the suffix of an output name asks for, or None."""
    return EXTENSIONS.get(PurePath(path).suffix.lower())


def remedy_of_name(suffix: str) -> str | None:
    """What to do with pictures of an unsupported format, by a suffix such as `.cr2`.

    None for files that are not pictures.
    """
    return _PICTURE_SUFFIXES.get(suffix)


def sniff(head: bytes) -> Format:
    """The format of a file from its first bytes (`HEAD` of them are enough). Raises InputError with the name
    of any other format."""
    known = _supported(head)
    if known:
        return known
    name, remedy = _other(head)
    raise InputError(f"it is {name}, not PNG, JPEG, TIFF, WebP, BMP or PNM; {remedy}")


def _supported(head: bytes) -> Format | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+") and head[8:10] != b"CR":
        return "tiff"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    # the length of the header is below 256
    if head[:2] == b"BM" and len(head) >= 18 and head[15:18] == b"\0\0\0":
        return "bmp"
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in b" \t\r\n\v\f#" and len(head) > 2:
        return "pnm"
    return None


def _other(head: bytes) -> tuple[str, str]:
    if not head:
        return "empty", "check that it was written completely"
    for magic, name, remedy in _OTHERS:
        if head.startswith(magic):
            return name, remedy
    if head[:4] in (b"II*\0", b"MM\0*"):
        return _RAW
    if head[4:8] == b"ftyp":
        return _media(head[8:12])
    if not head.strip(b"\0"):
        return "filled with zeros", "get an undamaged copy"
    return _text(head)


def _media(brand: bytes) -> tuple[str, str]:
    if brand == b"crx ":
        return _RAW
    if brand[:3] in (b"avi", b"avc"):
        return "AVIF", _CONVERT
    if brand[:3] in (b"hei", b"hev", b"mif", b"msf"):
        return "HEIC", _CONVERT
    return "a film", "extract the frames as PNG first, for example with ffmpeg"


def _text(head: bytes) -> tuple[str, str]:
    start = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in start:
        return "an SVG drawing", "render it to a PNG first"
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "a web page", "the download probably failed: fetch the picture itself"
    try:
        text = head[:1024].decode("utf-8", errors="strict" if len(head) < 1024 else "ignore")
    except UnicodeDecodeError:
        return "of an unknown kind", _CONVERT
    if all(sign.isprintable() or sign in "\t\r\n" for sign in text):
        return "text", "give the picture itself"
    return "of an unknown kind", _CONVERT
