"""TIFF: tags are read and checked here, libtiff decodes the pixels, and tifffile encodes them.

libtiff receives a page that is reduced to its pixels and the tags that describe them. No private tag or
vendor dialect is ever interpreted, axes follow from the tags and never from a shape, and all descriptive tags
are copied as raw bytes (in `Picture.exif`, which is a TIFF, too). tifffile can read as much, but damaged LZW
data crash its decoder together with the process.
"""

import io
import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alr_cli.errors import InputError
from alr_cli.files.exif import RESOLUTION_TAGS, make_block, read_block, resolution, resolution_tags
from alr_cli.files.ifd import (
    BIG_TYPES,
    Data,
    Directory,
    Entry,
    Layout,
    open_tiff,
    page_offsets,
    read_directory,
    write_directory,
)
from alr_cli.files.limits import choose_page
from alr_cli.files.picture import Picture, from_samples
from alr_cli.files.tiff_form import COLORMAP, PHOTOMETRIC, PIXEL_TAGS, STRIPS, TILES, VOLUME, Form

SUBFILE, SUB_PAGES, XMP, LAYERS, ICC = 254, 330, 700, 37724, 34675

_PIXEL_DETAILS = (
    SUBFILE,
    255,
    263,
    264,
    265,
    280,
    281,
    288,
    289,
    290,
    291,
    297,
    301,
    COLORMAP,
)
_JPEG_DETAILS = (347, *range(512, 522), 529, 530, 532)
_REPLACED = PIXEL_TAGS | {*_PIXEL_DETAILS, *_JPEG_DETAILS, SUB_PAGES, 340, 341, XMP, VOLUME, ICC, LAYERS}
"""Pixel layout, and what `Picture` has attributes for. Every other tag is descriptive and is kept."""
_WHOLE_FILE = {
    33628: "MetaMorph's",
    34361: "FluoView's",
    34362: "FluoView's",
    34412: "Zeiss's",
    43314: "NIH Image's",
    51123: "Micro-Manager's",
}
"""Tags of microscopes that describe all planes and their positions in the file that was read."""
_REPLACED |= _WHOLE_FILE.keys()
_MISSED = {
    SUB_PAGES: "sub-pages",
    LAYERS: "Photoshop layers",
    301: "transfer function",
    290: "gray response",
} | {code: f"{owner} description of the whole file" for code, owner in _WHOLE_FILE.items()}


def read(data: bytes, max_pixels: int, page: int | None) -> Picture:
    """Gray, RGB and palettes, with or without alpha, 1 to 16 bits and floats, in either byte order."""
    layout, first = open_tiff(data)
    offsets = page_offsets(data, layout, first)
    index, notes = _choose(data, layout, offsets, page)
    damaged: list[int] = []
    tags = read_directory(data, layout, offsets[index], damaged)
    form = Form(tags, layout, alone=len(offsets) == 1)
    form.check(len(data), max_pixels)
    picture = picture_of(data, layout, tags, form, damaged)
    return replace(picture, notes=notes + picture.notes)


def picture_of(
    data: Data, layout: Layout, tags: Directory, form: Form, damaged: Iterable[int] = ()
) -> Picture:
    """One page by its tags, whose `form` was checked. Only its own pixels are read.

    `damaged` are numbers of tags that are reported as lost.
    """
    dpi = resolution(tags, layout)
    replaced = _REPLACED | RESOLUTION_TAGS if dpi else _REPLACED  # a resolution without a unit is not in dpi
    described = {code: tag for code, tag in tags.items() if code not in replaced}
    large = [code for code, tag in described.items() if tag.type in BIG_TYPES]
    picture = _to_picture(_pixels(data, layout, tags, form), form, tags, layout)
    lost = list(dict.fromkeys(name for code, name in _MISSED.items() if code in tags))
    lost += [str(code) for code in sorted({*damaged, *large})]
    notes = (f"TIFF tags that cannot be kept: {', '.join(lost)}",) if lost else ()
    described = {code: tag for code, tag in described.items() if code not in large}
    return replace(
        picture,
        icc=tags[ICC].value if ICC in tags else None,
        xmp=tags[XMP].value if XMP in tags else None,
        exif=make_block(described, layout) if described else None,
        dpi=dpi,
        notes=notes + picture.notes,
        stated=None if form.photometric in (0, 3) else _stated(tags, layout),
    )


