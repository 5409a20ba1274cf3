"""`alr benchmark lunz2`: slices from few angles, by our priors and by baselines."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from alr_cli.cli.benchmark.files import Read
from alr_cli.cli.benchmark.run import Run, bar
from alr_cli.cli.options.common import ComputeOptions, ModelOptions
from alr_cli.cli.reconstruct.options import MethodOptions
from alr_cli.errors import InputError, UsageError

if TYPE_CHECKING:
    from alr_cli.bench.degradations import Pixels
    from alr_cli.bench.tables.layout import Table
    from alr_cli.bench.tomography import Contender

DEFAULT = "ct-tuned,gray-wide"


def lunz2(
    run: Run,
    pictures: list[tuple[str, Read]],
    model: ModelOptions,
    compute: ComputeOptions,
    title: str,
    seed: int,
) -> Table:
    """Measure slices; report a JSON line for each slice, level and method and for each pooled score; return
    the table."""
    from alr_cli.bench import tomography
    from alr_cli.bench.tables.layout import Table

    methods = contenders(model, compute)
    slices = [(name, tomography.small(_gray(name, read))) for name, read in pictures]
    scores = []
    with bar(run.report, len(slices) * len(tomography.SIGMAS) * len(methods)) as advance:
        for score in tomography.measure(slices, methods, tomography.SIGMAS, time.perf_counter, seed):
            run.report.event({"kind": "result", "status": "ok", **score.as_dict()})
            scores.append(score)
            advance(f"{score.picture} {score.method}", 1)
    rows = []
    for each in tomography.pooled(scores):
        run.report.event({"kind": "mean", **each.as_dict()})
        quality = f"{each.psnr:.2f}", f"{each.mean:.2f}", f"{each.ssim:.3f}"
        rows.append((f"{each.sigma:g}", each.method, *quality, f"{each.residual:.2f}", f"{each.seconds:.2f}"))
    for index, sigma in enumerate(tomography.SIGMAS):
        for name, printed in tomography.PUBLISHED.items():
            psnr, ssim = printed[index]
            rows.append((f"{sigma:g}", f"{name}, as published", f"{psnr:.1f}", "-", f"{ssim:.3f}", "-", "-"))
    rows.sort(key=lambda row: -float(row[0]))
    headings = ("sigma", "method", "pooled PSNR", "mean PSNR", "SSIM", "residual / noise", "seconds")
    return Table(f"lunz2: {title}; 128 x 128 from 30 angles", headings, tuple(rows), words=2)


def contenders(model: ModelOptions, compute: ComputeOptions) -> dict[str, Contender]:
    """The methods: baselines, and those that the weights files of -w are for.

    A critic of whole pictures is also stopped as the published one was, and a network for post-processing
    also serves as the denoiser of RED.
    """
    from alr_cli.bench.tomography import Contender
    from alr_cli.cli.reconstruct.run import build_reconstructor
    from alr_cli.files.weights import read_metadata

    def of(options: MethodOptions, with_truth: bool = False) -> Contender:
        return Contender(build_reconstructor(options, compute), with_truth)

    methods = {
        "fbp": of(MethodOptions(method="fbp")),
        "fbp hann": of(MethodOptions(method="fbp", window="hann")),
        "tv": of(MethodOptions(method="tv")),
    }
    for name in (model.weights or DEFAULT).split(","):
        label = Path(name).name.removesuffix(".safetensors")
        options = MethodOptions(weights=name, strength=model.strength, lam=model.lam)
        kind = read_metadata(name)["architecture"].get("kind")
        methods[label] = of(options)
        if kind == "global":
            methods[f"{label}, stopped as published"] = of(options, with_truth=True)
        if kind == "postprocessor":
            methods[f"RED with {label}"] = of(replace(options, solver="splitting"))
    return methods


def check_data(data: str | None) -> None:
    """Raise UsageError if no slices were given."""
    if data is None:
        raise UsageError("lunz2 needs slices: give --data a folder of gray pictures")


def _gray(name: str, read: Read) -> Pixels:
    pixels = read()
    if pixels.shape[2] != 1:
        raise InputError(f"{name} is a colour picture: give gray slices")
    return pixels[..., 0]
