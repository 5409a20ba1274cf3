"""Make the example pictures from those of scikit-image: python examples/make_examples.py

The pictures are crops of chelsea.png (CC0, Stefan van der Walt), coffee.png (CC0, Rachel Michetti) and
astronaut.png (public domain, NASA). One is made noisy, one is blurred and one is scratched, and each has its
reference beside it. There is also a noisy sinogram of the head phantom of Shepp and Logan (1974), with the
true slice.
"""

import math
from pathlib import Path

import numpy as np
import skimage
import torch

from alr_cli.core.noise.white import add_gaussian_noise, seed_for
from alr_cli.core.operators.convolution import Convolution
from alr_cli.core.operators.geometry import Geometry
from alr_cli.core.operators.kernels import parse_kernel
from alr_cli.core.operators.ray import RayTransform
from alr_cli.files.pictures import Picture, encode
from alr_cli.files.slices import encode_slices

HERE = Path(__file__).resolve().parent


def save(name: str, pixels: np.ndarray) -> None:
    """Write pixels (H, W, C) on [0,1] as an 8-bit PNG beside this script."""
    picture = Picture(np.clip(pixels, 0, 1).astype(np.float32), "uint8", "png")
    (HERE / name).write_bytes(encode(picture, "png"))


def as_float(picture: np.ndarray) -> np.ndarray:
    return picture.astype(np.float32) / 255


def blurred(pixels: np.ndarray, spec: str) -> np.ndarray:
    """The part of k * x that the frame determines, as for a camera, without assumptions at the border."""
    x = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None]
    return Convolution(parse_kernel(spec), pixels.shape[:2], "valid").forward(x)[0].numpy().transpose(1, 2, 0)


def scratches(shape: tuple[int, int], count: int = 28, seed: int = 3) -> np.ndarray:
    """(H, W) bool, True on random strokes with a width of two to four pixels."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(shape)
    mask = np.zeros(shape, dtype=bool)
    for _ in range(count):
        centre, angle = rng.random(2) * shape, rng.random() * np.pi
        along = (rows - centre[0]) * np.sin(angle) + (columns - centre[1]) * np.cos(angle)
        across = (rows - centre[0]) * np.cos(angle) - (columns - centre[1]) * np.sin(angle)
        bend = across - 6 * np.sin(along / (20 + 20 * rng.random()))
        mask |= (np.abs(bend) < 1 + rng.random()) & (np.abs(along) < 30 + 60 * rng.random())
    return mask


def scanned(name: str, side: int = 160, views: int = 60, density: float = 0.02, noise: float = 0.02) -> None:
    """Line integrals of a phantom whose bone has this density, from equally spaced angles over 180
    degrees."""
    phantom = skimage.transform.resize(skimage.data.shepp_logan_phantom(), (side, side), anti_aliasing=True)
    truth = (density * phantom).astype(np.float32)
    angles = tuple(math.pi * k / views for k in range(views))
    sinogram = RayTransform(Geometry((side, side), angles, side + 1)).forward(torch.from_numpy(truth)).numpy()
    sinogram += noise * np.random.default_rng(seed_for(0, name)).standard_normal(sinogram.shape)
    (HERE / f"{name}.tif").write_bytes(encode_slices(sinogram[None], f"angles 0:180:{views}"))
    (HERE / f"{name}-slice.tif").write_bytes(encode_slices(truth[None], "the true slice"))


def main() -> None:
    cat = as_float(skimage.data.chelsea())
    save("noisy-clean.png", cat)
    save("noisy.png", add_gaussian_noise(cat, 0.1, seed_for(0, "noisy.png")))

    cup = as_float(skimage.data.coffee())[37:363, 57:543]
    save("blurred-clean.png", cup[3:-3, 3:-3])
    blur = blurred(cup, "gaussian:7:3")
    save("blurred.png", add_gaussian_noise(blur, 0.03, seed_for(0, "blurred.png")))

    face = as_float(skimage.data.astronaut())[0:320, 80:400]
    mask = scratches(face.shape[:2])
    save("scratched-clean.png", face)
    save("scratched.png", np.where(mask[..., None], 1.0, face))
    save("scratches.png", mask[..., None].astype(np.float32))

    scanned("sinogram")


if __name__ == "__main__":
    main()
