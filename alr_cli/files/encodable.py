"""What each format can store. What matters is refused with a remedy; what is left out is noted by name."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from alr_cli.errors import OutputError
from alr_cli.files.exif import PREFIX, hard_to_move, orientation_only, read_block, resolution_of_block
from alr_cli.files.jpeg import whole_dpi
from alr_cli.files.picture import Depth, Picture
from alr_cli.files.png import colour_chunks, says_more_than_srgb
from alr_cli.files.sniff import Format


@dataclass(frozen=True)
class Container:
    """What a format can store. `segment` is the largest size of an EXIF or XMP block in bytes."""

    label: str
    depths: tuple[Depth, ...]
    max_side: int
    alpha: bool = True
    icc: bool = True
    exif: bool = True
    dpi: bool = True
    segment: int = 2**31 - 1


CONTAINERS: dict[Format, Container] = {
    "png": Container("PNG", ("uint8", "uint16"), 2**31 - 1),
    "jpeg": Container("JPEG", ("uint8",), 65500, alpha=False, segment=65533),
    "tiff": Container("TIFF", ("uint8", "uint16", "float32"), 2**31 - 1),
    "webp": Container("WebP", ("uint8",), 16383, dpi=False),
    "bmp": Container("BMP", ("uint8",), 2**31 - 1, alpha=False, icc=False, exif=False),
    "pnm": Container("PNM", ("uint8", "uint16"), 2**31 - 1, alpha=False, icc=False, exif=False, dpi=False),
}
_BITS: dict[Depth, str] = {"uint8": "8", "uint16": "16", "float32": "32"}
_XMP_OVERHEAD = 29


def stripped(picture: Picture) -> Picture:
    """The picture without EXIF, XMP, comments and captions.

    What determines its look is kept: profile, colour chunks, resolution, and an orientation other than the
    normal one, in a minimal EXIF block.
    """
    return replace(
        picture, exif=orientation_only(picture.exif), xmp=None, extras=colour_chunks(picture), notes=()
    )


def refusals(picture: Picture, format: Format, depth: Depth, drop_alpha: bool) -> Iterator[str]:
    """Reasons why `format` cannot store the picture, each with a remedy."""
    container = CONTAINERS[format]
    if depth not in container.depths:
        held = " or ".join(_BITS[each] for each in container.depths)
        others = _one_of([each.label for each in CONTAINERS.values() if depth in each.depths])
        yield (
            f"{container.label} holds {held} bits per sample and the picture has {_BITS[depth]}; "
            f"add --depth {_BITS[container.depths[-1]]} or write {others}"
        )
    if picture.alpha is not None and not container.alpha and not drop_alpha:
        yield f"{container.label} cannot hold transparency; add --drop-alpha or write PNG, TIFF or WebP"
    if max(picture.height, picture.width) > container.max_side:
        yield (
            f"{container.label} holds at most {container.max_side} pixels a side and the picture is "
            f"{picture.width} x {picture.height}; write PNG or TIFF"
        )
    blocks = ("EXIF", picture.exif, len(PREFIX)), ("XMP", picture.xmp, _XMP_OVERHEAD)
    for name, block, overhead in blocks:
        if container.exif and block and len(block) + overhead > container.segment:
            yield f"{container.label} cannot hold {len(block)} bytes of {name}; add --strip or write PNG"


def _one_of(names: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def losses(picture: Picture, format: Format, depth: Depth, drop_alpha: bool) -> Iterator[str]:
    """Sentences about what the output will not store, or store differently."""
    container = CONTAINERS[format]
    lost = []
    if picture.icc and not container.icc:
        lost.append("the colour profile")
    if picture.exif and not container.exif:
        lost.append("EXIF")
    if picture.xmp and not container.exif:
        lost.append("XMP")
    elsewhere = resolution_of_block(picture.exif) if container.exif else None
    if picture.dpi and not container.dpi and elsewhere != picture.dpi:
        lost.append("the resolution")
    if picture.alpha is not None and drop_alpha and not container.alpha:
        lost.append("transparency")
    if format != picture.format:
        lost += sorted(
            {f"{name} data" for name, payload in picture.extras if says_more_than_srgb((name, payload))}
        )
    if format == "tiff" and picture.exif:  # there it becomes tags of the TIFF itself
        preview, maker_notes = hard_to_move(picture.exif)
        lost += ["the preview in the EXIF"] * preview
        lost += [] if read_block(picture.exif) else ["EXIF (damaged)"]
        if maker_notes and picture.format != "tiff":
            yield "maker notes in the EXIF move to another place and may not be readable there"
    if lost:
        yield f"{container.label} leaves out {', '.join(lost)}"
    if format == "webp" and picture.channels == 1:
        yield "WebP has no gray: three equal channels are written"
    if format == "webp" and picture.alpha is not None and bool((picture.alpha >= 1).all()):
        yield "WebP does not store an alpha channel that is opaque everywhere"
    if (
        format == "jpeg"
        and picture.dpi
        and not np.allclose(whole_dpi(picture.dpi), picture.dpi, rtol=0, atol=0.05)
    ):
        yield f"JPEG stores a whole number of dpi: {picture.dpi[0]:.2f} dpi is rounded"
    if picture.depth == "float32" and depth != "float32" and _outside(picture):
        yield "values outside [0,1] are clamped"


def _outside(picture: Picture) -> bool:
    return bool(np.nanmin(picture.pixels) < 0 or np.nanmax(picture.pixels) > 1)


def refuse(picture: Picture, format: Format, depth: Depth, drop_alpha: bool) -> None:
    """Raise the first reason as OutputError."""
    for reason in refusals(picture, format, depth, drop_alpha):
        raise OutputError(reason)
