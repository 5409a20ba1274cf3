"""Reconstructed slices as TIFF of 32-bit floats, a page for each, and what they are in its description."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alr_cli.files.quiet import quiet


def encode_slices(slices: NDArray[np.floating[Any]], description: str) -> bytes:
    """slices: (pages, H, W).  description: printable ASCII. The same bytes for the same slices."""
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
