"""Reconstructed slices as a TIFF of 32-bit floats, one page for each, with a description."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alr_cli.files.quiet import quiet


def encode_slices(slices: NDArray[np.floating[Any]], description: str) -> bytes:
    """Encode slices (pages, H, W). The description must be printable ASCII. Equal slices give equal bytes."""
    import tifffile

    stream = BytesIO()
    with quiet():
        tifffile.imwrite(
            stream,
            np.ascontiguousarray(slices, np.float32),
            photometric="minisblack",
            description=description,
            metadata=None,
            software=False,
        )
    return stream.getvalue()
