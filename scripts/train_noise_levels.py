"""Train the network that sees the level of noise (core/noise/levels.py) on clean pictures with drawn noise.

    python scripts/train_noise_levels.py levels.safetensors bsds400 photos --frames clean/ --noisy noisy/

A sixth of the crops has no noise, and a sixth has noise that all channels share. A quarter has noise that is
drawn from the models of the frames of a camera that the rules (core/noise/finding.py) find. The rest has
noise in all colours. Without a model, it is white noise behind a random filter for each opponent colour, and
its level depends on brightness. Half of the crops are soft, as the frames of a camera are at full size, and
some are compressed by JPEG.
"""

import argparse
import io
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from alr_cli.bench.bundled import middle
from alr_cli.core.noise.field import NoiseField
from alr_cli.core.noise.finding import find_noise
from alr_cli.core.noise.levels import CELL, SIDE, LevelFinder, LevelNetwork
from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.noise.opponent_colours import opponent_matrix
from alr_cli.core.noise.seen_levels import WEAKEST
from alr_cli.files.pictures import read_picture
from alr_cli.files.weights import save_weights

BATCH, STEP, MOST = 12, 2e-3, 850
FRAMES = 0.15  # share of the crops that show frames of a camera
LONGEST = 600  # pixels of a side of a picture that are kept
FRAME = 1200  # the same of a frame
MIXING = torch.from_numpy(opponent_matrix(3)).float()
DISTANCE = torch.fft.fftfreq(SIDE)[:, None] ** 2 + torch.fft.rfftfreq(SIDE)[None] ** 2
REPEATED = torch.tensor([1.0, *[2.0] * (SIDE // 2 - 1), 1.0])  # each also represents its conjugate


def frames(folder: Path) -> list[NDArray[np.uint8]]:
    """The middle of each clean frame of a camera, at full size."""
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in (".jpg", ".png")]
    return [(255 * middle(read_picture(path).pixels, FRAME)).astype(np.uint8) for path in paths]


def models(folder: Path) -> list[NoiseModel]:
    """The noise that the rules find in each noisy frame of a camera."""
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in (".jpg", ".png")]
    found = (find_noise(read_picture(path).pixels).model for path in paths)
    return [model for model in found if model is not None]


def pictures(folders: list[Path], rng: np.random.Generator) -> list[NDArray[np.uint8]]:
    """A sample of the pictures, of which large ones are reduced and then cut."""
    paths = [
        path for folder in folders for path in sorted(folder.iterdir()) if path.suffix in (".jpg", ".png")
    ]
    found = []
    for number in rng.permutation(len(paths))[:MOST]:
        with Image.open(paths[number]) as opened:
            if opened.mode == "RGB" and min(opened.size) > SIDE:
                opened.thumbnail((3 * LONGEST // 2, 3 * LONGEST // 2), Image.Resampling.BOX)
                pixels = np.asarray(opened)[:LONGEST, :LONGEST]
                if min(pixels.shape[:2]) > SIDE:
                    found.append(pixels.copy())
    return found


def crop(pixels: NDArray[np.uint8], rng: np.random.Generator) -> Tensor:
    """A crop (3, SIDE, SIDE) in levels of 255, some at half the resolution, soft or gray."""
    factor = 2 if rng.random() < 0.25 and min(pixels.shape[:2]) >= 2 * SIDE else 1
    top, left = (int(rng.integers(size - factor * SIDE + 1)) for size in pixels.shape[:2])
    here = pixels[top : top + factor * SIDE, left : left + factor * SIDE].astype(np.float32)
    here = here.reshape(SIDE, factor, SIDE, factor, 3).mean((1, 3))
    here = here[:, ::-1] if rng.random() < 0.5 else here
    here = here.transpose(1, 0, 2) if rng.random() < 0.5 else here
    here = here.mean(2, keepdims=True).repeat(3, 2) if rng.random() < 0.1 else here
    if rng.random() < 0.5:
        deviation = float(rng.uniform(0.5, 2.5))
        here = gaussian_filter(here, (deviation, deviation, 0))
    return torch.from_numpy(np.ascontiguousarray(here.transpose(2, 0, 1)))


def noise_of_a_camera(clean: Tensor, known: NoiseModel, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """As `noise`, drawn from a model of another strength."""
    model = known.scaled(255 * math.exp(rng.uniform(math.log(0.5), math.log(3.0))))
    pixels = clean.permute(1, 2, 0).numpy() / 255
    sigma = torch.from_numpy(model.sigma_at(pixels)).permute(2, 0, 1).float()
    field = NoiseField([model]).unit(
        (1, *clean.shape), torch.Generator().manual_seed(int(rng.integers(2**31)))
    )
    shared = torch.from_numpy(model.correlation[..., 0, 0]).float()
    variance = torch.einsum("oa,ob,ab,ahw,bhw->ohw", MIXING, MIXING, shared, sigma, sigma)
    return sigma * field[0], variance.clamp_min(0).sqrt()


def response(blur: float, sharpened: float) -> Tensor:
    """A filter in frequencies that leaves the variance of white noise: a Gaussian, then unsharp masking."""

    def gaussian(deviation: float) -> Tensor:
        return torch.exp(-2 * (math.pi * deviation) ** 2 * DISTANCE)

    found = gaussian(blur) * (1 + sharpened * (1 - gaussian(1.0)))
    return found / (found.square() * REPEATED / SIDE**2).sum().sqrt()


def noise(clean: Tensor, known: list[NoiseModel], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Noise (3, SIDE, SIDE) for a clean crop, and its level in each opponent colour and pixel."""
    kind = rng.random()
    if known and kind > 0.75:
        return noise_of_a_camera(clean, known[rng.integers(len(known))], rng)
    if kind < 1 / 6:
        return torch.zeros_like(clean), torch.zeros_like(clean)
    if kind < 1 / 3:
        shared, weakest = 1.0, 2.0
    else:
        shared, weakest = float(rng.uniform(0, 0.95) if rng.random() < 0.85 else 0.0), 1.0
    level = math.exp(rng.uniform(math.log(weakest), math.log(22.0)))
    own = torch.tensor([1 + 2 * shared, 1 - shared, 1 - shared]).sqrt()
    blur = float(rng.choice([0.0, rng.uniform(0.4, 1.5), rng.uniform(1.0, 3.0)], p=[0.15, 0.65, 0.2]))
    more = 0.0 if rng.random() < 0.6 else float(rng.uniform(0, 1.2))
    sharpened = float(rng.uniform(0, 1.5)) if rng.random() < 0.3 else 0.0
    responses = [response(blur, sharpened), *[response(blur + more, 0.0)] * 2]
    field = torch.fft.irfft2(
        torch.fft.rfft2(torch.randn(clean.shape)) * torch.stack(responses), s=(SIDE, SIDE)
    )
    if rng.random() < 0.08:
        rows = float(rng.uniform(0.2, 0.6))
        field = (1 - rows) ** 0.5 * field + rows**0.5 * torch.randn(3, SIDE, 1)
    channels = torch.ones(3)
    if shared < 1 and rng.random() < 0.4:
        channels = torch.from_numpy(np.exp(rng.normal(0, 0.15, 3))).float()
    mixed = (MIXING * channels) @ MIXING.T
    light = float(rng.uniform(-0.6, 1.0)) if rng.random() < 0.6 else 0.0
    brightness = clean.mean(0) / 255
    brightness = brightness if light >= 0 else 1 - brightness
    here = level * (1 - abs(light) + 2 * abs(light) * brightness).clamp_min(0.02).sqrt()
    drawn = torch.einsum("oc,op,phw->chw", MIXING, mixed, own[:, None, None] * field) * here
    return drawn, (mixed.square() @ own.square()).sqrt()[:, None, None] * here


def observed(noisy: Tensor, rng: np.random.Generator) -> Tensor:
    """The crop in 8 bits, in a third of the cases by way of JPEG."""
    rounded = noisy.clamp(0, 255).round()
    if rng.random() >= 0.35:
        return rounded
    coded = io.BytesIO()
    quality, subsampling = int(rng.integers(85, 98)), int(rng.choice([0, 2]))
    Image.fromarray(rounded.permute(1, 2, 0).byte().numpy()).save(
        coded, "jpeg", quality=quality, subsampling=subsampling
    )
    return torch.from_numpy(np.array(Image.open(coded))).permute(2, 0, 1).float()


def loss(network: LevelNetwork, y: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
    """Laplace's likelihood of each cell, and the error of the weighted mean; and that error (B, 3)."""
    truth = functional.avg_pool2d(level.square(), CELL).add((255 * WEAKEST) ** 2).log() / 2
    with torch.autocast("cpu", torch.bfloat16):
        seen, certain = network(y)
    error = seen - truth
    each = (torch.exp(certain / 2) * error.abs() - certain / 2).mean()
    mean = (torch.softmax(certain.flatten(2), 2) * error.flatten(2)).sum(2)
    return each / 2 + 4 * functional.smooth_l1_loss(mean, torch.zeros_like(mean), beta=0.3), mean.detach()


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the network that sees the level of noise.")
    parser.add_argument("output", type=Path)
    parser.add_argument("folders", type=Path, nargs="+", help="of clean colour pictures")
    parser.add_argument("--frames", type=Path, help="a folder of clean frames of a camera, at full size")
    parser.add_argument("--noisy", type=Path, help="a folder of noisy frames of a camera")
    parser.add_argument("--init", type=Path, help="weights to begin with")
    parser.add_argument("--minutes", type=float, default=18)
    asked = parser.parse_args()
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    clean = pictures(asked.folders, rng)
    shot = frames(asked.frames) if asked.frames else []
    known = models(asked.noisy) if asked.noisy else []
    network = LevelNetwork()
    if asked.init:
        network.load_state_dict({name: value.float() for name, value in load_file(asked.init).items()})
    optimizer = torch.optim.AdamW(network.parameters(), STEP, weight_decay=1e-4)
    start, step, errors = time.monotonic(), 0, []
    while (spent := (time.monotonic() - start) / (60 * asked.minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = STEP * min(1.0, (step + 1) / 100) * (1 - spent)
        sources = [shot if shot and rng.random() < FRAMES else clean for _ in range(BATCH)]
        crops = [crop(source[rng.integers(len(source))], rng) for source in sources]
        drawn = [noise(each, known, rng) for each in crops]
        y = torch.stack([observed(each + own, rng) for each, (own, _) in zip(crops, drawn, strict=True)])
        value, error = loss(network, y, torch.stack([level for _, level in drawn]))
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        errors.append(error.square().mean(0))
        step += 1
        if step % 200 == 0:
            rms = torch.stack(errors[-200:]).mean(0).sqrt().tolist()
            sys.stdout.write(f"{step} {time.monotonic() - start:.0f} s {rms}\n")
            sys.stdout.flush()
            _save(asked, network, step)
    _save(asked, network, step)


def _save(asked: argparse.Namespace, network: LevelNetwork, step: int) -> None:
    """Write the network in half precision."""
    import copy

    recipe = {"steps": step, "batch_size": BATCH, "lr": STEP, "minutes": asked.minutes}
    finder = LevelFinder(copy.deepcopy(network).half())
    save_weights(asked.output, finder, {"recipe": recipe, "sigma_range": [0.0, 0.1], "lam": []})


if __name__ == "__main__":
    main()
