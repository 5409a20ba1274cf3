"""JPEG, WebP and BMP: read by Pillow, written by imageio (Pillow behind one call from array to bytes).

JPEG is written at quality 95 with full colour resolution (4:4:4), WebP lossless with the colours under
transparent pixels kept, BMP uncompressed.
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
from alr_cli.files.picture import Picture, from_samples

QUALITY = 95
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_REBUILT = (b"JFIF", PREFIX, _XMP, b"ICC_PROFILE\0", b"Adobe", b"MPF\0")
"""Segments that the encoder writes anew from what was read."""


def read_jpeg(data: bytes, max_pixels: int, page: int | None) -> Picture:
    """Gray or colour; CMYK is refused. Of a multi-picture JPEG (phones) the main one is read."""
    from PIL.JpegImagePlugin import JpegImageFile

    class Jpeg(JpegImageFile):
        def _read_dpi_from_exif(self) -> None:
            """Not needed (see below), and some damaged EXIF makes it refuse a sound picture."""

    single(page, "a JPEG")
    with Jpeg(io.BytesIO(data)) as image:
        if image.mode not in ("L", "RGB"):
            raise InputError(
                "it is a CMYK JPEG, made for printing; convert it to RGB with its colour profile first, "
                "for example with ImageMagick: magick in.jpg -profile sRGB.icc out.png"
            )
        # every 8 x 8 block takes a bit or more, so that what is shorter has lost its end: no need to try
        check_size(*image.size, len(image.getbands()), len(data), max_pixels, believed=0.04)
        picture = from_samples(np.asarray(image), "jpeg")
        info, segments = image.info, image.applist
    exif = info["exif"][len(PREFIX) :] if "exif" in info else None
    dpi = info.get("dpi") if info.get("jfif_unit") in (1, 2) else resolution_of_block(exif)
    extras = tuple(_own_segments(segments))
    return replace(
        picture,
        icc=info.get("icc_profile"),
        exif=exif or None,
        xmp=info.get("xmp"),
        dpi=_positive(dpi),
        extras=extras,
        notes=tuple(_jpeg_notes(info, segments, extras)),
    )


def _own_segments(segments: list[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Comments and captions (IPTC): copied as they are."""
    for name, payload in segments:
        if name == "COM" or (name == "APP13" and payload.startswith(b"Photoshop 3.0\0")):
            yield name, payload


def _jpeg_notes(
    info: dict[Any, Any], segments: list[tuple[str, bytes]], extras: tuple[tuple[str, bytes], ...]
) -> Iterator[str]:
    if "mp" in info:
        yield "the further pictures of this multi-picture JPEG (depth, gain map, preview) cannot be kept"
    density = info.get("jfif_density", (1, 1))
    if info.get("jfif_unit") == 0 and density[0] != density[1]:
        yield f"pixel aspect {density[0]}:{density[1]} cannot be kept"
    lost = {name for name, payload in segments if (name, payload) not in extras and payload[:1] != b""}
    kept = {name for name, payload in segments if payload.startswith(_REBUILT)}
    if lost - kept:
        yield f"JPEG segments that cannot be kept: {', '.join(sorted(lost - kept))}"


def read_webp(data: bytes, max_pixels: int, page: int | None) -> Picture:
    """RGB or RGBA, lossy or lossless; a frame of an animation if `page` names it."""
    from PIL import Image
    from PIL.WebPImagePlugin import WebPImageFile

    width, height, frames = _webp_header(data)
    check_size(width, height, 4, len(data), max_pixels)
    frame = choose_page(page, frames, "frame")
    Image.MAX_IMAGE_PIXELS = None  # the size has been judged against `max_pixels` already
    with WebPImageFile(io.BytesIO(data)) as image:
        if image.size != (width, height):
            raise InputError("its pixels do not match its header; get an undamaged copy")
        image.seek(frame)
        alpha = image.mode == "RGBA"
        picture = from_samples(np.asarray(image), "webp", alpha=alpha)
        info = image.info
    exif = info.get("exif", b"").removeprefix(PREFIX) or None
    return replace(
        picture, icc=info.get("icc_profile"), exif=exif, xmp=info.get("xmp"), dpi=resolution_of_block(exif)
    )


def _webp_header(data: bytes) -> tuple[int, int, int]:
    """Width, height and number of frames; Pillow allocates the canvas before it tells."""
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
    frames, offset = 0, 12
    while animated and offset + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, offset)
        frames += name == b"ANMF"
        offset += 8 + size + size % 2
    return sides[0], sides[1], max(frames, 1)


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
    notes = {"1": ("1-bit gray expanded to 8 bits",), "P": ("palette expanded to RGB",)}
    picture = from_samples(samples, "bmp", alpha=mode == "RGBA")
    return replace(picture, dpi=_positive(dpi), notes=notes.get(mode, ()))


def _positive(dpi: tuple[float, float] | None) -> tuple[float, float] | None:
    return (float(dpi[0]), float(dpi[1])) if dpi and min(dpi) > 0 else None


def write_jpeg(samples: NDArray[Any], picture: Picture) -> bytes:
    """samples: (H, W, 1 or 3) uint8."""
    import imageio.v3 as iio

    extra = b"".join(
        bytes([0xFF, 0xFE if name == "COM" else 0xE0 + int(name[3:])])
        + struct.pack(">H", len(payload) + 2)
        + payload
        for name, payload in picture.extras
    )
    encoded: bytes = iio.imwrite(
        "<bytes>",
        _plane(samples),
        extension=".jpg",
        plugin="pillow",
        quality=QUALITY,
        subsampling=0,
        dpi=whole_dpi(picture.dpi) if picture.dpi else (0, 0),
        icc_profile=picture.icc,
        exif=PREFIX + picture.exif if picture.exif else b"",
        xmp=picture.xmp,
        extra=extra,
    )
    return encoded


def whole_dpi(dpi: tuple[float, float]) -> tuple[int, int]:
    """The resolution as JPEG holds it: whole numbers of 16 bits."""
    x, y = (min(max(round(value), 1), 65535) for value in dpi)
    return x, y


def write_webp(samples: NDArray[Any], picture: Picture) -> bytes:
    """samples: (H, W, 1..4) uint8; gray becomes three equal channels, which is all that WebP has."""
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
        quality=20,  # of a lossless WebP: effort. The default takes three times as long for 1.5 % less
        method=3,
        icc_profile=picture.icc or b"",
        exif=picture.exif or b"",
        xmp=picture.xmp or b"",
    )
    return encoded


def write_bmp(samples: NDArray[Any], picture: Picture) -> bytes:
    """samples: (H, W, 1 or 3) uint8."""
    import imageio.v3 as iio

    dpi = picture.dpi or (0, 0)
    encoded: bytes = iio.imwrite("<bytes>", _plane(samples), extension=".bmp", plugin="pillow", dpi=dpi)
    return encoded


def _plane(samples: NDArray[Any]) -> NDArray[Any]:
    return samples[..., 0] if samples.shape[2] == 1 else samples
