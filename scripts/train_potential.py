"""Train the potential in ten minutes on a large GPU: pack the pictures, then train for a number of seconds.

    python scripts/train_potential.py pack pictures.tar bsds400 photos --exclude 12003.jpg --exclude
    302003.jpg python scripts/train_potential.py run pictures.tar -o $OUT --seconds 540 --widths 32,64,128,256
    python scripts/train_potential.py run pictures.tar -o $OUT --seconds 540 --resume before/state.pt

`run` first measures the number of crops per second during a twentieth of the time. It then chooses the number
of steps that fit into the rest: half of the time for the plain denoiser, and half for the gradient-step loss,
whose step size decays to zero at the end. All pictures are kept on the device. The outputs are weights.pt
(the moving average in half precision), state.pt (the state before the decay, from which training can
continue) and log.jsonl with the PSNR on crops of the pictures of `--val`. To try it without a GPU:

    python scripts/train_potential.py run pictures.tar -o out --seconds 60 --device cpu --widths 16,24 \\
      --batch-size 4 --patch 48
"""

import argparse
import io
import json
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.core.training.denoising import CropSource, DenoisingRecipe, DenoisingTrainer

LEVELS = (15, 25, 50)  # of 255
CROP = 160  # side of the validation crops


def pack(options: argparse.Namespace) -> None:
    """Write the files of the folders, and those of --val, to one archive."""
    with tarfile.open(options.archive, "w") as archive:
        for part, folders in (("train", options.folders), ("val", options.val)):
            for number, folder in enumerate(folders):
                for path in sorted(Path(folder).iterdir()):
                    if path.suffix in (".jpg", ".png") and path.name not in options.exclude:
                        archive.add(path, f"{part}/{number}/{path.name}")


def unpacked(archive: str) -> dict[str, list[list[np.ndarray]]]:
    """part -> folders -> pictures (H, W, 3) uint8."""
    found: dict[str, dict[str, list[np.ndarray]]] = {"train": {}, "val": {}}
    with tarfile.open(archive) as files:
        for member in files:
            file = files.extractfile(member)
            if file is None:
                continue
            part, folder, _ = member.name.split("/")
            picture = np.array(Image.open(io.BytesIO(file.read())).convert("RGB"))
            found[part].setdefault(folder, []).append(picture)
    return {part: [folders[name] for name in sorted(folders)] for part, folders in found.items()}


