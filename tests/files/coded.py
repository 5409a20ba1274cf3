"""JPEG files made in code, for the tests of their coefficients."""

import io
from typing import Any

import numpy as np
from PIL import Image
from skimage import data


def a_photograph(height: int = 75, width: int = 101, gray: bool = False) -> Image.Image:
    """Part of a face; sides that are no whole blocks unless they are given."""
    picture = Image.fromarray(data.astronaut()[40 : 40 + height, 170 : 170 + width])
    return picture.convert("L") if gray else picture


def jpeg_of(picture: Image.Image, quality: int = 20, subsampling: int = 0, **more: Any) -> bytes:
    """subsampling: 0 for 4:4:4, 1 for 4:2:2, 2 for 4:2:0."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, subsampling=subsampling, **more)
    return buffer.getvalue()


def decoded_by_pillow(file: bytes) -> np.ndarray:
    """(H, W, C) float64 on [0,1]."""
    pixels = np.asarray(Image.open(io.BytesIO(file)), np.float64) / 255
    return pixels if pixels.ndim == 3 else pixels[..., None]
