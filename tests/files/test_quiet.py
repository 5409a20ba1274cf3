"""Warnings of decoders are suppressed, and those of others are not."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from alr_cli.files.pictures import decode, encode
from alr_cli.files.quiet import quiet
from tests.files.seeds import seed_files


def test_warnings_are_silent_inside_and_as_before_outside() -> None:
    before = list(warnings.filters)
    with quiet(), quiet():
        warnings.warn("from a decoder", stacklevel=1)
    assert warnings.filters == before
    with pytest.raises(UserWarning, match="loud"):
        warnings.warn("loud", stacklevel=1)


def test_overlapping_threads_restore_the_filters() -> None:
    before, inside = list(warnings.filters), threading.Barrier(2)

    def first() -> None:
        with quiet():
            inside.wait()
            inside.wait()

    def second() -> None:
        inside.wait()
        with quiet():
            inside.wait()
            warnings.warn("from a decoder", stacklevel=1)

    with ThreadPoolExecutor(2) as pool:
        for task in (pool.submit(first), pool.submit(second)):
            task.result()
    assert warnings.filters == before


REFUSED = {
    "apng",
    "jpeg-12",
    "jpeg-cmyk",
    "jpeg-ls",
    "tiff-imagej",
    "tiff-ome",
    "tiff-pages",
    "webp-animated",
}


def test_pictures_are_decoded_and_encoded_the_same_in_many_threads() -> None:
    names = sorted(seed_files().keys() - REFUSED)
    assert len(names) > 20

    def work(name: str) -> tuple[bytes, np.ndarray]:
        picture = decode(seed_files()[name])
        return encode(picture, picture.format), picture.pixels

    alone = [work(name) for name in names]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(work, names * 8))
    for index, (data, pixels) in enumerate(together):
        assert data == alone[index % len(names)][0]
        assert np.array_equal(pixels, alone[index % len(names)][1])
