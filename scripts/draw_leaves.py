"""Draw pictures whose statistics are like those of photographs, from random numbers alone

    python scripts/draw_leaves.py FOLDER [COUNT]

Writes COUNT (160) PNG pictures of 320 x 320 pixels in colour, with their numbers as seeds. They are dead
leaves: shapes that hide each other, whose density falls with the third power of their size, as that of
objects in photographs does (Lee, Mumford and Huang 2001). Each leaf has one of a few colours, is lit from one
side, and has a texture with a power-law spectrum, with stripes, or none. Each picture is drawn at twice the
size and reduced, and some are blurred slightly. Together with scripts/draw_structures.py they are the drawn
part of the training data of color-free (weights/color-free.md).
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE = 320
LARGEST = 0.4  # radius of a leaf relative to the side of the picture
COVER = 2.5  # how often a place is covered, on average

Floats = np.ndarray


def palette(rng: np.random.Generator) -> Floats:
    """Colours (n, 3) on [0,1] that occur together: most differ little from a gray or from a common tint."""
    count = int(rng.integers(3, 9))
    light = rng.beta(1.1, 1.4, (count, 1))
    tint = rng.normal(0, 0.08, 3)
    own = rng.normal(0, 1, (count, 3)) * rng.choice([0.03, 0.08, 0.25], (count, 1), p=[0.5, 0.35, 0.15])
    return np.clip(light * (1 + tint - tint.mean()) + own - own.mean(1, keepdims=True), 0.01, 0.99)


def field(rng: np.random.Generator, side: int) -> Floats:
    """(side, side), mean 0 and deviation 1, with a power spectrum |f|^-2a, in one direction more than in the
    other."""
    slope, stretch, angle = rng.uniform(0.6, 1.8), 2 ** rng.uniform(0, 2.5), rng.uniform(0, np.pi)
    v, u = np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side), indexing="ij")
    along, beside = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
    radius = np.hypot(along * stretch, beside) + 0.5 / side
    waves = np.fft.fft2(rng.normal(size=(side, side))) * radius**-slope
    waves[0, 0] = 0
    values = np.fft.ifft2(waves).real
    return values / values.std()


def stripes(rng: np.random.Generator, side: int) -> Floats:
    """(side, side), waves in one direction, soft or sharp."""
    y, x = np.mgrid[:side, :side] / side
    angle, frequency = rng.uniform(0, np.pi), np.exp(rng.uniform(np.log(8), np.log(120)))
    wave = np.sin(2 * np.pi * frequency * (x * np.cos(angle) + y * np.sin(angle)) + rng.uniform(0, 7))
    return np.tanh(wave * rng.uniform(0.5, 6))


def outline(rng: np.random.Generator, radius: float) -> tuple[Image.Image, int]:
    """A disc, a polygon or a blob as a mask, and its side."""
    size = max(3, int(2 * radius))
    mask = Image.new("L", (size, size))
    draw = ImageDraw.Draw(mask)
    kind = rng.integers(4)
    if kind == 0:
        flat = rng.uniform(0.3, 1)
        draw.ellipse((0, radius * (1 - flat), size, radius * (1 + flat)), 255)
    else:
        corners = int(rng.integers(3, 7)) if kind < 3 else 40
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners)) if kind < 3 else np.arange(40) * np.pi / 20
        far = rng.uniform(0.5, 1, corners)
        if kind == 3:
            waves = rng.normal(0, 0.15, (4, 2)) / np.arange(1, 5)[:, None]
            turns = np.arange(1, 5)[:, None] * angles
            far = np.clip(0.7 + waves[:, 0] @ np.cos(turns) + waves[:, 1] @ np.sin(turns), 0.1, 1)
        points = radius + radius * far * np.stack([np.cos(angles), np.sin(angles)])
        draw.polygon([tuple(point) for point in points.T], 255)
    return mask.rotate(float(rng.uniform(0, 360)), Image.Resampling.BILINEAR), size


def picture(number: int) -> Image.Image:
    """One of the pictures."""
    rng = np.random.default_rng([7, number])
    side = 2 * SIDE
    colours = palette(rng)
    textures = [field(rng, side) for _ in range(4)] + [stripes(rng, side)]
    y, x = np.mgrid[:side, :side] / side - 0.5
    canvas = np.empty((side, side, 3))
    roughness = rng.choice([0.05, 0.15, 0.3])
    smallest = np.exp(rng.uniform(np.log(0.006), np.log(0.05)))
    leaves = int(COVER / (4 * smallest**2 * np.log(LARGEST / smallest)))
    radii = smallest / np.sqrt(1 - rng.random(leaves) * (1 - (smallest / LARGEST) ** 2))
    for index in range(-1, leaves):
        if index < 0:
            rows, columns, mask = slice(0, side), slice(0, side), 1.0
        else:
            shape, size = outline(rng, side * radii[index])
            top, left = (int(value) for value in rng.uniform(-size / 2, side - size / 2, 2))
            rows = slice(max(top, 0), min(top + size, side))
            columns = slice(max(left, 0), min(left + size, side))
            seen = np.asarray(shape, float) / 255
            mask = seen[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left, None]
        base = colours[rng.integers(len(colours))] * np.exp(rng.normal(0, 0.1))
        texture = textures[rng.choice(5, p=[0.23, 0.23, 0.22, 0.22, 0.1])][rows, columns]
        slope = rng.normal(0, 0.4, 2)
        light = 1 + slope[0] * y[rows, columns] + slope[1] * x[rows, columns]
        strength = roughness * rng.exponential() * (rng.random() < 0.8)
        leaf = base * (light * np.exp(np.clip(strength * texture, -1.5, 1.5)))[..., None]
        canvas[rows, columns] = leaf * mask + canvas[rows, columns] * (1 - mask)
    image = Image.fromarray((255 * np.clip(canvas, 0, 1)).round().astype(np.uint8))
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 2.0)))
    return image.resize((SIDE, SIDE), Image.Resampling.BOX)


def main(folder: str, count: str = "160") -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for number in range(int(count)):
        picture(number).save(Path(folder) / f"{number:03}.png")


if __name__ == "__main__":
    main(*sys.argv[1:3])
