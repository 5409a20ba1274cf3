"""WebP and BMP: read by Pillow, written by imageio (which calls Pillow).

WebP is written lossless, and colours under transparent pixels are kept. BMP is written uncompressed.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alr_cli.errors import InputError
from alr_cli.files.exif import PREFIX, resolution_of_block
from alr_cli.files.limits import check_size, choose_page, single
from alr_cli.files.picture import Picture, after_the_end, from_samples, positive_dpi

_WEBP_CHUNKS = (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP ")


def read_webp(data: bytes, max_pixels: int, page: int | None) -> Picture:
    """RGB or RGBA, lossy or lossless; a frame of an animation if `page` selects it."""
    from PIL import Image
    from PIL.WebPImagePlugin import WebPImageFile

    width, height, frames = _webp_header(data)
    check_size(width, height, 4, len(data), max_pixels)
    frame = choose_page(page, frames, "frame")
    Image.MAX_IMAGE_PIXELS = None  # the size has already been checked against `max_pixels`
    with WebPImageFile(io.BytesIO(data)) as image:
        if image.size != (width, height):
            raise InputError("its pixels do not match its header; get an undamaged copy")
        image.seek(frame)
        alpha = image.mode == "RGBA"
        picture = from_samples(np.asarray(image), "webp", alpha=alpha)
        info = image.info
    exif = info.get("exif", b"").removeprefix(PREFIX) or None
    return replace(
        picture,
        icc=info.get("icc_profile"),
        exif=exif,
        xmp=info.get("xmp"),
        dpi=resolution_of_block(exif),
        notes=tuple(_webp_notes(data)),
    )


def _webp_header(data: bytes) -> tuple[int, int, int]:
    """Width, height and number of frames. Pillow would allocate the canvas before it tells them."""
    kind = data[12:16]
    if len(data) < 30:
        raise InputError("it is cut short; get a complete copy")
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF, 1
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 1
    if kind != b"VP8X":
        raise InputError("its header is damaged; get an undamaged copy")
    sides = [int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27)]
    animated = data[20] & 2
    frames = sum(name == b"ANMF" for name in _webp_chunks(data)) if animated else 1
    return sides[0], sides[1], max(frames, 1)


def _webp_chunks(data: bytes) -> Iterator[bytes]:
    """The names of the chunks, up to the end that the file states."""
    offset, end = 12, min(len(data), _webp_end(data))
    while offset + 8 <= end:
        name, size = struct.unpack_from("<4sI", data, offset)
        yield name
        offset += 8 + size + size % 2


def _webp_end(data: bytes) -> int:
    size: int = struct.unpack_from("<I", data, 4)[0]
    return 8 + size + size % 2


def _webp_notes(data: bytes) -> Iterator[str]:
    lost = {name.decode("latin-1").strip() for name in _webp_chunks(data) if name not in _WEBP_CHUNKS}
    if lost:
        yield f"WebP chunks that cannot be kept: {', '.join(sorted(lost))}"
    yield from after_the_end(data[_webp_end(data) :])


_PROFILES = (b"DEBM", b"KNIL")
"""Values in the header of a BMP of version 5 that mean an embedded or linked colour profile."""


def read_bmp(data: bytes, max_pixels: int, page: int | None) -> Picture:
    """1 to 32 bits per pixel, uncompressed."""
    from PIL.BmpImagePlugin import BmpImageFile

    single(page, "a BMP")
    with BmpImageFile(io.BytesIO(data)) as image:
        if image.info.get("compression") in (1, 2):
            raise InputError("it is a run-length compressed BMP; save it uncompressed or as PNG")
        check_size(*image.size, 4, len(data), max_pixels)
        mode = image.mode
        grey = mode in ("1", "L")
        samples = np.asarray(image.convert("L") if grey else image.convert("RGB") if mode == "P" else image)
        dpi = image.info.get("dpi")
    expanded = {"1": ("1-bit gray expanded to 8 bits",), "P": ("palette expanded to RGB",)}
    notes: tuple[str, ...] = expanded.get(mode, ())
    if data[70:74] in _PROFILES and data[14] == 124:
        notes += ("the colour profile of a BMP cannot be kept",)
    end = int.from_bytes(data[2:6], "little")
    notes += tuple(after_the_end(data[end:] if end > 54 else b""))
    picture = from_samples(samples, "bmp", alpha=mode == "RGBA")
    return replace(picture, dpi=positive_dpi(dpi), notes=notes)


def write_webp(samples: NDArray[Any], picture: Picture) -> bytes:
    """Encode samples (H, W, 1..4) uint8. Gray becomes three equal channels, because WebP has no gray."""
    import imageio.v3 as iio

    if samples.shape[2] < 3:
        samples = np.concatenate([np.repeat(samples[..., :1], 3, axis=2), samples[..., 1:]], axis=2)
    encoded: bytes = iio.imwrite(
        "<bytes>",
        samples,
        extension=".webp",
        plugin="pillow",
        lossless=True,
        exact=True,
        # effort of the lossless compression; the default takes three times as long for 1.5 % less
        quality=20,
        method=3,
        icc_profile=picture.icc or b"",
        exif=picture.exif or b"",
        xmp=picture.xmp or b"",
    )
    return encoded


def write_bmp(samples: NDArray[Any], picture: Picture) -> bytes:
    """Encode samples (H, W, 1 or 3) uint8."""
    import imageio.v3 as iio

    dpi = picture.dpi or (0, 0)
    encoded: bytes = iio.imwrite("<bytes>", _plane(samples), extension=".bmp", plugin="pillow", dpi=dpi)
    return encoded


def _plane(samples: NDArray[Any]) -> NDArray[Any]:
    return samples[..., 0] if samples.shape[2] == 1 else samples
