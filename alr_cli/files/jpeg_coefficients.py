"""The quantised coefficients of a JPEG file, read by jpeglib."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from alr_cli.errors import InputError, UsageError

if TYPE_CHECKING:
    from alr_cli.core.jpeg import Coefficients

_KNOWN = ("GRAYSCALE", "YCbCr")


def read_coefficients(data: bytes | None, name: str) -> Coefficients:
    """The coefficients of a file that was already decoded once, so that it is known to be sound.

    Args:
        data: the file; None for a picture that comes from none.
        name: what to call it.

    Raises:
        UsageError: jpeglib is not installed.
        InputError: the file is no JPEG, or of a kind whose samples have no place in a picture of RGB.
    """
    from alr_cli.core.jpeg import Coefficients, Plane

    try:
        import jpeglib
    except ImportError as error:
        raise UsageError("--jpeg needs jpeglib: pip install 'alr-cli[jpeg]'") from error
    if data is None:
        raise InputError(
            f"{name} is no JPEG, and holds no coefficients: leave --jpeg out, or give the original file"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        path.write_bytes(data)
        try:
            jpeg = jpeglib.read_dct(str(path))
        except OSError as error:
            raise InputError(f"the coefficients of {name} cannot be read: leave --jpeg out") from error
    coded = str(jpeg.jpeg_color_space).removeprefix("JCS_")
    if coded not in _KNOWN:
        raise InputError(f"{name} is coded as {coded}, and --jpeg is for gray and YCbCr: leave --jpeg out")
    found = [plane for plane in (jpeg.Y, jpeg.Cb, jpeg.Cr) if plane is not None]
    samples = np.asarray(jpeg.samp_factor)[: len(found)]
    if len(found) == 1:
        samples = np.ones_like(samples)  # a single plane is never averaged, whatever the file says
    most = samples.max(axis=0)
    if (most % samples).any() or (samples[0] != most).any():
        raise InputError(
            f"{name} shares its samples among pixels in a way that --jpeg does not know: leave --jpeg out"
        )
    planes = tuple(
        Plane(plane, np.asarray(jpeg.qt[table]), (int(factor[0]), int(factor[1])))
        for plane, table, factor in zip(found, jpeg.quant_tbl_no, most // samples, strict=False)
    )
    return Coefficients(planes, int(jpeg.height), int(jpeg.width))
