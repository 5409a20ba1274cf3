"""Folders of training pictures: decoded once, with the same channels, and described by a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alr_cli.errors import InputError
from alr_cli.files.picture import FULL
from alr_cli.files.pictures import EXTENSIONS, Picture, read_picture
from alr_cli.files.ranges import Range, found

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as used by the gray benchmarks


@dataclass(frozen=True)
class PictureFolder:
    """The pictures of a folder.

    Attributes:
        pictures: (H, W, C), uint8 on [0,255] if the file was, else float32 on [0,1].
        names: Names of the files.
        skipped: A sentence for each file that was left out.
        digest: SHA-256 over names and pixels.
    """

    pictures: list[np.ndarray]
    names: list[str]
    skipped: list[str]
    digest: str

    def __len__(self) -> int:
        return len(self.pictures)


def load_folder(
    folder: Path, channels: int, least: int, exclude: Sequence[str] = (), range: Range | None = None
) -> PictureFolder:
    """Read every picture in `folder`, but not in its subfolders, in the order of the names.

    Args:
        folder: The folder.
        channels: 1 converts colour to luma; 3 refuses gray files.
        least: Smallest usable side in pixels.
        exclude: Names of files to skip.
        range: The numbers that become 0 and 1. None uses the range of the number type.

    Raises:
        InputError: No usable picture is left, or the range of a float picture or of all 16-bit pictures is in
            doubt.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: give a folder of pictures")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in EXTENSIONS and path.is_file())
    unknown = sorted(set(exclude) - {path.name for path in files})
    if unknown:
        raise InputError(f"{folder} has no picture {unknown[0]!r} to exclude: check the name")
    pictures: list[np.ndarray] = []
    names: list[str] = []
    skipped: list[str] = []
    deep: list[str | None] = []
    digest = hashlib.sha256()
    for path in files:
        if path.name in exclude:
            continue
        try:
            read = read_picture(path, range=range or "usual")
            doubt = _doubt(read) if range is None else None
            if doubt is not None and read.depth == "float32":
                raise InputError(f"{path}: {doubt}: give --range LO:HI, or leave it out")
            picture = _usable(read, path, channels, least)
        except InputError as error:
            skipped.append(str(error))
            continue
        if read.depth == "uint16":
            deep.append(doubt)
        pictures.append(picture)
        names.append(path.name)
        digest.update(f"{path.name}:{picture.shape}:{picture.dtype};".encode())
        digest.update(picture.tobytes())
    if not pictures:
        reason = (
            f"the first problem: {skipped[0]}" if skipped else "give a folder with PNG, JPEG or TIFF files"
        )
        raise InputError(f"{folder} has no usable picture: {reason}")
    if deep and all(deep):
        raise InputError(
            f"the range of the 16-bit pictures in {folder} is in doubt, of one {deep[0]}: give --range, "
            f"or --range 0:{FULL['uint16']:.0f} if they are just dark"
        )
    return PictureFolder(pictures, names, skipped, digest.hexdigest())


def _doubt(picture: Picture) -> str | None:
    """Why the range of a picture may differ from that of its number type, or None."""
    range, why = found(picture)
    return None if range is None else why


def _usable(picture: Picture, path: Path, channels: int, least: int) -> np.ndarray:
    if min(picture.height, picture.width) < least:
        raise InputError(f"{path} is smaller than {least} x {least}: leave it out")
    pixels = picture.pixels
    if picture.channels < channels:
        raise InputError(f"{path} is gray and the critic is for colour: leave it out or train with --gray")
    if picture.channels > channels:
        pixels = np.asarray(pixels @ LUMA)[..., None]
    if picture.depth == "uint8" and picture.range is None:
        return np.asarray(np.rint(pixels * np.float32(255)), np.uint8)
    return np.asarray(pixels, np.float32)
