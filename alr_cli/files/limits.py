"""Sizes are checked by the header, before memory is allocated."""

from alr_cli.errors import InputError

MAX_PIXELS = 100_000_000


def check_size(
    width: int, height: int, sample_bytes: int, stored: int, max_pixels: int, *, believed: float = 0.64
) -> None:
    """Refuse empty pictures, pictures over `max_pixels`, and decompression bombs (InputError).

    Deflate, the strongest of the common methods, compresses at most 1032 to 1, and photographs compress 2 to
    20 to 1. Masks and blank pages lie in between. A high ratio is therefore suspicious only together with a
    large result: one of more than `believed` bytes per allowed pixel (64 MB for 100 million).

    Args:
        width, height: As the header states.
        sample_bytes: Bytes of one pixel, all channels.
        stored: Bytes of the file.
        max_pixels: Limit of the number of pixels.
        believed: As above.
    """
    if width <= 0 or height <= 0:
        raise InputError(f"its header says {width} x {height} pixels; get an undamaged copy")
    pixels, unpacked = width * height, width * height * sample_bytes
    if pixels > max_pixels:
        raise InputError(
            f"{width} x {height} pixels are more than the limit of {max_pixels / 1e6:g} million; "
            "crop it or raise --max-pixels"
        )
    ratio = unpacked / max(stored, 1)
    if (unpacked > believed * max_pixels and ratio > 1100) or (unpacked > 2 * max_pixels and ratio > 250):
        raise InputError(
            f"{stored} bytes claim to hold {unpacked / 1e6:.0f} MB, as decompression bombs do; "
            "raise --max-pixels if you trust it, otherwise get an undamaged copy"
        )


def single(page: int | None, holder: str) -> None:
    """Refuse a page other than 1 for a format with one picture per file (InputError)."""
    if page not in (None, 1):
        raise InputError(f"{holder} holds one picture, but page {page} was asked for; leave --page out")


def choose_page(page: int | None, count: int, what: str) -> int:
    """The index of the page to read. Pages count from 1. Several pages without a choice are refused
    (InputError)."""
    if page is None:
        if count > 1:
            raise InputError(
                f"it holds {count} {what}s; choose one with --page (1 to {count}) or split it first"
            )
        return 0
    if not 1 <= page <= count:
        raise InputError(
            f"page {page} was asked for, but it holds {count} {what}{'s' * (count > 1)}, counted from 1"
        )
    return page - 1
