"""Stars, catchlights, wires and letters: detail that looks like dust and is none

They are drawn into clean pictures, for a detector (detector.py) to learn what it must not mark. Photographs
contain too few of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from alr_cli.core.defects.drawing import Floats, coverage, log_uniform

_WORD = "abcdefghijklmnopqrstuvwxyzABCDEFGHKMNRSTW0123456789.,:;!?'\"-"


def with_look_alikes(picture: Floats, rng: np.random.Generator) -> Floats:
    """The picture (H, W, C) on [0,1] with detail of one kind."""
    kinds: tuple[Callable[[Floats, np.random.Generator], Floats], ...] = (_stars, _eyes, _wires, _letters)
    return kinds[int(rng.integers(len(kinds)))](picture, rng)


def _stars(picture: Floats, rng: np.random.Generator) -> Floats:
    """A darkened picture, or a dark sky, with stars. All stars have the same profile."""
    height, width, channels = picture.shape
    glow = rng.uniform(0, 0.12) * np.array([0.8, 0.9, 1.0], np.float32)[:channels]
    spread = rng.uniform(0.5, 1.6)
    result = glow + np.float32(0.5 * rng.random() ** 4) * picture
    for _ in range(round(log_uniform((3, 80), rng))):
        strength = min(1.5, log_uniform((0.04, 3), rng))
        tint = np.asarray(rng.uniform(0.75, 1, channels), np.float32)
        row, column = rng.random(2) * (height, width)
        reach = math.ceil(5 * spread)
        top, left = max(0, int(row) - reach), max(0, int(column) - reach)
        rows, columns = np.ogrid[top : int(row) + reach + 1, left : int(column) + reach + 1]
        squared = (rows - row) ** 2 + (columns - column) ** 2
        profile = np.asarray(strength * np.exp(-squared / (2 * spread**2)), np.float32)
        here = result[top : int(row) + reach + 1, left : int(column) + reach + 1]
        here += profile[: here.shape[0], : here.shape[1], None] * tint
    return np.clip(result, 0, 1)


def _eyes(picture: Floats, rng: np.random.Generator) -> Floats:
    """Dark round things with one or two bright reflections."""
    result = picture.copy()
    for _ in range(int(rng.integers(1, 5))):
        centre, radius = rng.random(2) * picture.shape[:2], rng.uniform(4, 14)
        edge, dark = rng.uniform(1, 2.5), np.asarray(rng.uniform(0, 0.2, picture.shape[2]), np.float32)
        _disk(result, centre, radius, edge, dark, rng.uniform(0.9, 1))
        for _ in range(int(rng.integers(1, 3))):
            aside = rng.uniform(-0.5, 0.5, 2) * radius
            white = np.full(picture.shape[2], rng.uniform(0.7, 1), np.float32)
            _disk(result, centre + aside, radius * rng.uniform(0.12, 0.3), edge, white, rng.uniform(0.6, 1))
    return result


def _wires(picture: Floats, rng: np.random.Generator) -> Floats:
    """Thin lines from side to side which sag, as wires, ropes and masts do. Several are parallel."""
    result = picture.copy()
    side = max(picture.shape[:2])
    angle, sag = rng.uniform(0, math.pi), rng.uniform(0, 0.15) * side
    along = np.linspace(-1, 1, 3 * side)
    path = np.stack([sag * along**2, side * along], -1)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    colour = np.clip(rng.choice([rng.uniform(0, 0.3), rng.uniform(0.7, 1)]) + rng.normal(0, 0.05, 3), 0, 1)
    radius, edge = rng.uniform(0.4, 1.6), rng.uniform(0.8, 1.6)
    middle = np.array(picture.shape[:2]) / 2
    for offset in rng.uniform(-0.5, 0.5, int(rng.integers(1, 5))) * side:
        centres = (path + np.array([offset, 0.0])) @ turn + middle
        rows, columns, cover = coverage(
            centres, np.full(len(centres), radius), edge, (picture.shape[0], picture.shape[1])
        )
        here = result[rows, columns]
        result[rows, columns] = here + cover[:, None] * (colour[: picture.shape[2]].astype(np.float32) - here)
    return result


def _letters(picture: Floats, rng: np.random.Generator) -> Floats:
    """A few lines of writing."""
    from PIL import Image, ImageDraw, ImageFont

    height, width, channels = picture.shape
    page = Image.new("L", (width, height), 0)
    pen, size = ImageDraw.Draw(page), int(rng.integers(8, 30))
    font = ImageFont.load_default(size)
    for _ in range(int(rng.integers(1, 5))):
        text = "".join(rng.choice(list(_WORD + "     "), int(rng.integers(3, 24))))
        pen.text(tuple(rng.uniform(-0.1, 0.8, 2) * (width, height)), text, fill=255, font=font)
    cover = np.asarray(page, np.float32)[..., None] / 255 * np.float32(rng.uniform(0.5, 1))
    ink = np.full(channels, rng.choice([0.05, 0.95]), np.float32)
    return np.asarray(picture + cover * (ink - picture))


def _disk(
    picture: Floats, centre: NDArray[np.float64], radius: float, edge: float, colour: Floats, opacity: float
) -> None:
    rows, columns, cover = coverage(
        centre[None], np.array([radius]), edge, (picture.shape[0], picture.shape[1])
    )
    here = picture[rows, columns]
    picture[rows, columns] = here + (opacity * cover)[:, None] * (colour - here)