def _stated(tags: Directory, layout: Layout) -> tuple[float, float] | None:
    """The smallest and largest number over all channels, according to the tags."""
    for lows, highs in ((340, 341), (280, 281)):
        low, high = (tags[code].reals(layout) if code in tags else () for code in (lows, highs))
        if high and math.isfinite(max(high)):
            least = min(low) if low else 0.0
            return (least, max(high)) if least < max(high) else None
    return None


def _choose(data: bytes, layout: Layout, offsets: list[int], page: int | None) -> tuple[int, tuple[str, ...]]:
    """The index of the page to read. Reduced copies of the first page do not count as pages."""
    if page is not None or len(offsets) > 32:
        return choose_page(page, len(offsets), "page"), ()
    kinds = [kind_of_page(read_directory(data, layout, offset), layout) for offset in offsets]
    if kinds[0] & 1:
        raise InputError("it opens with a preview, as camera RAW files do; develop it to a 16-bit TIFF first")
    reduced = sum(kind & 1 for kind in kinds)
    choose_page(None, len(kinds) - reduced, "page")
    return 0, (f"{reduced} reduced-size copies of the page cannot be kept",) if reduced else ()


def kind_of_page(tags: Directory, layout: Layout) -> int:
    """The purpose of a page as bits; 1 is a reduced copy of another page."""
    return (tags[SUBFILE].numbers(layout) or (0,))[0] if SUBFILE in tags else 0


def _pixels(data: Data, layout: Layout, tags: Directory, form: Form) -> NDArray[Any]:
    """(H, W, samples) as stored, from a TIFF that contains only this page's strips or tiles and
    pixel tags."""
    import imagecodecs

    visible = {code: tag for code, tag in tags.items() if code in PIXEL_TAGS}
    if form.photometric == 3:  # we want the indices, and the decoder refuses palettes of few bits
        visible[PHOTOMETRIC] = Entry(3, np.array([1], layout.order + "u2").tobytes())
    body, offsets = _segments(data, form, bytes(len(layout.header) + layout.offset.size))
    kind, number = (16, "u8") if layout.big else (4, "u4")
    moved = Entry(kind, np.array(offsets, layout.order + number).tobytes())
    visible[TILES if form.tiled else STRIPS] = moved
    samples: NDArray[Any] = imagecodecs.tiff_decode(_with_directory(body, layout, visible))
    if samples.dtype == bool:
        samples = samples.view(np.uint8)
    if form.planar and form.samples > 1:
        return np.moveaxis(samples.reshape(form.samples, form.height, form.width), 0, -1)
    return samples.reshape(form.height, form.width, form.samples)


def _segments(data: Data, form: Form, header: bytes) -> tuple[bytes, list[int]]:
    """The strips or tiles of a page behind a header, each stored once, and the offset of each."""
    pieces = [header]
    places: dict[tuple[int, int], int] = {}
    end = len(header)
    for segment in zip(form.offsets, form.lengths, strict=True):
        if segment in places:  # equal tiles may share their data
            continue
        offset, length = segment
        if end + length > 2 * len(data):  # overlapping ones must not be larger than the file together
            raise InputError("its strips or tiles overlap; get an undamaged copy")
        places[segment] = end
        pieces.append(data[offset : offset + length])
        end += length
    return b"".join(pieces), [places[segment] for segment in zip(form.offsets, form.lengths, strict=True)]


def _with_directory(data: bytes, layout: Layout, directory: Directory) -> bytes:
    """The file with `directory` appended as its only directory."""
    padded = data + b"\0" * (len(data) % 2)
    header = layout.header + layout.offset.pack(len(padded))
    return header + padded[len(header) :] + write_directory(directory, layout, len(padded))


