"""PNM, the plain and binary bitmaps of netpbm (P1 to P6): a header of numbers, then the samples.

They are decoded here, because Pillow reduces 16-bit colour to 8 bits.
"""

import re
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alr_cli.errors import InputError
from alr_cli.files.limits import check_size, single
from alr_cli.files.picture import Picture, after_the_end, from_samples

_GAP = rb"(?:[ \t\r\n\v\f]|#[^\r\n]*[\r\n])+"
_BITMAP = re.compile(rb"P[14]" + (_GAP + rb"(\d{1,9})") * 2 + rb"[ \t\r\n\v\f]")
_GREYMAP = re.compile(rb"P[2356]" + (_GAP + rb"(\d{1,9})") * 3 + rb"[ \t\r\n\v\f]")
_HEADER_LIMIT = 65536
_DIGITS = b"0123456789 \t\r\n\v\f"


def read(data: bytes, max_pixels: int, page: int | None) -> Picture:
    """Gray or RGB with any maximum up to 65535."""
    single(page, "a PNM")
    kind = data[1] - ord("0")
    header = (_BITMAP if kind in (1, 4) else _GREYMAP).match(data, 0, min(len(data), _HEADER_LIMIT))
    if not header:
        raise InputError("its header is damaged or cut short; get a complete copy")
    width, height, *rest = (int(number) for number in header.groups())
    maximum = rest[0] if rest else 1
    channels = 3 if kind in (3, 6) else 1
    if not 0 < maximum < 65536:
        raise InputError(
            f"its header says a maximum of {maximum} and 1 to 65535 are possible; get an undamaged copy"
        )
    check_size(width, height, channels * (2 if maximum > 255 else 1), len(data), max_pixels)
    shape = (height, width, channels)
    if kind < 4:
        samples = _plain(data[header.end() :], shape, bits=kind == 1)
    else:
        samples = _binary(data, header.end(), shape, maximum, bits=kind == 4)
    if samples.max() > maximum:
        raise InputError(f"a sample is above its maximum of {maximum}; get an undamaged copy")
    if kind in (1, 4):
        samples = 1 - samples  # in bitmaps, 1 is black
    picture = from_samples(samples.astype(np.uint16 if maximum > 255 else np.uint8), "pnm", full=maximum)
    bits = 16 if maximum > 255 else 8
    notes: tuple[str, ...] = (
        (f"samples up to {maximum} rescaled to {bits} bits",) if maximum not in (255, 65535) else ()
    )
    if b"#" in header.group():
        notes += ("the comments of its header cannot be kept",)
    if kind >= 4:
        row = (width + 7) // 8 if kind == 4 else width * channels * (2 if maximum > 255 else 1)
        notes += tuple(after_the_end(data[header.end() + row * height :].strip()))
    return replace(picture, notes=notes)


def _plain(text: bytes, shape: tuple[int, int, int], bits: bool) -> NDArray[Any]:
    text = re.sub(rb"#[^\r\n]*", b"", text)
    if text.translate(None, _DIGITS):
        raise InputError("there is something other than numbers among its samples; get an undamaged copy")
    count = shape[0] * shape[1] * shape[2]
    samples: NDArray[Any]
    if bits:  # the digits of a plain bitmap need no spaces between them
        samples = np.frombuffer(text.translate(None, b" \t\r\n\v\f"), np.uint8) - ord("0")
    else:
        samples = (
            np.fromstring(text.decode("ascii"), np.int64, sep=" ") if text.strip() else np.zeros(0, np.int64)
        )
    if samples.size != count:
        raise InputError(f"it holds {samples.size} samples and its header says {count}; get a complete copy")
    return samples.reshape(shape)


def _binary(data: bytes, start: int, shape: tuple[int, int, int], maximum: int, bits: bool) -> NDArray[Any]:
    height, width, channels = shape
    item = 2 if maximum > 255 else 1
    row = (width + 7) // 8 if bits else width * channels * item
    end = start + row * height
    if end > len(data):
        raise InputError(f"it is cut short by {end - len(data)} bytes; get a complete copy")
    if re.match(rb"\s*P[1-7]\s", data[end : end + 64]):
        raise InputError("it holds several pictures one after the other; split it first")
    raw = np.frombuffer(data, np.uint8 if item == 1 else ">u2", row * height // item, start)
    if bits:
        return np.unpackbits(raw.reshape(height, row), axis=1)[:, :width, None]
    return raw.reshape(shape)


def write(samples: NDArray[Any], picture: Picture) -> bytes:
    """Encode samples (H, W, 1 or 3), uint8 or uint16, as P5 or P6."""
    height, width, channels = samples.shape
    maximum = 255 if samples.itemsize == 1 else 65535
    header = f"P{5 if channels == 1 else 6}\n{width} {height}\n{maximum}\n".encode()
    return header + samples.astype(f">u{samples.itemsize}").tobytes()
