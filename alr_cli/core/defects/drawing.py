"""y = (1 - a) x + a v: dust, hairs and scratches of opacity a and colour v, drawn over a clean picture x

Every defect is a union of soft disks along a path: a speck is a few of them side by side, a hair follows a
curve, and a scratch is nearly straight. At the distance d from the centre of a disk of radius r

    a = o clip((r - d) / s + 1/2, 0, 1)

where o is the opacity of the defect and s the width of its edge. A pixel counts as defective if any of its
channels changes by more than `VISIBLE`. Training and measurements share this code, but not the law by which
sizes are drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Path = NDArray[np.float64]

VISIBLE = 6 / 255
_KINDS = "speck", "hair", "scratch"
_TINT = 0.04  # by how much the channels of a colour differ
_APART = 0.7  # pixels between the disks of a stroke


@dataclass(frozen=True)
class Law:
    """How defects are distributed. Pairs are ranges.

    Attributes:
        diameters: Those of specks in pixels, drawn log-uniformly.
        widths: Of hairs and scratches in pixels. One of them is drawn.
        hairs, scratches: Lengths in pixels, drawn log-uniformly.
        edges: Width s of the edge in pixels.
        opacities: o.
        dark, bright: Gray levels of v, each for half of the defects.
        shares: Shares of specks, hairs and scratches.
        coloured: Share of the scratches that have a colour of their own, as in one layer of a film.
    """

    diameters: tuple[float, float] = (1.0, 16.0)
    widths: tuple[float, ...] = (0.7, 1.0, 1.4, 2.0, 2.8)
    hairs: tuple[float, float] = (8.0, 90.0)
    scratches: tuple[float, float] = (15.0, 400.0)
    edges: tuple[float, float] = (0.8, 2.2)
    opacities: tuple[float, float] = (0.3, 1.0)
    dark: tuple[float, float] = (0.0, 0.2)
    bright: tuple[float, float] = (0.8, 1.0)
    shares: tuple[float, float, float] = (0.6, 0.25, 0.15)
    coloured: float = 0.2


TRAINED = Law()
MEASURED = Law(
    diameters=(1.3, 13.0),
    widths=(0.85, 1.2, 1.7, 2.4),
    hairs=(12.0, 70.0),
    scratches=(20.0, 250.0),
    edges=(1.0, 1.8),
    coloured=0.0,
)
"""The law of the measurements. Its widths lie between those of the training."""


@dataclass(frozen=True)
class Damaged:
    """A picture with defects.

    Attributes:
        pixels: (H, W, C).
        defective: (H, W), True where a defect changes the picture visibly.
    """

    pixels: Floats
    defective: Mask


def damaged(picture: Floats, count: int, law: Law, rng: np.random.Generator) -> Damaged:
    """The picture (H, W, C) on [0,1] with `count` defects at places that are uniform over the picture."""
    pixels = picture.copy()
    for kind in rng.choice(_KINDS, count, p=law.shares):
        _draw(pixels, str(kind), law, rng)
    changed = np.abs(pixels - picture).max(axis=2, initial=0.0)
    return Damaged(pixels, changed > VISIBLE)


def _draw(pixels: Floats, kind: str, law: Law, rng: np.random.Generator) -> None:
    """Draw one defect into the picture."""
    height, width, channels = pixels.shape
    centre = rng.random(2) * (height, width)
    edge, opacity = rng.uniform(*law.edges), rng.uniform(*law.opacities)
    if kind == "speck":
        centres, radii = _speck(log_uniform(law.diameters, rng) / 2, rng)
    else:
        lengths = law.hairs if kind == "hair" else law.scratches
        centres = _stroke(log_uniform(lengths, rng), kind == "hair", rng)
        radii = _along(len(centres), rng.choice(law.widths) / 2, rng)
    rows, columns, cover = coverage(centres + centre, radii, edge, (height, width))
    colour = _colour(law, kind == "scratch" and rng.random() < law.coloured, rng)[:channels]
    here = pixels[rows, columns]
    here += (opacity * cover)[:, None] * (colour - here)
    pixels[rows, columns] = here


def coverage(
    centres: Path, radii: NDArray[np.float64], edge: float, shape: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """The pixels under a union of soft disks.

    Args:
        centres: (n, 2), rows and columns in pixels.
        radii: (n,) in pixels.
        edge: s in pixels.
        shape: (H, W); disks may lie outside.

    Returns:
        Rows, columns and coverage of the pixels that are covered, (m,) each.
    """
    reach = math.ceil(float(radii.max()) + edge / 2)
    steps = np.arange(-reach, reach + 1)
    offsets = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(1, -1, 2)
    places = np.floor(centres).astype(np.int64)[:, None] + offsets
    distance = np.hypot(*np.moveaxis(places - centres[:, None], -1, 0))
    # Centres of pixels are at whole numbers. A disk smaller than its edge does not reach full coverage.
    cover = np.clip((radii[:, None] - distance) / edge + 0.5, 0, 1)
    inside = ((places >= 0) & (places < shape)).all(axis=-1) & (cover > 0)
    index = places[inside] @ np.array([shape[1], 1])
    found, which = np.unique(index, return_inverse=True)
    most = np.zeros(len(found), np.float32)
    np.maximum.at(most, which, cover[inside].astype(np.float32))
    return found // shape[1], found % shape[1], most


def log_uniform(range: tuple[float, float], rng: np.random.Generator) -> float:
    """A number whose logarithm is uniform over the range."""
    return float(np.exp(rng.uniform(*np.log(range))))


def _speck(radius: float, rng: np.random.Generator) -> tuple[Path, NDArray[np.float64]]:
    """Up to four disks, which overlap and together are about as large as one of this radius."""
    count = 1 if radius < 1 else int(rng.integers(1, 5))
    radii = radius * rng.uniform(0.5, 1.0, count)
    radii[0] = radius * (1.0 if count == 1 else 0.8)
    return radius * rng.uniform(-0.7, 0.7, (count, 2)) * (np.arange(count) > 0)[:, None], radii


def _stroke(length: float, bent: bool, rng: np.random.Generator) -> Path:
    """Points along a path of this length, around its middle. The direction of a bent one wanders."""
    count = max(2, round(length / _APART))
    bends = rng.normal(0, 0.05, count) if bent else np.zeros(count)
    curvature = rng.normal(0, 1.5 if bent else 0.05) / count
    angle = rng.uniform(0, 2 * math.pi) + np.cumsum(curvature + np.cumsum(bends) * 0.15)
    points = np.cumsum(_APART * np.stack([np.sin(angle), np.cos(angle)], -1), axis=0)
    return np.asarray(points - points[count // 2])


def _along(count: int, radius: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """The radii along a stroke, which vary slowly by up to a quarter."""
    phase, waves = rng.uniform(0, 2 * math.pi), rng.uniform(0.5, 3)
    swing = np.sin(phase + waves * math.pi * np.linspace(0, 1, count))
    return np.asarray(radius * (1 + rng.uniform(0, 0.25) * swing))


def _colour(law: Law, coloured: bool, rng: np.random.Generator) -> Floats:
    """v, three channels."""
    gray = rng.uniform(*(law.dark if rng.random() < 0.5 else law.bright))
    tint = rng.uniform(-1, 1, 3) * (0.5 if coloured else _TINT)
    return np.asarray(np.clip(gray + tint, 0, 1), np.float32)