def _to_picture(samples: NDArray[Any], form: Form, tags: Directory, layout: Layout) -> Picture:
    notes: tuple[str, ...] = ()
    full = 1 if form.is_float else 2**form.bits - 1
    if form.photometric == 3:
        picture = from_samples(_expand(samples[..., 0], tags, layout, form.bits), "tiff")
        return replace(picture, notes=("palette expanded to RGB",))
    if form.photometric == 0:
        notes += ("MinIsWhite inverted: it is written back as MinIsBlack",)
        samples = samples.copy()
        samples[..., 0] = full - samples[..., 0]
    written = 32 if form.is_float else 8 if form.bits <= 8 else 16
    if form.bits != written:
        notes += (f"{form.bits}-bit samples are written back as {written}-bit",)
    picture = from_samples(samples, "tiff", alpha=form.alpha, full=full)
    if form.alpha and form.extra[0] == 1:
        notes += ("premultiplied alpha divided out",)
        picture = _unmultiplied(picture)
    return replace(picture, notes=notes)


def _unmultiplied(picture: Picture) -> Picture:
    assert picture.alpha is not None
    opacity = picture.alpha[..., None]
    pixels = np.divide(picture.pixels, opacity, out=np.zeros_like(picture.pixels), where=opacity > 0)
    return replace(picture, pixels=pixels if picture.depth == "float32" else np.minimum(pixels, 1))


def _expand(indices: NDArray[Any], tags: Directory, layout: Layout, bits: int) -> NDArray[Any]:
    """Colours of a palette, from its indices.

    They are 16-bit numbers, usually 8-bit ones multiplied by 257 or 256. If none is above 255, the writer
    forgot the multiplication; libtiff's own tools read such palettes in the same way.
    """
    numbers = tags[COLORMAP].numbers(layout) if COLORMAP in tags else ()
    if len(numbers) != 3 * 2**bits:
        raise InputError("its palette is missing or damaged; get an undamaged copy")
    colours = np.array(numbers, np.uint16).reshape(3, -1).T
    high = colours >> 8
    if np.array_equal(high * 257, colours) or np.array_equal(high * 256, colours):
        colours = high.astype(np.uint8)
    elif not high.any():
        colours = colours.astype(np.uint8)
    expanded: NDArray[Any] = colours[indices]
    return expanded


def write(
    samples: NDArray[Any], picture: Picture, layout: Layout | None = None, *, compressed: bool = True
) -> bytes:
    """Encode samples (H, W, 1..4), uint8, uint16 or float32.

    Args:
        samples: The numbers to store.
        picture: Its metadata.
        layout: Its byte order is used. The default is that of the picture's EXIF, and it must be the same.
        compressed: Use Deflate; otherwise a single uncompressed strip.
    """
    from tifffile import imwrite

    known = read_block(picture.exif) if picture.exif else None
    usual, described = known if known else (Layout("<"), {})
    layout = layout or usual
    file = io.BytesIO()
    channels = samples.shape[2]
    imwrite(
        file,
        samples[..., 0] if channels == 1 else samples,
        photometric="minisblack" if channels < 3 else "rgb",
        planarconfig=None if channels == 1 else "contig",
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        compression="zlib" if compressed else None,
        predictor=compressed and samples.dtype.kind == "u",
        byteorder=layout.order,
        metadata=None,
        software=False,
        maxworkers=1,
    )
    data = file.getvalue()
    layout, first = open_tiff(data)
    directory = {code: tag for code, tag in described.items() if code not in _REPLACED}
    directory |= {
        code: tag for code, tag in read_directory(data, layout, first).items() if code in PIXEL_TAGS
    }
    if picture.icc:
        directory[ICC] = Entry(7, picture.icc)
    if picture.xmp:
        directory[XMP] = Entry(1, picture.xmp)
    if picture.dpi:
        directory |= resolution_tags(picture.dpi, layout)
    return _with_directory(data, layout, directory)