def centres(pictures: list[np.ndarray]) -> torch.Tensor:
    """The centres of eight pictures, (8, 3, CROP, CROP) on [0,1]."""
    crops = []
    for picture in pictures[:: max(1, len(pictures) // 8)][:8]:
        top, left = ((side - CROP) // 2 for side in picture.shape[:2])
        crops.append(torch.from_numpy(picture[top : top + CROP, left : left + CROP]).permute(2, 0, 1) / 255)
    return torch.stack(crops)


def quality(unet: UNet, clean: torch.Tensor, gradient: bool) -> list[float]:
    """Mean PSNR at LEVELS after one gradient step, or of the plain denoiser."""
    values = []
    for level in LEVELS:
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1)).to(clean)
        z = clean * 255 / level + noise
        with torch.no_grad():
            r, slopes = unet(z, torch.ones_like(z[:, :1]))
            r = unet.transposed(r, slopes) if gradient else r
        mse = ((z - r) * level / 255 - clean).square().mean((1, 2, 3))
        values.append(round(float(-10 * mse.log10().mean()), 3))
    return values


def run(options: argparse.Namespace) -> None:
    """Measure the speed, train both stages, and save."""
    began = time.monotonic()
    out = Path(options.output)
    out.mkdir(parents=True, exist_ok=True)
    pictures = unpacked(options.archive)
    recipe = DenoisingRecipe(
        batch_size=options.batch_size,
        patch=options.patch,
        lr=options.lr,
        gradient=False,
        bfloat16=options.bfloat16,
        seed=options.seed,
    )
    source = CropSource(pictures["train"], recipe.patch, options.device)
    architecture = UNetArchitecture(3, options.widths, options.blocks)
    unet = UNet(architecture, torch.Generator().manual_seed(0))
    if options.resume:
        kept = torch.load(options.resume, weights_only=True)
        unet = UNet(UNetArchitecture(**kept["architecture"]))
        unet.load_state_dict(
            {name.removeprefix("learned."): v for name, v in kept["state"].items() if "learned." in name}
        )
    clean = [centres(folder).to(options.device) for folder in pictures["val"]]
    with (out / "log.jsonl").open("a") as log:

        def report(trainer: DenoisingTrainer, seconds: float, loss: float) -> None:
            scores = [quality(trainer.trained(), crops, trainer.recipe.gradient) for crops in clean]
            pixels = trainer.step_count * recipe.batch_size * recipe.patch**2
            print(
                json.dumps(
                    {
                        "gradient": trainer.recipe.gradient,
                        "step": trainer.step_count,
                        "pixels": pixels,
                        "pixels_per_second": round(pixels / seconds),
                        "loss": round(loss, 5),
                        "psnr": scores,
                    }
                ),
                file=log,
                flush=True,
            )

        for gradient in (False, True):
            left = began + options.seconds - time.monotonic()
            budget = left if gradient else left / 2
            stage = replace(recipe, gradient=gradient, fall=0, lr=recipe.lr * (0.7 if gradient else 1.0))
            trial = DenoisingTrainer(unet, replace(stage, iterations=10**9), source, options.compile)
            steps = timed(trial, budget / 20)
            stage = replace(stage, iterations=steps, fall=steps * 2 // 3 if gradient else 0)
            trainer = DenoisingTrainer(trial.unet, stage, source, options.compile)
            started, losses = time.monotonic(), []
            while not trainer.done:
                losses.append(trainer.step().measures["loss"])
                if trainer.step_count == stage.iterations - stage.fall:
                    save(out / "state.pt", architecture, trainer.state())
                if trainer.step_count % max(1, steps // 12) == 0:
                    report(trainer, time.monotonic() - started, float(np.mean(losses)))
                    losses = []
            unet = trainer.unet
        averaged = {name: value.half().cpu() for name, value in trainer.trained().state_dict().items()}
        save(out / "weights.pt", architecture, averaged)


def timed(trainer: DenoisingTrainer, seconds: float) -> int:
    """How many steps fit into nineteen times the measured time. The first step is left out, since it may
    compile."""
    trainer.step()
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        trainer.step()
    return max(2, int(0.95 * 19 * (trainer.step_count - 1)))


def save(path: Path, architecture: UNetArchitecture, state: dict[str, torch.Tensor]) -> None:
    torch.save({"architecture": architecture.as_dict(), "state": state}, path)


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    packing = commands.add_parser("pack")
    packing.set_defaults(call=pack)
    packing.add_argument("archive")
    packing.add_argument("folders", nargs="+")
    packing.add_argument("--val", action="append", default=[])
    packing.add_argument("--exclude", action="append", default=[])
    running = commands.add_parser("run")
    running.set_defaults(call=run)
    running.add_argument("archive")
    running.add_argument("-o", "--output", required=True)
    running.add_argument("--seconds", type=float, default=540.0)
    running.add_argument("--device", default="cuda")
    running.add_argument("--widths", type=numbers, default=(32, 64, 128, 256))
    running.add_argument("--blocks", type=numbers, default=(2, 2, 2, 2))
    running.add_argument("--batch-size", type=int, default=32)
    running.add_argument("--patch", type=int, default=128)
    running.add_argument("--lr", type=float, default=6e-3)
    running.add_argument("--seed", type=int, default=0)
    running.add_argument("--bfloat16", action=argparse.BooleanOptionalAction, default=True)
    running.add_argument("--compile", action=argparse.BooleanOptionalAction, default=False)
    running.add_argument("--resume")
    options = parser.parse_args()
    options.call(options)


if __name__ == "__main__":
    main()
