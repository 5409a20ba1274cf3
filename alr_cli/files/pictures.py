"""Decode and encode pictures: PNG, JPEG, TIFF, WebP, BMP and PNM.

`decode` returns a `Picture`, and `encode` accepts one; between them only `pixels` changes. What cannot be
kept is refused, or reported in `Picture.notes` (on reading) or by `check_encodable` (on writing). A `Picture`
is upright. Its file keeps its stored orientation, with the EXIF tag that says so.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alr_cli.errors import InputError, OutputError
from alr_cli.files import encodable, jpeg, png, pnm, tiff, webp_bmp
from alr_cli.files.atomic import read_bytes, shown, write_atomic
from alr_cli.files.descriptions import checked_descriptions
from alr_cli.files.exif import with_size
from alr_cli.files.limits import MAX_PIXELS
from alr_cli.files.orientation import as_stored, upright
from alr_cli.files.picture import Depth, Picture, to_samples
from alr_cli.files.quiet import quiet
from alr_cli.files.ranges import Choice, in_range
from alr_cli.files.sniff import EXTENSIONS, FORMATS, Format, format_of_name, sniff

__all__ = [
    "EXTENSIONS",
    "FORMATS",
    "MAX_PIXELS",
    "Depth",
    "Format",
    "Picture",
    "check_encodable",
    "decode",
    "encode",
    "format_of_name",
    "read_bytes",
    "read_picture",
    "write_atomic",
]

_READERS: dict[Format, Callable[[bytes, int, int | None], Picture]] = {
    "png": png.read,
    "jpeg": jpeg.read,
    "tiff": tiff.read,
    "webp": webp_bmp.read_webp,
    "bmp": webp_bmp.read_bmp,
    "pnm": pnm.read,
}
_WRITERS: dict[Format, Callable[[NDArray[Any], Picture], bytes]] = {
    "png": png.write,
    "jpeg": jpeg.write,
    "tiff": tiff.write,
    "webp": webp_bmp.write_webp,
    "bmp": webp_bmp.write_bmp,
    "pnm": pnm.write,
}

_STDOUT = "standard output"
_REFUSAL = re.compile(
    r"unsupported|not supported|not implemented|not configured|cannot handle", re.IGNORECASE
)
"""What decoders say about undamaged files that they do not support."""


def decode(
    data: bytes,
    name: str = "-",
    *,
    max_pixels: int = MAX_PIXELS,
    page: int | None = None,
    allow_nan: bool = False,
    range: Choice = "usual",
) -> Picture:
    """Decode a picture. Its format is determined by its first bytes.

    Args:
        data: The bytes.
        name: The name for error messages.
        max_pixels: Limit of the number of pixels.
        page: Which page or frame of a file with several, counted from 1.
        allow_nan: Leave NaN in the pixels of a float TIFF (for `inpaint`, where they mark missing pixels).
        range: Which numbers become 0 and 1, see ranges.py.

    Raises:
        InputError: Whatever a decoder raises.
    """
    try:
        known = sniff(data)
        with quiet():
            picture = _READERS[known](data, max_pixels, page)
        return as_seen(picture, allow_nan, range)
    except InputError as error:
        raise InputError(f"cannot read {shown(name)}: {error}") from error
    except MemoryError as error:
        raise InputError(
            f"cannot read {shown(name)}: it needs more memory than there is; crop it first"
        ) from error
    except Exception as error:
        detail = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        if isinstance(error, NotImplementedError) or _REFUSAL.search(detail):
            reason = f"it is of a kind that is not supported ({detail}); convert it to PNG or TIFF first"
        else:
            reason = f"it is damaged ({detail}); get an undamaged copy"
        raise InputError(f"cannot read {shown(name)}: {reason}") from error


def as_seen(picture: Picture, allow_nan: bool, range: Choice = "usual") -> Picture:
    """A decoded picture, upright, checked and in its range.

    Float files may contain anything: NaN and infinity are refused, and values outside [0,1] are kept and
    reported.
    """
    picture = upright(picture)
    if picture.depth != "float32":
        return in_range(picture, range)
    missing = int(np.isnan(picture.pixels).sum())
    if missing and not allow_nan:
        raise InputError(
            f"{missing} of its values are NaN; fill them with alr inpaint, or replace them first"
        )
    if np.isinf(picture.pixels).any() or (picture.alpha is not None and not np.isfinite(picture.alpha).all()):
        raise InputError("some of its values are infinite or its alpha is not finite; replace them first")
    picture = in_range(picture, range)
    notes = picture.notes + ((f"{missing} values are NaN",) if missing else ())
    if missing < picture.pixels.size:
        low, high = float(np.nanmin(picture.pixels)), float(np.nanmax(picture.pixels))
        if picture.range is None and (low < 0 or high > 1):
            notes += (f"values outside [0,1]: min {low:.6g}, max {high:.6g}",)
    return replace(picture, notes=notes)


def read_picture(
    path: str | Path,
    *,
    max_pixels: int = MAX_PIXELS,
    page: int | None = None,
    allow_nan: bool = False,
    range: Choice = "usual",
) -> Picture:
    """Decode a file. Of a file that is not a picture, only the first bytes are read (InputError)."""
    data = read_bytes(path, check=sniff)
    return decode(data, str(path), max_pixels=max_pixels, page=page, allow_nan=allow_nan, range=range)


def check_encodable(
    picture: Picture,
    format: Format,
    *,
    depth: Depth | None = None,
    strip: bool = False,
    drop_alpha: bool = False,
    name: str = "-",
) -> tuple[str, ...]:
    """What `encode` would leave out or change, as sentences. Raises OutputError for what it would refuse.

    The result depends on nothing that a restoration changes, so that it can be computed before.
    """
    wanted = depth or picture.depth
    ready, untrue = checked_descriptions(_laid(picture, format, strip), wanted)
    try:
        encodable.refuse(ready, format, wanted, drop_alpha)
    except OutputError as error:
        raise OutputError(f"cannot write {shown(name, _STDOUT)}: {error}") from error
    said = (f"{untrue} does not fit what is written and is left out",) if untrue else ()
    return (*said, *encodable.losses(ready, format, wanted, drop_alpha))


def _laid(picture: Picture, format: Format, strip: bool) -> Picture:
    """The picture with the metadata that `format` can store, in stored orientation if the EXIF is stored."""
    ready = encodable.stripped(picture) if strip else picture
    if not encodable.CONTAINERS[format].exif or ready.exif is None:
        return ready
    ready = as_stored(ready)
    return replace(ready, exif=with_size(ready.exif or b"", ready.width, ready.height))


def encode(
    picture: Picture,
    format: Format,
    *,
    depth: Depth | None = None,
    strip: bool = False,
    drop_alpha: bool = False,
    name: str = "-",
) -> bytes:
    """Encode a picture. Equal pictures give equal bytes.

    Args:
        picture: The picture.
        format: The format of the file.
        depth: The sample type; None keeps that of the picture. Values are rounded to nearest and clamped.
        strip: Leave out EXIF, XMP and comments, but keep the colour profile and a minimal EXIF for an
            orientation other than the normal one.
        drop_alpha: Leave out the alpha channel if the format has none.
        name: The name for error messages.

    Raises:
        OutputError: It is not possible.
    """
    check_encodable(picture, format, depth=depth, strip=strip, drop_alpha=drop_alpha, name=name)
    wanted = depth or picture.depth
    if wanted != "float32" and not np.isfinite(picture.pixels).all():
        raise OutputError(
            f"cannot write {shown(name, _STDOUT)}: some pixels are not finite; only a float TIFF holds them"
        )
    ready, _ = checked_descriptions(_laid(picture, format, strip), wanted)
    if not encodable.CONTAINERS[format].alpha:
        ready = replace(ready, alpha=None)
    if format != picture.format:
        ready = replace(ready, extras=())
    try:
        with quiet():
            return _WRITERS[format](to_samples(ready, wanted), ready)
    except Exception as error:
        detail = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise OutputError(f"cannot write {shown(name, _STDOUT)}: {detail}; try another format") from error
