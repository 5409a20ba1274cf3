"""The quantised coefficients of a JPEG file, read by jpeglib."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from alr_cli.errors import InputError, UsageError
from alr_cli.files.orientation import orientation_of, turned

if TYPE_CHECKING:
    from alr_cli.core.jpeg import Coefficients
    from alr_cli.core.tasks import Decoding

_KNOWN = ("GRAYSCALE", "YCbCr")


def read_coefficients(data: bytes | None, name: str) -> Coefficients:
    """The coefficients of a file that was decoded before, so that it is known to be valid.

    Args:
        data: The file, or None if the picture does not come from a JPEG file.
        name: Its name in messages.

    Raises:
        UsageError: jpeglib is not installed.
        InputError: The file is not a JPEG, or of a kind that is not supported.
    """
    from alr_cli.core.jpeg import Coefficients, Plane

    try:
        import jpeglib
    except ImportError as error:
        raise UsageError("--jpeg needs jpeglib: pip install 'alr-cli[jpeg]'") from error
    if data is None:
        raise InputError(
            f"{name} is not a JPEG and has no coefficients: omit --jpeg, or give the original file"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        path.write_bytes(data)
        try:
            jpeg = jpeglib.read_dct(str(path))
        except OSError as error:
            raise InputError(f"the coefficients of {name} cannot be read: omit --jpeg") from error
    coded = str(jpeg.jpeg_color_space).removeprefix("JCS_")
    if coded not in _KNOWN:
        raise InputError(f"{name} is coded as {coded}, but --jpeg is for gray and YCbCr: omit --jpeg")
    found = [plane for plane in (jpeg.Y, jpeg.Cb, jpeg.Cr) if plane is not None]
    samples = np.asarray(jpeg.samp_factor)[: len(found)]
    if len(found) == 1:
        samples = np.ones_like(samples)  # a single plane is never subsampled, whatever the file says
    most = samples.max(axis=0)
    if (most % samples).any() or (samples[0] != most).any():
        raise InputError(f"{name} has a kind of chroma subsampling that --jpeg does not support: omit --jpeg")
    planes = tuple(
        Plane(plane, np.asarray(jpeg.qt[table]), (int(factor[0]), int(factor[1])))
        for plane, table, factor in zip(found, jpeg.quant_tbl_no, most // samples, strict=False)
    )
    return Coefficients(planes, int(jpeg.height), int(jpeg.width))


def decoding(coefficients: Coefficients, exif: bytes | None) -> Decoding:
    """The task of decoding a file, whose pixels are seen turned as its EXIF data say."""
    from alr_cli.core.tasks import Decoding

    orientation = orientation_of(exif)
    return Decoding(coefficients, lambda stored: turned(stored, orientation))
