"""Descriptions of structure: what the text in a file says about its planes and parts, and whether it is still
true.

Microscope programs write the number, size and type of all planes into the description of the first one.
Phones write into the XMP that a film or a gain map follows the picture. If such a text were copied together
with a single picture, other programs would look for data that do not exist.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace

from alr_cli.files.exif import make_block, read_block
from alr_cli.files.picture import Depth, Picture

DESCRIPTION = 270
IMAGEJ_TAGS = (50838, 50839)
"""Data of ImageJ about each plane: labels, display ranges, overlays."""

_OME_TYPES = {b"uint8": "uint8", b"uint16": "uint16", b"float": "float32"}
_PIXELS = re.compile(rb"<(?:\w+:)?Pixels\b[^>]*>")
_PARTS = re.compile(
    rb"""<((?:G?Container):Directory)\b.*?</\1>
       | <((?:hdrgm:\w+)|(?:G?Camera:(?:MotionPhoto|MicroVideo)\w*))\b[^>]*?(?:/>|>.*?</\2>)
       | \s+(?:hdrgm:\w+|G?Camera:(?:MotionPhoto|MicroVideo)\w*|xmpNote:HasExtendedXMP)
         \s*=\s*(?:"[^"]*"|'[^']*')""",
    re.DOTALL | re.VERBOSE,
)


def checked_descriptions(picture: Picture, depth: Depth) -> tuple[Picture, str | None]:
    """The picture as it may be written with `depth`, and what was left out, in words, or None.

    A description of other planes, or of another size or type, is left out.
    """
    known = read_block(picture.exif) if picture.exif else None
    entry = known[1].get(DESCRIPTION) if known else None
    if known is None or entry is None:
        return picture, None
    reason = misfit(entry.value.rstrip(b"\0 \r\n\t"), picture, depth)
    if reason is None:
        return picture, None
    layout, directory = known
    kept = {code: tag for code, tag in directory.items() if code not in (DESCRIPTION, *IMAGEJ_TAGS)}
    return replace(picture, exif=make_block(kept, layout) if kept else None), reason


def misfit(description: bytes, picture: Picture, depth: Depth) -> str | None:
    """What a description is about that does not match the picture, written with `depth`. None if it
    matches."""
    if description.startswith(b"ImageJ="):
        planes = _number(rb"\nimages=(\d{1,9})", description)
        # the display range is in numbers of the old type
        return None if planes == 1 and depth == picture.depth else f"the ImageJ description of {_of(planes)}"
    if description.startswith(b'{"shape":'):
        return _misfit_of_shape(description, picture)
    return _misfit_of_ome(description, picture, depth) if description.endswith(b"OME>") else None


def _misfit_of_shape(description: bytes, picture: Picture) -> str | None:
    try:
        shape = [int(length) for length in json.loads(description)["shape"]]
    except (ValueError, KeyError, TypeError):
        return "a damaged description of its shape"
    samples = picture.channels + (picture.alpha is not None)
    true = (picture.height, picture.width, samples)
    if [length for length in shape if length != 1] == [length for length in true if length != 1]:
        return None
    return f"the description of its shape ({' x '.join(map(str, shape))})"


def _misfit_of_ome(description: bytes, picture: Picture, depth: Depth) -> str | None:
    images = _PIXELS.findall(description)
    planes = [_ome_planes(image) for image in images]
    type = re.search(rb'\bType="([^"]*)"', images[0]) if images else None
    sides = [_number(rb'\bSize%s="(\d{1,9})"' % side, image) for image in images for side in (b"Y", b"X")]
    channels = _number(rb'\bSizeC="(\d{1,9})"', images[0]) if images else 0
    samples = picture.channels + (picture.alpha is not None)
    if (
        sides == [picture.height, picture.width]
        and (planes[0], channels) == (samples, samples)
        and type is not None
        and _OME_TYPES.get(type[1]) == depth
    ):
        return None
    what = f" {type[1][:20].decode('latin-1')}" if type else ""
    return f"the OME description of {_of(sum(planes), what)}"


def _ome_planes(pixels: bytes) -> int:
    return math.prod(_number(rb'\bSize%s="(\d{1,9})"' % axis, pixels) for axis in (b"Z", b"C", b"T"))


def _number(pattern: bytes, text: bytes) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else 1


def _of(planes: int, what: str = "") -> str:
    return f"{planes}{what} planes" if planes != 1 else f"one{what} plane"


def without_parts(xmp: bytes | None) -> tuple[bytes | None, tuple[str, ...]]:
    """XMP without statements about a film, a gain map or other parts behind the picture, and a note about
    that."""
    if xmp is None:
        return None, ()
    kept = _PARTS.sub(b"", xmp)
    return kept, tuple(_notes_of_parts(xmp)) if kept != xmp else ()


def _notes_of_parts(xmp: bytes) -> Iterator[str]:
    parts = {
        b"MotionPhoto": "a film",
        b"MicroVideo": "a film",
        b"hdrgm:": "a gain map",
        b"HasExtendedXMP": "extended XMP",
    }
    named = sorted({what for key, what in parts.items() if key in xmp}) or ["further parts"]
    yield f"what its XMP says of {' and '.join(named)} is left out with them"
