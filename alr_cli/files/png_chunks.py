"""The chunks of a PNG: pixels for the decoder, everything else kept by name."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from alr_cli.errors import InputError
from alr_cli.files.exif import PREFIX

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP = b"XML:com.adobe.xmp\0\0\0\0\0"
"""The first bytes of an uncompressed iTXt chunk with XMP."""
COLOUR = {"cICP", "sRGB", "gAMA", "cHRM", "mDCV", "cLLI"}
"""Chunks that determine the colours of the numbers."""
MAX_PROFILE = 16_000_000

_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_PIXEL = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_FRAMES = {b"acTL", b"fcTL", b"fdAT"}
_OUTDATED = {b"sBIT", b"hIST", b"tIME"}  # true for the old picture, but not for the restored one
_ADAM7 = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)
_RESAVE = "save it again with another program"


@dataclass(frozen=True)
class Header:
    """IHDR, checked. kind: 0 gray, 2 RGB, 3 palette, 4 gray with alpha, 6 RGBA."""

    width: int
    height: int
    bits: int
    kind: int
    interlaced: bool

    @property
    def channels(self) -> int:
        """Number of channels after expanding a palette."""
        return _CHANNELS[self.kind]

    @property
    def filtered_size(self) -> int:
        """Bytes of all rows with their filter bytes, in one pass or in the seven passes of Adam7."""
        pixel_bits = self.bits * (1 if self.kind == 3 else self.channels)
        total = 0
        for left, top, across, down in _ADAM7 if self.interlaced else ((0, 0, 1, 1),):
            columns, rows = -(-(self.width - left) // across), -(-(self.height - top) // down)
            if columns > 0 and rows > 0:
                total += rows * (1 + -(-columns * pixel_bits // 8))
        return total


@dataclass
class Chunks:
    """The chunks of a PNG.

    `pixels` and `frames` are whole chunks for a decoder of a single picture or of an animation. `lost` names
    chunks that cannot be kept.
    """

    header: Header
    pixels: list[bytes] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    names: set[bytes] = field(default_factory=set)
    frame_count: int = 1
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    extras: list[tuple[str, bytes]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def transparent(self) -> bool:
        """Whether a tRNS chunk adds an alpha channel."""
        return b"tRNS" in self.names


def take_apart(data: bytes) -> Chunks:
    """The chunks of a PNG up to IEND.

    Raises InputError if a necessary chunk is damaged or missing, or an unknown one is marked as critical.
    """
    lost: list[str] = []
    walk = _walk(data, lost)
    name, payload, raw = next(walk)
    if name == b"CgBI":
        raise InputError(
            "it is a PNG as iPhone apps hold it (CgBI), which is not supported; convert it with Xcode first: "
            "xcrun -sdk iphoneos pngcrush -revert-iphone-optimizations in.png out.png"
        )
    if name != b"IHDR" or len(payload) != 13:
        raise InputError("its header is damaged; get an undamaged copy")
    chunks = Chunks(_header(payload), pixels=[raw], frames=[raw], lost=lost)
    for name, payload, raw in walk:
        if name in _PIXEL:
            if not _belongs(name, payload, chunks):
                continue
            chunks.pixels.append(raw)
            chunks.frames.append(raw)
        elif name in _FRAMES:
            chunks.frames.append(raw)
            if name == b"acTL" and len(payload) == 8:
                chunks.frame_count = max(1, struct.unpack_from(">I", payload)[0])
        elif name[0] & 32 == 0:
            raise InputError(f"its chunk {name.decode()} is unknown and marked as critical; {_RESAVE}")
        elif name not in _OUTDATED:
            _keep(name, bytes(payload), chunks)
        chunks.names.add(name)
    if b"IDAT" not in chunks.names or (chunks.header.kind == 3 and b"PLTE" not in chunks.names):
        raise InputError("its pixels or its palette are missing; get a complete copy")
    return chunks


def _header(payload: memoryview) -> Header:
    width, height, bits, kind, *methods = struct.unpack(">IIBBBBB", payload)
    if bits not in _DEPTHS.get(kind, ()) or methods not in ([0, 0, 0], [0, 0, 1]):
        raise InputError(f"its header asks for {bits} bits of colour type {kind}; get an undamaged copy")
    return Header(width, height, bits, kind, methods[2] == 1)


def _walk(data: bytes, lost: list[str]) -> Iterator[tuple[bytes, memoryview, bytes]]:
    """(name, payload, chunk with length and checksum) of every undamaged chunk up to IEND."""
    view, offset, name = memoryview(data), len(SIGNATURE), b""
    while name != b"IEND":
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
        offset = end
    if offset < len(data):
        lost.append(f"{len(data) - offset} bytes after the end")


def _belongs(name: bytes, payload: memoryview, chunks: Chunks) -> bool:
    """Whether a pixel chunk is needed for this colour type. A suggested palette of an RGB picture is not."""
    kind, size = chunks.header.kind, len(payload)
    if name == b"IHDR":
        raise InputError("it has two headers; get an undamaged copy")
    if name == b"PLTE":
        if kind == 3 and (size % 3 or not 3 <= size <= 768 or name in chunks.names):
            raise InputError("its palette is damaged; get an undamaged copy")
        return kind == 3
    if name == b"tRNS":
        fits = size == {0: 2, 2: 6}.get(kind, 0) or (kind == 3 and 1 <= size <= 256)
        if not fits or b"IDAT" in chunks.names or name in chunks.names:
            chunks.lost.append("tRNS (damaged)")
            return False
    if name == b"IDAT" and b"acTL" in chunks.names and not {b"IDAT", b"fcTL"} & chunks.names:
        chunks.frame_count += 1  # a picture for viewers without animation, which is not a frame itself
    return True


def _keep(name: bytes, payload: bytes, chunks: Chunks) -> None:
    if name == b"iCCP":
        chunks.icc = _profile(payload, chunks.lost)
    elif name == b"eXIf":
        chunks.exif = payload.removeprefix(PREFIX)  # some writers add this prefix against the specification
    elif name == b"pHYs" and len(payload) == 9 and payload[8] == 1:
        x, y = struct.unpack_from(">II", payload)
        chunks.dpi = (x * 0.0254, y * 0.0254) if x and y else None
    elif name == b"iTXt" and payload.startswith(XMP):
        chunks.xmp = payload[len(XMP) :]
    elif name.decode() in COLOUR or name[3] & 32:  # a lower-case fourth letter means: safe to copy
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


def check_pixels(chunks: Chunks) -> None:
    """Decompress the pixels once without keeping them. libpng accepts wrong checksums and prints on
    stderr."""
    missing = chunks.header.filtered_size
    unpacker = zlib.decompressobj()
    try:
        for raw in chunks.pixels:
            packed = memoryview(raw)[8:-4] if raw[4:8] == b"IDAT" else b""
            while packed and missing >= 0:
                missing -= len(unpacker.decompress(packed, 1 << 20))
                packed = unpacker.unconsumed_tail
    except zlib.error as error:
        raise InputError(f"its pixels are damaged ({error}); get an undamaged copy") from error
    if missing < 0 or unpacker.unused_data:
        raise InputError(f"it holds more pixels than its header says; {_RESAVE}")
    if missing > 0 or not unpacker.eof:
        raise InputError("its pixels are cut short; get a complete copy")


def chunk(name: str, payload: bytes) -> bytes:
    """One chunk with its length and checksum."""
    body = name.encode() + payload
    return struct.pack(">I", len(payload)) + body + struct.pack(">I", zlib.crc32(body))
