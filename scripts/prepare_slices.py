"""Write CT slices as training pictures: scaled to [0,1] by their own range, square, 8 bits.

    python scripts/prepare_slices.py ct100 slices --split train --variants 3
    python scripts/prepare_slices.py ct100 held --split validation

The folder has pictures and a table patients.tsv with the columns file, patient and split. Every sixth patient
of the training split, from the third on, is kept for validation. `--variants K` adds K copies of each slice,
turned by up to 15 degrees, magnified by up to a quarter either way, and shifted. `--side` is that of the
pictures, 128 pixels without it; several runs with different sides may fill one folder.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 128  # pixels
FIRST, EVERY = 2, 6  # the patients for validation, in the order of their names
TURN, ZOOM, SHIFT = 15.0, 1.25, 0.06  # degrees, factor, share of the side


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--split", choices=("train", "validation", "test"), required=True)
    parser.add_argument("--variants", type=int, default=0)
    parser.add_argument("--side", type=int, default=SIDE)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for name in chosen(given.folder / "patients.tsv", given.split):
        whole = scaled(given.folder / name)
        stem = f"{Path(name).stem}_{given.side}"
        write(whole, given.side, given.output / f"{stem}.png")
        for number in range(given.variants):
            write(moved(whole, random), given.side, given.output / f"{stem}_{number}.png")


def chosen(table: Path, split: str) -> list[str]:
    """The files of a split."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    held = set(sorted({row["patient"] for row in rows if row["split"] == "train"})[FIRST::EVERY])

    def of(row: dict[str, str]) -> str:
        return "validation" if row["split"] == "train" and row["patient"] in held else row["split"]

    return [row["file"] for row in rows if of(row) == split]


def scaled(path: Path) -> Image.Image:
    """A slice on [0,1] by its own minimum and maximum, as a picture of floats."""
    values = np.asarray(Image.open(path), np.float32)
    return Image.fromarray((values - values.min()) / (values.max() - values.min()))


def moved(whole: Image.Image, random: np.random.Generator) -> Image.Image:
    """The slice turned, magnified and shifted at random. What comes into view is black."""
    angle, zoom = random.uniform(-TURN, TURN), ZOOM ** random.uniform(-1, 1)
    across, down = random.uniform(-SHIFT, SHIFT, 2) * whole.width
    turned = whole.rotate(angle, Image.Resampling.BICUBIC, translate=(round(across), round(down)))
    half, middle = whole.width / zoom / 2, whole.width / 2
    box = (middle - half, middle - half, middle + half, middle + half)
    return turned.transform(whole.size, Image.Transform.EXTENT, box, Image.Resampling.BICUBIC)


def write(picture: Image.Image, side: int, path: Path) -> None:
    small = picture.resize((side, side), Image.Resampling.BILINEAR)
    Image.fromarray(np.rint(255 * np.asarray(small).clip(0, 1)).astype(np.uint8)).save(path)


if __name__ == "__main__":
    main()
