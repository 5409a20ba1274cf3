"""Draw pictures of structure that is rare in photographs of nature: leaves, facades, lettering, lines

    python scripts/draw_structures.py FOLDER [COUNT]

Writes COUNT (210) PNG pictures of 384 x 384 pixels in colour, with their numbers as seeds. Such pictures were
part of the training data of color-wide (weights/color-wide.md). Each is drawn at twice the size and reduced,
and some are blurred slightly, so that edges are as soft as in photographs.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIDE = 384
LETTERS = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:-()     ")
PAPER, INK, SHADE = (250, 250, 245), (10, 10, 15), (128, 128, 120)

Colour = tuple[int, ...]


def colour(rng: np.random.Generator, saturated: float = 0.35) -> Colour:
    """A random colour. All but a share of `saturated` are closer to gray."""
    value = rng.uniform(0, 255, 3)
    if rng.random() > saturated:
        value = value.mean() + (value - value.mean()) * rng.uniform(0, 0.5)
    return tuple(int(part) for part in value)


def leaves(rng: np.random.Generator, side: int) -> Image.Image:
    """Overlapping discs and polygons, few large and many small ones."""
    image = Image.new("RGB", (side, side), colour(rng))
    draw = ImageDraw.Draw(image)
    for _ in range(1500):
        radius = side * 0.25 / (1 + 60 * rng.random() ** 0.5)
        x, y = rng.uniform(-radius, side + radius, 2)
        if rng.integers(4) == 0:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), colour(rng))
            continue
        corners, first, flat = int(rng.integers(3, 6)), rng.uniform(0, 7), rng.uniform(0.2, 1)
        angles = first + 2 * np.pi * np.arange(corners) / corners
        outline = [(x + radius * np.cos(a), y + flat * radius * np.sin(a)) for a in angles]
        draw.polygon(outline, colour(rng))
    return image


def facade(rng: np.random.Generator, side: int) -> Image.Image:
    """Rows of windows, seen at an angle."""
    image = Image.new("RGB", (side, side), colour(rng, 0.2))
    draw = ImageDraw.Draw(image)
    across, down = rng.uniform(side / 50, side / 7, 2)
    width, height = across * rng.uniform(0.3, 0.9), down * rng.uniform(0.3, 0.9)
    colours = [colour(rng, 0.2) for _ in range(4)]
    many, bars, line = rng.random() < 0.4, int(rng.integers(0, 4)), max(1, side // 400)
    for top in np.arange(0, side + down, down):
        for left in np.arange(0, side + across, across):
            pane = colours[rng.integers(4)] if many else colours[0]
            draw.rectangle((left, top, left + width, top + height), pane)
            for bar in range(1, bars + 1):
                x = left + width * bar / (bars + 1)
                draw.line((x, top, x, top + height), colours[1], line)
        if rng.random() < 0.8:
            y = top + (down + height) / 2
            draw.line((0, y, side, y), colours[2], max(1, int((down - height) / 5)))
    slant = rng.uniform(-0.35, 0.35, 8) * side * np.tile((0.5, 0.5, 0.5, 1), 2)
    corners = np.array([0, 0, 0, side, side, side, side, 0]) + slant
    return image.transform((side, side), Image.Transform.QUAD, list(corners), Image.Resampling.BICUBIC)


def lettering(rng: np.random.Generator, side: int) -> Image.Image:
    """Lines of letters of several sizes."""
    image = Image.new("RGB", (side, side), colour(rng, 0.2) if rng.random() < 0.5 else PAPER)
    draw = ImageDraw.Draw(image)
    top = 0.0
    while top < side:
        size = int(side * rng.choice([0.03, 0.04, 0.06, 0.1, 0.2]))
        ink = colour(rng) if rng.random() < 0.3 else INK
        text = "".join(rng.choice(LETTERS, 90))
        draw.text((rng.uniform(0, side / 10), top), text, ink, ImageFont.load_default(size))
        top += 1.3 * size
    angle = float(rng.choice([0, 0, 90, rng.uniform(-20, 20)]))
    return image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=SHADE)


def lines(rng: np.random.Generator, side: int) -> Image.Image:
    """Waves, rings or a halftone of two colours, soft or sharp."""
    y, x = np.mgrid[:side, :side] / side
    angle, frequency = rng.uniform(0, np.pi), rng.uniform(5, 45)
    along, beside = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    kind = rng.integers(3)
    if kind == 0:
        wave = np.sin(2 * np.pi * frequency * (along + rng.uniform(0, 0.1) * np.sin(3 * y)))
    elif kind == 1:
        wave = np.sin(2 * np.pi * frequency * np.hypot(x - rng.random(), y - rng.random()))
    else:
        dots = np.sin(2 * np.pi * frequency * along) + np.sin(2 * np.pi * frequency * beside)
        wave = dots - 2 * np.sin(2 * rng.uniform(1, 3) * x + 2)
    share = 1 / (1 + np.exp(-wave * rng.uniform(2, 30)))[..., None]
    light = 1 - 0.4 * rng.random() * (y * rng.random() + x * rng.random())[..., None]
    pixels = (np.array(colour(rng)) * share + np.array(colour(rng)) * (1 - share)) * light
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def collage(rng: np.random.Generator, side: int) -> Image.Image:
    """Leaves, and on them pieces of the others."""
    image = leaves(rng, side)
    for _ in range(5):
        piece = (facade, lettering, lines)[rng.integers(3)](rng, side)
        mask = Image.new("L", (side, side))
        corners = rng.uniform(0, side, (4, 2))
        corners = corners[np.argsort(np.arctan2(*(corners - corners.mean(0)).T))]
        ImageDraw.Draw(mask).polygon([tuple(corner) for corner in corners], 255)
        image.paste(piece, (0, 0), mask)
    return image


KINDS: tuple[Callable[[np.random.Generator, int], Image.Image], ...] = (
    *(leaves, facade, facade, lettering, lines, collage, collage),
)


def picture(number: int) -> Image.Image:
    """One of the pictures; the kinds take turns."""
    rng = np.random.default_rng(number)
    image = KINDS[number % len(KINDS)](rng, 2 * SIDE)
    if rng.random() < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2.5)))
    return image.resize((SIDE, SIDE), Image.Resampling.BOX if number % 2 else Image.Resampling.LANCZOS)


def main(folder: str, count: str = "210") -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for number in range(int(count)):
        picture(number).save(Path(folder) / f"{number:03}.png")


if __name__ == "__main__":
    main(*sys.argv[1:3])
