"""PNG: pixels through libpng (8 and 16 bits), every other chunk carried by hand.

libpng is given the pixel chunks alone: it never sees compressed text or profiles, so they cannot be bombs,
and nothing that it does not know is lost.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alr_cli.errors import InputError
from alr_cli.files.limits import check_size, choose_page
from alr_cli.files.picture import Picture, from_samples

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_PROFILE = 16_000_000
LEVEL = 4
"""zlib level: 6 takes eight times as long for 3 % less."""

_XMP = b"XML:com.adobe.xmp\0"
_XMP_PLAIN = _XMP + b"\0\0\0\0"
_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_PIXEL = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_FRAMES = {b"acTL", b"fcTL", b"fdAT"}
_OUTDATED = {b"sBIT", b"hIST", b"tIME"}
"""True of the old picture, not of the restored one."""
_COLOUR = {"cICP", "sRGB", "gAMA", "cHRM", "mDCV", "cLLI"}
_SRGB = {
    ("gAMA", struct.pack(">I", 45455)),
    ("cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
}


@dataclass
class _Chunks:
    """A PNG taken apart: the pixel chunks as they are, the rest by name."""

    header: bytes = b""
    pixels: list[bytes] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    names: set[bytes] = field(default_factory=set)
    frame_count: int = 1
    default_apart: bool = False
    palette_alpha: bool = False
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    extras: list[tuple[str, bytes]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read(data: bytes, max_pixels: int, page: int | None) -> Picture:
    """Gray, RGB and palettes, with alpha or without, 1 to 16 bits; frames of 8-bit animations."""
    import imagecodecs

    chunks = _take_apart(data)
    width, height, bits, kind = struct.unpack_from(">IIBB", chunks.header)
    if bits not in _DEPTHS.get(kind, ()):
        raise InputError(f"its header asks for {bits} bits of colour type {kind}; get an undamaged copy")
    channels = _CHANNELS[kind] + (b"tRNS" in chunks.names)
    check_size(width, height, channels * (2 if bits == 16 else 1), len(data), max_pixels)
    frame = choose_page(page, chunks.frame_count, "frame")
    if frame == 0:
        samples = imagecodecs.png_decode(SIGNATURE + b"".join(chunks.pixels))
    elif bits == 16:
        raise InputError("frames of 16-bit animations cannot be taken out; split it first")
    else:
        samples = _frame(SIGNATURE + b"".join(chunks.frames), frame)
    if samples.shape[:2] != (height, width):
        raise InputError("its pixels do not match its header; get an undamaged copy")
    alpha = samples.ndim == 3 and samples.shape[2] in (2, 4)
    picture = from_samples(samples, "png", alpha=alpha)
    return replace(
        picture,
        icc=chunks.icc,
        exif=chunks.exif,
        dpi=chunks.dpi,
        xmp=chunks.xmp,
        extras=tuple(chunks.extras),
        notes=tuple(_notes(chunks, bits, kind, alpha)),
    )


def _notes(chunks: _Chunks, bits: int, kind: int, alpha: bool) -> Iterator[str]:
    if kind == 3:
        yield f"palette expanded to {'RGBA' if alpha else 'RGB'}"
    elif b"tRNS" in chunks.names:
        yield "transparent colour turned into an alpha channel"
    if bits < 8 and kind == 0:
        yield f"{bits}-bit gray expanded to 8 bits"
    if chunks.lost:
        yield f"PNG chunks that cannot be kept: {', '.join(sorted(set(chunks.lost)))}"
    yield from chunks.notes


def _frame(data: bytes, frame: int) -> NDArray[Any]:
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        image.seek(frame)
        image.load()
        return np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))


def _take_apart(data: bytes) -> _Chunks:
    chunks = _Chunks()
    for name, payload, raw in _walk(data, chunks.lost):
        if not chunks.header and name != b"IHDR":
            raise InputError("its header is missing; get an undamaged copy")
        if name in _PIXEL:
            if name == b"IHDR":
                if len(payload) != 13 or chunks.header:
                    raise InputError("its header is damaged; get an undamaged copy")
                chunks.header = bytes(payload)
            chunks.pixels.append(raw)
        if name in _PIXEL | _FRAMES:
            _count_frames(name, payload, chunks)
            chunks.frames.append(raw)
        elif name[0] & 32 == 0:
            raise InputError(f"its chunk {name!r} is unknown and marked as critical; {_RESAVE}")
        elif name not in _OUTDATED:
            _keep(name, bytes(payload), chunks)
        chunks.names.add(name)
    if b"IDAT" not in chunks.names:
        raise InputError("it holds no pixels; get a complete copy")
    chunks.frame_count += chunks.default_apart
    return chunks


_RESAVE = "save it again with another program"


def _walk(data: bytes, lost: list[str]) -> Iterator[tuple[bytes, memoryview, bytes]]:
    """(name, payload, chunk with length and checksum) of every sound chunk up to IEND."""
    view, offset = memoryview(data), len(SIGNATURE)
    while True:
        if offset + 12 > len(data):
            raise InputError("it is cut short; get a complete copy")
        length, name = struct.unpack_from(">I4s", data, offset)
        end = offset + 12 + length
        if not name.isalpha() or end > len(data):
            raise InputError("it is damaged or cut short; get a complete copy")
        if zlib.crc32(view[offset + 4 : end - 4]) == struct.unpack_from(">I", data, end - 4)[0]:
            yield name, view[offset + 8 : end - 4], data[offset:end]
        elif name[0] & 32 == 0 or name in _PIXEL | _FRAMES:
            raise InputError(f"the checksum of its {name.decode()} chunk is wrong; get an undamaged copy")
        else:
            lost.append(f"{name.decode()} (damaged)")
        if name == b"IEND":
            if end < len(data):
                lost.append(f"{len(data) - end} bytes after the end")
            return
        offset = end


def _count_frames(name: bytes, payload: memoryview, chunks: _Chunks) -> None:
    if name == b"acTL" and len(payload) == 8:
        chunks.frame_count = max(1, struct.unpack(">I", payload[:4])[0])
    elif name == b"IDAT" and b"acTL" in chunks.names:
        chunks.default_apart |= b"fcTL" not in chunks.names


def _keep(name: bytes, payload: bytes, chunks: _Chunks) -> None:
    if name == b"iCCP":
        chunks.icc = _profile(payload, chunks.lost)
    elif name == b"eXIf":
        chunks.exif = payload
    elif name == b"pHYs" and len(payload) == 9 and payload[8] == 1:
        x, y = struct.unpack_from(">II", payload)
        chunks.dpi = (x * 0.0254, y * 0.0254) if x and y else None
    elif name == b"iTXt" and payload.startswith(_XMP_PLAIN):
        chunks.xmp = payload[len(_XMP_PLAIN) :]
    elif name.decode() in _COLOUR or name[3] & 32:  # the lower case of the fourth letter means: safe to copy
        chunks.extras.append((name.decode(), payload))
    else:
        chunks.lost.append(name.decode())


def _profile(payload: bytes, lost: list[str]) -> bytes | None:
    name, _, packed = payload.partition(b"\0")
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(packed[1:], MAX_PROFILE)
    except zlib.error:
        profile = b""
    if len(profile) >= MAX_PROFILE:
        raise InputError(
            f"its colour profile unpacks to more than {MAX_PROFILE / 1e6:.0f} MB; remove it first"
        )
    if not profile or not unpacker.eof or not 0 < len(name) < 80:
        lost.append("iCCP (damaged)")
        return None
    return profile


def write(samples: NDArray[Any], picture: Picture) -> bytes:
    """samples: (H, W, 1..4) uint8 or uint16."""
    import imagecodecs

    encoded: bytes = bytes(imagecodecs.png_encode(samples, level=LEVEL))
    body = encoded.index(b"IDAT") - 4
    return encoded[:body] + b"".join(_ancillary(picture)) + encoded[body:]


def _ancillary(picture: Picture) -> Iterator[bytes]:
    for name, payload in picture.extras:
        if name in _COLOUR:
            yield _chunk(name, payload)
    if picture.icc:
        yield _chunk("iCCP", b"ICC profile\0\0" + zlib.compress(picture.icc, 9))
    if picture.dpi:
        x, y = (min(round(value / 0.0254), 2**31 - 1) for value in picture.dpi)
        yield _chunk("pHYs", struct.pack(">IIB", x, y, 1))
    if picture.exif:
        yield _chunk("eXIf", picture.exif)
    if picture.xmp:
        yield _chunk("iTXt", _XMP_PLAIN + picture.xmp)
    for name, payload in picture.extras:
        if name not in _COLOUR:
            yield _chunk(name, payload)


def _chunk(name: str, payload: bytes) -> bytes:
    body = name.encode() + payload
    return struct.pack(">I", len(payload)) + body + struct.pack(">I", zlib.crc32(body))


def colour_chunks(picture: Picture) -> tuple[tuple[str, bytes], ...]:
    """The extras that decide how a PNG's numbers look; all else among them is text."""
    return tuple(extra for extra in picture.extras if extra[0] in _COLOUR)


def says_more_than_srgb(extra: tuple[str, bytes]) -> bool:
    """False for a chunk that only states what every reader assumes anyway."""
    return extra[0] != "sRGB" and extra not in _SRGB
