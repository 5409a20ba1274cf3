"""The segments of a JPEG: how its pixels are coded, and everything that is stored beside them."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from alr_cli.errors import InputError
from alr_cli.files.picture import after_the_end

EXIF, XMP, PROFILE, PICTURES = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0", b"MPF\0"
"""The first bytes of the payloads of these segments."""

_REBUILT = (b"JFIF\0", EXIF, XMP, b"Adobe")
"""Segments that the encoder creates again from what was read."""
_NAMES = {
    b"http://ns.adobe.com/xmp/extension/": "extended XMP",
    b"urn:iso:std:iso:ts:21496:-1": "gain map",
    b"JFXX": "thumbnail",
    b"MPF": "further pictures",
    b"ICC_PROFILE": "damaged colour profile",
}
_MARKER = re.compile(rb"\xff+([^\x00\x01\xd0-\xd8\xff])")
_END, _COMMENT, _JPEG_LS = 0xD9, 0xFE, 0xF7
_FRAMES = {*range(0xC0, 0xD0), _JPEG_LS} - {0xC4, 0xC8, 0xCC}
_HIERARCHICAL = {0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF}
_LOSSLESS_ARITHMETIC = 0xCB
_BY_ITS_PROGRAM = "convert it with the program that wrote it, to PNG or TIFF"


@dataclass(frozen=True)
class Frame:
    """The header of the coded pixels. `marker` is the second byte of SOF0 to SOF15, or of JPEG-LS."""

    marker: int
    bits: int
    height: int
    components: int

    def refusals(self) -> Iterator[str]:
        """Reasons why an undamaged frame cannot be decoded here, with what to do."""
        if self.marker == _JPEG_LS:
            yield "it is JPEG-LS, which is not supported; convert it with ffmpeg first: ffmpeg -i in out.png"
        if self.bits != 8:
            yield (
                f"it is a JPEG of {self.bits} bits per sample, of which only 8 are supported; "
                "convert it with ImageMagick first: magick in.jpg out.png"
            )
        if self.marker in _HIERARCHICAL:
            yield f"it is a hierarchical JPEG, which is not supported; {_BY_ITS_PROGRAM}"
        if self.marker == _LOSSLESS_ARITHMETIC:
            yield f"it is a lossless JPEG with arithmetic coding, which is not supported; {_BY_ITS_PROGRAM}"
        if self.height == 0:
            yield (
                "it is a JPEG that states its height only at its end, which is not supported; "
                "convert it with ImageMagick first: magick in.jpg out.png"
            )
        if self.components not in (1, 3, 4):
            yield f"it is a JPEG of {self.components} channels, which is not supported; {_BY_ITS_PROGRAM}"


@dataclass(frozen=True)
class Segments:
    """The segments of a JPEG.

    Attributes:
        frame: None if there is none.
        own: (name, payload) of APP0 to APP15 and COM, in order.
        tail: The bytes behind the end of the picture.
    """

    frame: Frame | None
    own: tuple[tuple[str, bytes], ...]
    tail: bytes

    def check(self) -> None:
        """Raise InputError for an undamaged file that no decoder here supports."""
        for reason in self.frame.refusals() if self.frame else ():
            raise InputError(reason)

    def copied(self) -> tuple[tuple[str, bytes], ...]:
        """Comments and captions (IPTC), which are copied unchanged."""
        return tuple(
            (name, payload)
            for name, payload in self.own
            if name == "COM" or (name == "APP13" and payload.startswith(b"Photoshop 3.0\0"))
        )

    def losses(self, *, pictures: bool, profile: bool) -> Iterator[str]:
        """Sentences about what is beside the picture and cannot be kept.

        `pictures` and `profile` say whether the decoder understood the list of further pictures and the
        colour profile.
        """
        rebuilt = (*_REBUILT, *[PICTURES] * pictures, *[PROFILE] * profile)
        kept = self.copied()
        lost = {
            _label(name, payload)
            for name, payload in self.own
            if payload and not payload.startswith(rebuilt) and (name, payload) not in kept
        }
        if pictures:
            more = "depth, gain map, preview" + ", film" * (b"ftyp" in self.tail)
            yield f"the further pictures of this multi-picture JPEG ({more}) cannot be kept"
        else:
            yield from after_the_end(self.tail)
        if lost:
            yield f"JPEG segments that cannot be kept: {', '.join(sorted(lost))}"


def take_apart(data: bytes) -> Segments:
    """The segments of a JPEG as far as they can be followed. Damage is left for the decoder to find."""
    frame: Frame | None = None
    own: list[tuple[str, bytes]] = []
    at = 2
    while found := _MARKER.search(data, at):
        marker, at = found.group(1)[0], found.end()
        if marker == _END:
            return Segments(frame, tuple(own), data[at:])
        length = int.from_bytes(data[at : at + 2], "big")
        payload = data[at + 2 : at + length]
        if marker in _FRAMES and frame is None and len(payload) >= 6:
            bits, height, _, components = struct.unpack_from(">BHHB", payload)
            frame = Frame(marker, bits, height, components)
        elif marker == _COMMENT or 0xE0 <= marker <= 0xEF:
            own.append(("COM" if marker == _COMMENT else f"APP{marker - 0xE0}", payload))
        at += max(length, 2)
    return Segments(frame, tuple(own), b"")


def _label(name: str, payload: bytes) -> str:
    """For example `APP1 FLIR`: the number of a segment and its owner."""
    owner = payload.partition(b"\0")[0]
    text = _NAMES.get(owner) or re.split(r"[^ -~]", owner[:32].decode("latin-1"))[0].strip()
    return f"{name} {text}".strip()
