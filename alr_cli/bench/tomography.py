"""y = A x / ||A|| + sigma e: the tomography of Lunz, Oktem and Schoenlieb (2018, sec. 5.3), on slices of your
own

Slices are scaled to [0,1] by their minimum and maximum, and resized to 128 x 128 pixels. The geometry is
parallel-beam with 30 angles (3, 9, ..., 177 degrees) and 183 detectors of 0.989 pixels; sigma is 0.02 or
0.005. As in their table, PSNR is computed from the mean squared error over all slices, which are clipped to
[0,1].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from alr_cli.core.metrics import psnr, ssim
from alr_cli.core.noise.white import seed_for
from alr_cli.core.operators.geometry import Geometry
from alr_cli.core.operators.ray import RayTransform
from alr_cli.core.restoration import Step
from alr_cli.core.tomography import Reconstructor

Floats = NDArray[np.float32]

SIDE = 128
GEOMETRY = Geometry((SIDE, SIDE), tuple(math.radians(3 + 6 * k) for k in range(30)), 183, 0.989)
SIGMAS = 0.02, 0.005
# (PSNR, SSIM) at both noise levels from their table 2, for 32 slices of LIDC. Your slices differ.
PUBLISHED: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "filtered backprojection": ((14.9, 0.227), (23.3, 0.604)),
    "total variation": ((27.7, 0.890), (30.0, 0.924)),
    "U-Net": ((31.2, 0.936), (33.6, 0.955)),
    "RED": ((29.9, 0.904), (32.8, 0.947)),
    "adversarial regularizer": ((30.5, 0.927), (32.5, 0.946)),
}


@dataclass(frozen=True)
class SliceScore:
    """One slice by one method.

    Attributes:
        error: Mean squared error after clipping to [0,1].
        residual: ||A x - y|| divided by the value that noise alone gives on average.
    """

    picture: str
    sigma: float
    method: str
    psnr: float | None
    ssim: float | None
    error: float
    residual: float
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Pooled:
    """A method at one noise level, over all slices.

    Attributes:
        psnr: PSNR of the mean squared error over all slices.
        mean: Mean of the slices' PSNRs.
    """

    sigma: float
    method: str
    slices: int
    psnr: float
    mean: float
    ssim: float
    residual: float
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def small(pixels: NDArray[Any]) -> Floats:
    """A slice (H, W), scaled to [0,1] by its own range and resized to 128 x 128 (bilinear, antialiased)."""
    from PIL import Image

    values: Floats = np.asarray(pixels, np.float32)
    values = (values - values.min()) / max(float(values.max() - values.min()), 1e-12)
    if values.shape == (SIDE, SIDE):
        return values
    return np.array(Image.fromarray(values).resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)


def sinogram(clean: Floats, name: str, sigma: float, seed: int = 0) -> tuple[Floats, float]:
    """Noisy line integrals in pixels, (angles, detectors), and the standard deviation of their noise."""
    transform = RayTransform(GEOMETRY)
    level = sigma * transform.norm
    noise = np.random.default_rng(seed_for(seed, f"{name} {sigma}")).standard_normal(GEOMETRY.shape)
    y = transform.forward(torch.from_numpy(clean)).numpy() + level * noise
    return y.astype(np.float32), level


@dataclass(frozen=True)
class Contender:
    """A method of the comparison.

    Attributes:
        reconstructor: It is given the noise level and the range of the slice.
        with_truth: Take the iterate that is nearest to the true slice, as no one can who does not have it.
            This is how the published results were stopped.
    """

    reconstructor: Reconstructor
    with_truth: bool = False

    def pixels(self, y: Floats, level: float, clean: Floats) -> Floats:
        """The slice of a sinogram with noise of this level."""
        if not self.with_truth:
            return self.reconstructor.reconstruct(y, GEOMETRY, level, 1.0).pixels
        nearest: list[tuple[float, Floats]] = []

        def look(step: Step) -> None:
            pixels = step.estimate()[..., 0]
            error = squared_error(clean, pixels)
            if not nearest or error < nearest[0][0]:
                nearest[:] = [(error, pixels)]

        self.reconstructor.reconstruct(y, GEOMETRY, level, 1.0, look)
        return nearest[0][1]


def measure(
    slices: Iterable[tuple[str, Floats]],
    contenders: dict[str, Contender],
    sigmas: tuple[float, ...],
    clock: Callable[[], float],
    seed: int = 0,
) -> Iterator[SliceScore]:
    """Reconstruct each slice by each method at each noise level.

    Args:
        slices: Names and pixels as `small` returns them.
        contenders: The methods by name.
        sigmas: Noise levels, relative to ||A||.
        clock: Returns seconds.
        seed: Determines the noise together with a slice's name.
    """
    transform = RayTransform(GEOMETRY)
    for name, clean in slices:
        for sigma in sigmas:
            y, level = sinogram(clean, name, sigma, seed)
            for label, contender in contenders.items():
                begin = clock()
                found = contender.pixels(y, level, clean)
                seconds = clock() - begin
                misfit = transform.forward(torch.from_numpy(found)).numpy() - y
                pixels = found.clip(0, 1)
                yield SliceScore(
                    picture=name,
                    sigma=sigma,
                    method=label,
                    psnr=psnr(clean[..., None], pixels[..., None]),
                    ssim=ssim(clean[..., None], pixels[..., None]),
                    error=squared_error(clean, found),
                    residual=math.sqrt(float(np.mean(misfit.astype(np.float64) ** 2))) / level,
                    seconds=seconds,
                )


def squared_error(clean: Floats, found: Floats) -> float:
    """The mean squared error of a slice after clipping to [0,1]."""
    return float(np.mean((found.clip(0, 1).astype(np.float64) - clean) ** 2))


def pooled(scores: Iterable[SliceScore]) -> list[Pooled]:
    """The scores of all slices, by noise level and method in the order of their first appearance."""
    groups: dict[tuple[float, str], list[SliceScore]] = {}
    for score in scores:
        groups.setdefault((score.sigma, score.method), []).append(score)
    return [
        Pooled(
            sigma=sigma,
            method=method,
            slices=len(group),
            psnr=-10 * math.log10(max(_mean(s.error for s in group), 1e-12)),
            mean=_mean(s.psnr or 0.0 for s in group),
            ssim=_mean(s.ssim or 0.0 for s in group),
            residual=_mean(s.residual for s in group),
            seconds=_mean(s.seconds for s in group),
        )
        for (sigma, method), group in groups.items()
    ]


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return math.fsum(found) / len(found)
