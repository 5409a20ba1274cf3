"""Keep what the first page says about the whole stack true if only a part, or another depth, is written."""

import json
import re
from collections.abc import Iterator
from xml.etree import ElementTree

from alr_cli.files.exif import make_block, read_block
from alr_cli.files.ifd import Directory, Entry
from alr_cli.files.picture import Depth, Picture
from alr_cli.files.stack import IMAGEJ_TAGS, Stack
from alr_cli.files.tiff_form import DESCRIPTION

_IMAGEJ_AXES = {"T": "frames", "Z": "slices", "C": "channels"}
_OME_TYPES: dict[Depth, str] = {"uint8": "uint8", "uint16": "uint16", "float32": "float"}


def first_block(stack: Stack, head: Picture, depth: Depth) -> bytes | None:
    """The descriptive tags of the first page that is written.

    Args:
        stack: The stack.
        head: The first plane of the whole stack.
        depth: The depth that is written.
    """
    known = read_block(head.exif) if head.exif else None
    if known is None or (stack.whole and depth == head.depth):
        return head.exif
    layout, tags = known
    tags = {code: tag for code, tag in tags.items() if code not in IMAGEJ_TAGS}
    text = tags[DESCRIPTION].value.rstrip(b"\0") if DESCRIPTION in tags else b""
    changed = _description(text, stack, head, depth)
    if changed is not None:
        tags[DESCRIPTION] = Entry(2, changed + b"\0")
    else:
        tags.pop(DESCRIPTION, None)
    return make_block(tags, layout) if tags else None


def losses(stack: Stack, head: Picture, depth: Depth, *, strip: bool = False) -> Iterator[str]:
    """Sentences about what is lost by writing a part or another depth, or by --strip."""
    known = read_block(head.exif) if head.exif else None
    tags: Directory = known[1] if known else {}
    if strip and stack.dialect != "plain":
        yield f"the description of the stack is left out with all others: a plain list of {len(stack)} planes"
        return
    if stack.whole and depth == head.depth:
        return
    if not stack.whole and stack.axis is None and stack.dialect != "plain":
        yield f"planes that are a part along several axes ({stack.described}) are written as a plain list"
    if set(IMAGEJ_TAGS) & set(tags):
        yield "labels, display ranges and overlays of ImageJ are left out: they are those of the whole stack"


def _description(text: bytes, stack: Stack, head: Picture, depth: Depth) -> bytes | None:
    if stack.dialect == "ImageJ":
        return _imagej(text, stack, rescaled=depth != head.depth)
    if stack.dialect == "plain":
        return text or None
    if not stack.whole and stack.axis is None:
        return None
    if stack.dialect == "OME":
        return _ome(text, stack, depth)
    page = [head.height, head.width, *([head.channels] if head.channels > 1 else [])]
    lengths = list(stack.lengths) if stack.whole else [len(stack)]
    return json.dumps({"shape": lengths + page}).encode()


def _imagej(text: bytes, stack: Stack, rescaled: bool) -> bytes:
    lines = text.split(b"\n")
    if rescaled:
        lines = [line for line in lines if not line.startswith((b"min=", b"max="))]
    if stack.whole:
        return b"\n".join(lines)
    structure = (b"images=", b"channels=", b"slices=", b"frames=", b"hyperstack=")
    kept = [line for line in lines[1:] if not line.startswith(structure)]
    axis = _IMAGEJ_AXES.get(stack.axis or "", "slices")  # what ImageJ assumes if nothing is stated
    return b"\n".join([lines[0], b"images=%d" % len(stack), b"%s=%d" % (axis.encode(), len(stack)), *kept])


def _ome(text: bytes, stack: Stack, depth: Depth) -> bytes | None:
    root = ElementTree.fromstring(text)
    space = re.match(r"\{.*\}|", root.tag)
    prefix = space[0] if space else ""
    ElementTree.register_namespace("", prefix.strip("{}"))
    images = root.findall(f"{prefix}Image/{prefix}Pixels")
    if len(images) != 1:
        return None
    [pixels] = images
    if pixels.get("Type") != _OME_TYPES[depth]:
        pixels.set("Type", _OME_TYPES[depth])
        pixels.attrib.pop("SignificantBits", None)
    if not stack.whole:
        assert stack.axis is not None
        pixels.set(f"Size{stack.axis}", str(len(stack)))
        for name in ("Plane", "TiffData"):
            for child in pixels.findall(f"{prefix}{name}"):
                pixels.remove(child)
        if stack.axis == "C":
            for number, child in enumerate(pixels.findall(f"{prefix}Channel")):
                if number not in stack.chosen:
                    pixels.remove(child)
        after = len(pixels.findall(f"{prefix}Channel"))
        pixels.insert(after, ElementTree.Element(f"{prefix}TiffData"))
    data: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return data
