"""PNG: pixels through libpng (8 and 16 bits), all other chunks copied by this module.

libpng receives only the pixel chunks. It never sees compressed text or profiles, which could be bombs, and
nothing that it does not support is lost.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alr_cli.errors import InputError
from alr_cli.files.limits import check_size, choose_page
from alr_cli.files.picture import Picture, from_samples
from alr_cli.files.png_chunks import COLOUR, SIGNATURE, XMP, Chunks, check_pixels, chunk, take_apart

LEVEL = 4
"""zlib level; 6 takes eight times as long for 3 % less."""

_SRGB = {
    ("gAMA", struct.pack(">I", 45455)),
    ("cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
}
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def read(data: bytes, max_pixels: int, page: int | None) -> Picture:
    """Gray, RGB and palettes, with or without alpha, 1 to 16 bits; frames of 8-bit animations."""
    import imagecodecs

    chunks = take_apart(data)
    header = chunks.header
    channels = header.channels + chunks.transparent
    check_size(header.width, header.height, channels * (2 if header.bits == 16 else 1), len(data), max_pixels)
    frame = choose_page(page, chunks.frame_count, "frame")
    if frame == 0:
        check_pixels(chunks)
        samples = imagecodecs.png_decode(SIGNATURE + b"".join(chunks.pixels))
    elif header.bits == 16:
        raise InputError("frames of 16-bit animations cannot be taken out; split it first")
    else:
        samples = _frame(SIGNATURE + b"".join(chunks.frames), frame, _MODES[channels])
    picture = from_samples(
        samples.reshape(header.height, header.width, channels), "png", alpha=channels in (2, 4)
    )
    return replace(
        picture,
        icc=chunks.icc,
        exif=chunks.exif,
        dpi=chunks.dpi,
        xmp=chunks.xmp,
        extras=tuple(chunks.extras),
        notes=tuple(_notes(chunks)),
    )


def _notes(chunks: Chunks) -> Iterator[str]:
    bits, kind = chunks.header.bits, chunks.header.kind
    if kind == 3:
        yield f"palette expanded to {'RGBA' if chunks.transparent else 'RGB'}"
    elif chunks.transparent:
        yield "transparent colour turned into an alpha channel"
    if bits < 8 and kind == 0:
        yield f"{bits}-bit gray expanded to 8 bits"
    if chunks.lost:
        yield f"PNG chunks that cannot be kept: {', '.join(sorted(set(chunks.lost)))}"


def _frame(data: bytes, frame: int, mode: str) -> NDArray[Any]:
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        image.seek(frame)
        image.load()
        return np.asarray(image.convert(mode))


def write(samples: NDArray[Any], picture: Picture) -> bytes:
    """Encode samples (H, W, 1..4), uint8 or uint16."""
    import imagecodecs

    encoded: bytes = bytes(imagecodecs.png_encode(samples, level=LEVEL))
    body = encoded.index(b"IDAT") - 4
    return encoded[:body] + b"".join(_ancillary(picture)) + encoded[body:]


def _ancillary(picture: Picture) -> Iterator[bytes]:
    for name, payload in picture.extras:
        if name in COLOUR:
            yield chunk(name, payload)
    if picture.icc:
        yield chunk("iCCP", b"ICC profile\0\0" + zlib.compress(picture.icc, 9))
    if picture.dpi:
        x, y = (min(round(value / 0.0254), 2**31 - 1) for value in picture.dpi)
        yield chunk("pHYs", struct.pack(">IIB", x, y, 1))
    if picture.exif:
        yield chunk("eXIf", picture.exif)
    if picture.xmp:
        yield chunk("iTXt", XMP + picture.xmp)
    for name, payload in picture.extras:
        if name not in COLOUR:
            yield chunk(name, payload)


def colour_chunks(picture: Picture) -> tuple[tuple[str, bytes], ...]:
    """The extras that determine the colours of a PNG. All other extras are text."""
    return tuple(extra for extra in picture.extras if extra[0] in COLOUR)


def says_more_than_srgb(extra: tuple[str, bytes]) -> bool:
    """Whether a chunk says more than what every reader assumes anyway."""
    return extra[0] != "sRGB" and extra not in _SRGB
