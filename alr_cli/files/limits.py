"""Sizes are judged from the header, before anything is allocated."""

from alr_cli.errors import InputError

MAX_PIXELS = 100_000_000


def check_size(
    width: int, height: int, sample_bytes: int, stored: int, max_pixels: int, *, believed: float = 0.64
) -> None:
    """Refuse empty pictures, pictures over `max_pixels` and files that unpack as only bombs do (InputError).

    sample_bytes: bytes of one pixel, all channels; stored: bytes of the file. Deflate, the strongest of the
    everyday methods, packs at most 1032 to 1, and photographs 2 to 20 to 1; masks and blank pages lie in
    between, so a high ratio is suspicious only together with a large result: one of more than `believed`
    bytes per allowed pixel (64 MB for 100 million).
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
    """A format with one picture a file: only page 1 may be asked for."""
    if page not in (None, 1):
        raise InputError(f"{holder} holds one picture and page {page} was asked for; leave --page out")


def choose_page(page: int | None, count: int, what: str) -> int:
    """Index of the page to read; more than one and none chosen is refused. Pages count from 1."""
    if page is None:
        if count > 1:
            raise InputError(
                f"it holds {count} {what}s; choose one with --page (1 to {count}) or split it first"
            )
        return 0
    if not 1 <= page <= count:
        raise InputError(f"page {page} was asked for and it holds {count} {what}{'s' * (count > 1)}, from 1")
    return page - 1
