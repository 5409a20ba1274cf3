"""x* = arg min E(x), pixels in and pixels out: the one path that every command shares    (eq. 4)"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from alr_cli.core import defaults, problems
from alr_cli.core.data_terms import ClippedGaussian, is_clipped
from alr_cli.core.energy import DataTerm, SquaredError
from alr_cli.core.numerics import devices
from alr_cli.core.operators.linear import Boundary
from alr_cli.core.priors.local import LocalRegularizer
from alr_cli.core.priors.registry import AnyCritic
from alr_cli.core.problems import Problem
from alr_cli.core.solvers.descent import DEFAULT_ITERATIONS, Method, Record, Solution
from alr_cli.errors import DeviceError, NonFiniteError, UsageError, WeightsError

if TYPE_CHECKING:
    from alr_cli.files.weights import Weights

_SMALLEST_TILE = 32


@dataclass(frozen=True)
class Settings:
    """How an energy is minimised, and on what.

    clip_aware: take pixels at 0 and 1 as cut off there, where nothing lies beyond (see clipping.py).
    strength: multiplies the fitted lambda.  lam: replaces it.  solver: fourier, adam, gd, nmapg or default.
    max_iter, tol: None for the solver's own.  tile: side of the blocks the critic scores at once in pixels,
    None for automatic, 0 for the whole picture.  precision: auto, float32 or bfloat16.  device: auto, cpu,
    cuda, cuda:N or mps.
    """

    strength: float = 1.0
    lam: float | None = None
    solver: str = "default"
    max_iter: int | None = None
    tol: float | None = None
    tile: int | None = None
    precision: str = "auto"
    device: str = "auto"
    clip_aware: bool = True


@dataclass(frozen=True)
class Step:
    """What a callback gets at the start and after each iteration: energy = data_term + lam * regularizer.

    estimate: x so far, (H, W, C) float32, not clamped; it is made when it is asked for.
    """

    iteration: int
    max_iter: int
    energy: float
    data_term: float
    regularizer: float
    estimate: Callable[[], np.ndarray]


@dataclass(frozen=True)
class Restoration:
    """A restored picture (H, W, C) float32, not clamped, and how it was reached; terms as in energy.py."""

    pixels: np.ndarray
    stop: str
    iterations: int
    energy: float
    data_term: float
    regularizer: float
    lam: float
    strength: float
    sigma: float
    device: str
    precision: str
    tile: int


Callback = Callable[[Step], None]


class Restorer:
    """A critic and settings, ready for any number of pictures.

    Raises UsageError for settings that do not exist; DeviceError when the device is missing, and from its
    methods when memory runs out even with the smallest tiles; NonFiniteError when the descent leaves the
    numbers; WeightsError when a picture has other channels than the critic can see.
    """

    def __init__(self, weights: Weights, settings: Settings) -> None:
        self.device = devices.choose(settings.device)
        self.precision = devices.choose_precision(settings.precision, self.device)
        self.weights = weights
        self.settings = settings
        self.channels = weights.channels
        self.sigma_range = weights.sigma_range
        if settings.solver not in ("default", *DEFAULT_ITERATIONS):
            raise UsageError(f"unknown solver {settings.solver!r}: choose {', '.join(DEFAULT_ITERATIONS)}")
        # A copy: `to` would move the weights from under another restorer's feet.
        self.critic = copy.deepcopy(weights.critic).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def denoise(
        self,
        pixels: np.ndarray,
        sigma: float,
        callback: Callback | None = None,
        strength: float | None = None,
    ) -> Restoration:
        """pixels: (H, W, C) in [0,1] with Gaussian noise of standard deviation sigma on that scale.
        strength: instead of that of the settings."""
        with self._memory_for(pixels):
            batch = self._batch(pixels)
            if sigma == 0:
                return self._unchanged(pixels)
            problem = problems.denoising(batch, self.critic.patch)
            return self._minimise(problem, sigma, callback, strength=strength)

    def deblur(
        self,
        pixels: np.ndarray,
        kernel: np.ndarray,
        sigma: float,
        boundary: str = "valid",
        callback: Callback | None = None,
    ) -> Restoration:
        """pixels: (H, W, C), convolved with `kernel` (h, w), plus noise of standard deviation sigma."""
        with self._memory_for(pixels):
            batch = self._batch(pixels)
            problem = problems.deblurring(batch, kernel, self.critic.patch, cast(Boundary, boundary))
            gain = defaults.blur_gain(self.critic, torch.from_numpy(np.ascontiguousarray(kernel)))
            return self._minimise(problem, sigma, callback, gain)

    def inpaint(
        self, pixels: np.ndarray, mask: np.ndarray, sigma: float, callback: Callback | None = None
    ) -> Restoration:
        """mask: (H, W), True where pixels are missing. With sigma = 0 the known pixels come back exactly."""
        with self._memory_for(pixels):
            missing = torch.from_numpy(np.ascontiguousarray(mask, dtype=bool)).to(self.device)
            batch = self._batch(np.where(mask[..., None], 0.0, pixels))
            problem = problems.inpainting(batch, missing, self.critic.patch, exact=sigma == 0)
            restoration = self._minimise(problem, sigma, callback, level=sigma or problems.HELD_LEVEL)
        if sigma == 0:  # bit for bit, not merely to rounding
            restoration.pixels[~mask] = pixels[~mask]
        return restoration

    def scores(self, pixels: np.ndarray) -> np.ndarray:
        """The map of r: the score of the patch around each pixel, (H, W), the mean over channels where the
        critic sees one. Beyond the frame the picture (H, W, C) is reflected."""
        with self._memory_for(pixels):
            x = problems.extend(self._batch(pixels), self.critic.patch // 2)
            low, high = self.sigma_range
            critic = self.critic.at((low * high) ** 0.5)
            scores = LocalRegularizer(critic, self._tile(x.shape, torch.float32)).scores(x)
            return np.asarray(scores.mean(dim=0).cpu().numpy())

    def lam_for(
        self, sigma: float, gain: float = 1.0, strength: float | None = None, least: float | None = None
    ) -> float:
        """lambda at a noise level: the fitted one times the strength and the blur's `blur_gain`, unless
        it was set."""
        if self.settings.lam is not None:
            return self.settings.lam
        strength = self.settings.strength if strength is None else strength
        return gain * strength * self.weights.lam(max(sigma, self._least if least is None else least))

    @property
    def _least(self) -> float:
        """The least noise that lambda and the critic are for. Without any the balance is moot if pixels are
        held, and a picture that is only noisy comes back; elsewhere a little noise keeps it sane."""
        return self.sigma_range[0] / 10

    def _batch(self, pixels: np.ndarray) -> Tensor:
        """(H, W, C) -> (B, C', H, W): a gray critic sees the channels of a colour picture one by one."""
        channels = pixels.shape[2]
        pixels = np.require(
            pixels, np.float32, ["C", "W"]
        )  # seen as it lies: a copy of a large picture is large
        x = torch.from_numpy(pixels).permute(2, 0, 1).to(self.device)
        if channels == self.channels:
            return x[None]
        if self.channels == 1:
            return x[:, None]
        raise WeightsError(
            f"the critic {self.weights.name} sees {self.channels} channels and the picture has {channels}; "
            "choose a gray critic with -w, or none"
        )

    @contextmanager
    def _memory_for(self, pixels: np.ndarray) -> Iterator[None]:
        """Memory that runs out in here is one sentence."""
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not devices.is_out_of_memory(error):
                raise
            raise DeviceError(
                f"not enough memory on {self.device} for {pixels.shape[1]} x {pixels.shape[0]} pixels even "
                "with small tiles; restore a crop or use a machine with more"
            ) from error

    def _unchanged(self, pixels: np.ndarray) -> Restoration:
        return Restoration(
            pixels.astype(np.float32, copy=True),
            *("converged", 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
            *(str(self.device), devices.precision_name(self.precision), 0),
        )

    def _minimise(
        self,
        problem: Problem,
        sigma: float,
        callback: Callback | None,
        gain: float = 1.0,
        strength: float | None = None,
        level: float | None = None,
    ) -> Restoration:
        lam = self.lam_for(sigma, gain, strength, least=0.0 if problem.near else None)
        critic = self.critic.at(max(sigma if level is None else level, self._least))
        shape = (*problem.y.shape[:2], *problem.operator.input_shape)
        side = self._tile(shape, self.precision)
        while True:
            try:
                with devices.flushed_denormals():
                    solution = self._solve(problem, sigma, critic, lam, side, callback)
                break
            except (MemoryError, RuntimeError) as error:
                smaller = (side or max(shape)) // 2
                if smaller < _SMALLEST_TILE or not devices.is_out_of_memory(error):
                    raise
                side = smaller
        if solution.stop == "non_finite":
            raise NonFiniteError(
                "the numbers went non-finite; lower --strength or --lam, or use --precision float32"
            )
        terms = solution.history[-1].terms
        return Restoration(
            pixels=_pixels(problem, solution.x),
            stop=solution.stop,
            iterations=solution.history[-1].iteration,
            energy=float(terms.energy.mean()),
            data_term=float(terms.data.mean()),
            regularizer=float(terms.regularizer.mean()),
            lam=lam,
            strength=self.settings.strength if strength is None else strength,
            sigma=sigma,
            device=str(self.device),
            precision=devices.precision_name(self.precision),
            tile=side,
        )

    def _tile(self, shape: tuple[int, ...], precision: torch.dtype) -> int:
        """The tile of the settings, or an automatic one for an unknown of this shape (B, C, H, W)."""
        if self.settings.tile is not None:
            return self.settings.tile
        return devices.automatic_tile(self.critic, tuple(shape), self.device, precision)

    def _data(self, y: Tensor, sigma: float) -> DataTerm:
        if self.settings.clip_aware and sigma > 0 and is_clipped(y):
            return ClippedGaussian(y, sigma)
        return SquaredError(y)

    def _solve(
        self,
        problem: Problem,
        sigma: float,
        critic: AnyCritic,
        lam: float,
        side: int,
        callback: Callback | None,
    ) -> Solution:
        settings = self.settings
        method = defaults.usual_method(critic, problem)
        if settings.solver != "default":
            method = cast(Method, settings.solver)
            defaults.check_method(method, critic, problem)
        limit = settings.max_iter
        if limit is None:
            limit = defaults.usual_iterations(method, problem, sigma)

        def report(record: Record, x: Tensor) -> None:
            if callback is not None:
                terms = record.terms
                energy, data, mean_score = (
                    float(term.mean()) for term in (terms.energy, terms.data, terms.regularizer)
                )
                callback(Step(record.iteration, limit, energy, data, mean_score, lambda: _pixels(problem, x)))

        return defaults.minimise(
            *(problem, self._data(problem.y, sigma), critic, lam, sigma, method),
            limit=limit,
            tol=settings.tol,
            tile=side,
            precision=self.precision,
            callback=report,
        )


def _pixels(problem: Problem, x: Tensor) -> np.ndarray:
    """The frame of an extended picture, (H, W, C); a gray critic's batch of channels is one picture again."""
    planes = problem.crop(x).detach().cpu().numpy().reshape(-1, *problem.frame)
    return np.ascontiguousarray(planes.transpose(1, 2, 0))
