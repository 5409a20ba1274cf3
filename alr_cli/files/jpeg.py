"""JPEG: read by Pillow, written by imageio at quality 95 with full colour resolution (4:4:4)."""

import io
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alr_cli.errors import InputError
from alr_cli.files.descriptions import without_parts
from alr_cli.files.exif import PREFIX, resolution_of_block
from alr_cli.files.jpeg_segments import Segments, take_apart
from alr_cli.files.limits import check_size, single
from alr_cli.files.picture import Picture, from_samples, positive_dpi

QUALITY = 95


def read(data: bytes, max_pixels: int, page: int | None) -> Picture:
    """Gray or colour; CMYK is refused. Of a multi-picture JPEG from a phone, the main picture is read."""
    from PIL.JpegImagePlugin import JpegImageFile

    class Jpeg(JpegImageFile):
        def _read_dpi_from_exif(self) -> None:
            """Not needed (see below), and some damaged EXIF makes it refuse a sound picture."""

    single(page, "a JPEG")
    segments = take_apart(data)
    segments.check()
    with Jpeg(io.BytesIO(data)) as image:
        if image.mode not in ("L", "RGB"):
            raise InputError(
                "it is a CMYK JPEG, made for printing; convert it to RGB with its colour profile first, "
                "for example with ImageMagick: magick in.jpg -profile sRGB.icc out.png"
            )
        # every 8 x 8 block takes at least one bit, so that a shorter file has lost its end
        check_size(*image.size, len(image.getbands()), len(data), max_pixels, believed=0.04)
        picture = from_samples(np.asarray(image), "jpeg")
        info = image.info
    xmp, parts = without_parts(info.get("xmp"))
    exif = info["exif"][len(PREFIX) :] if "exif" in info else None
    dpi = info.get("dpi") if info.get("jfif_unit") in (1, 2) else resolution_of_block(exif)
    return replace(
        picture,
        icc=info.get("icc_profile"),
        exif=exif or None,
        xmp=xmp,
        dpi=positive_dpi(dpi),
        extras=segments.copied(),
        coded=data,
        notes=(*_notes(info, segments), *parts),
    )


def _notes(info: dict[Any, Any], segments: Segments) -> Iterator[str]:
    density = info.get("jfif_density", (1, 1))
    if info.get("jfif_unit") == 0 and density[0] != density[1]:
        yield f"pixel aspect {density[0]}:{density[1]} cannot be kept"
    yield from segments.losses(pictures="mp" in info, profile=bool(info.get("icc_profile")))


def write(samples: NDArray[Any], picture: Picture) -> bytes:
    """Encode samples (H, W, 1 or 3) uint8."""
    import imageio.v3 as iio

    extra = b"".join(
        bytes([0xFF, 0xFE if name == "COM" else 0xE0 + int(name[3:])])
        + struct.pack(">H", len(payload) + 2)
        + payload
        for name, payload in picture.extras
    )
    encoded: bytes = iio.imwrite(
        "<bytes>",
        samples[..., 0] if samples.shape[2] == 1 else samples,
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
    """The resolution as JPEG stores it: 16-bit whole numbers."""
    x, y = (min(max(round(value), 1), 65535) for value in dpi)
    return x, y
