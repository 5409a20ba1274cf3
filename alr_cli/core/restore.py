"""x* = arg min E(x), from pixels to pixels: the one path that every command shares    (eq. 4)"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from alr_cli.core import defaults, jpeg, problems
from alr_cli.core.coloured_noise import gain
from alr_cli.core.energy import Terms
from alr_cli.core.gray import equal_channels_factor, shares_noise, without_copies
from alr_cli.core.likelihood import data_term_of
from alr_cli.core.numerics import devices
from alr_cli.core.operators.convolution import Boundary
from alr_cli.core.parts import in_parts
from alr_cli.core.priors.protocol import Arithmetic, ChoosesLevel, HasReach, HasScores, HasTiles
from alr_cli.core.problems import Problem
from alr_cli.core.residuals import Structure, structure_of
from alr_cli.core.restoration import Callback, Restoration, Step
from alr_cli.core.settings import Settings
from alr_cli.core.solver_options import DEFAULT
from alr_cli.core.solver_parameters import SOLVERS
from alr_cli.core.solvers.admm import Admm
from alr_cli.core.solvers.base import Record, Solution, Solver
from alr_cli.core.tasks import Deblurring, Denoising, Inpainting, Task
from alr_cli.core.weights import Weights
from alr_cli.errors import DeviceError, NonFiniteError, UsageError, WeightsError

_SMALLEST_TILE = 32


class Restorer:
    """A prior and settings, ready for any number of pictures.

    Raises:
        UsageError: The settings do not exist.
        DeviceError: The device is missing, or memory runs out even with the smallest tiles.
        NonFiniteError: The descent gives numbers that are not finite.
        WeightsError: A picture has other channels than the prior can see.
    """

    def __init__(self, weights: Weights, settings: Settings) -> None:
        self.device = devices.choose(settings.device)
        self.precision = devices.choose_precision(settings.precision, self.device)
        self.weights = weights
        self.settings = settings
        self.channels = weights.channels
        self.sigma_range = weights.sigma_range
        if settings.solver not in (DEFAULT, *SOLVERS):
            raise UsageError(f"unknown solver {settings.solver!r}: choose {', '.join(SOLVERS)}")
        self.prior = weights.prior.to(self.device)

    def restore(
        self,
        pixels: np.ndarray,
        task: Task,
        sigma: float,
        callback: Callback | None = None,
        strength: float | None = None,
    ) -> Restoration:
        """Restore a picture.

        Args:
            pixels: (H, W, C) on [0,1], as the task made them, plus Gaussian noise. Three equal channels are
                treated as one (see gray.py).
            task: What happened to the picture.
            sigma: Standard deviation of the noise on [0,1].
            callback: Called at the start and after each iteration.
            strength: The strength, instead of that of the settings.
        """
        seen = without_copies(pixels)
        copies = pixels.shape[2] // seen.shape[2]

        def all_channels(x: np.ndarray) -> np.ndarray:
            return x if copies == 1 else x.repeat(copies, axis=2)

        look = _seen_as(all_channels, callback)

        def part(y: np.ndarray, of_it: Task, look: Callback | None) -> Restoration:
            return self._restore(y, of_it, sigma, look, strength)

        with self._memory_for(pixels):
            prior = self.prior
            reach = prior.reach if isinstance(prior, HasReach) else prior.margin
            parts = task.parts(sigma, reach) if reach else None
            restoration = in_parts(seen, parts, part, look) if parts else part(seen, task, look)
        return replace(restoration, pixels=all_channels(restoration.pixels))

    def denoise(
        self,
        pixels: np.ndarray,
        sigma: float,
        callback: Callback | None = None,
        strength: float | None = None,
    ) -> Restoration:
        """Restore pixels (H, W, C) with noise of standard deviation sigma."""
        return self.restore(pixels, Denoising(), sigma, callback, strength)

    def deblur(
        self,
        pixels: np.ndarray,
        kernel: np.ndarray,
        sigma: float,
        boundary: Boundary = "valid",
        callback: Callback | None = None,
    ) -> Restoration:
        """Restore pixels (H, W, C) that were convolved with `kernel` (h, w) and have noise of standard
        deviation sigma."""
        return self.restore(pixels, Deblurring(kernel, boundary), sigma, callback)

    def inpaint(
        self, pixels: np.ndarray, mask: np.ndarray, sigma: float, callback: Callback | None = None
    ) -> Restoration:
        """Restore pixels (H, W, C) of which some are missing.

        `mask` is (H, W), True where pixels are missing. With sigma = 0 the known pixels come back exactly.
        """
        return self.restore(pixels, Inpainting(mask), sigma, callback)

    def scores(self, pixels: np.ndarray) -> np.ndarray:
        """The map of r: the score of the patch around each pixel, (H, W).

        It is the mean over channels if the prior sees them one by one. Beyond the frame the picture (H, W, C)
        is reflected. Raises UsageError for a prior that has no such map.
        """
        with self._memory_for(pixels):
            x = problems.extend(self._batch(pixels), (self.prior.margin + 1) // 2)
            low, high = self.sigma_range
            level = (low * high) ** 0.5
            regularizer = self.prior.at(level, Arithmetic(self._tile(x.shape, torch.float32)))
            if not isinstance(regularizer, HasScores):
                raise UsageError(f"{self.weights.name} does not score patches, so there is no map of scores")
            return np.asarray(regularizer.scores(x).mean(dim=0).cpu().numpy())

    def lam_for(
        self, sigma: float, gain: float = 1.0, strength: float | None = None, least: float | None = None
    ) -> float:
        """lambda at a noise level.

        It is the fitted lambda times the strength and the prior's gain, unless the settings give lambda
        itself.
        """
        if self.settings.lam is not None:
            return self.settings.lam
        strength = self.settings.strength if strength is None else strength
        return gain * strength * self.weights.lam(max(sigma, self._least if least is None else least))

    def _gain(self, problem: Problem) -> float:
        """The factor by which the operator and the kind of noise change lambda. ADMM, whose level does not
        fall as far as that of other solvers, needs all of the prior (docs/guides/gradient.md)."""
        of_operator = 1.0 if self.settings.solver == Admm.name else self.prior.gain(problem)
        if problem.half_step is not None:
            return of_operator * jpeg.GAIN
        return of_operator if problem.noise is None else of_operator * gain(problem.noise.model)

    @property
    def _least(self) -> float:
        """The lowest noise level for which lambda and the prior are used.

        Without noise, the balance of the terms does not matter if pixels are held, and a picture that is only
        noisy comes back unchanged. In other cases a little noise keeps the problem well-posed.
        """
        return self.sigma_range[0] / 10

    def _restore(
        self, pixels: np.ndarray, task: Task, sigma: float, look: Callback | None, strength: float | None
    ) -> Restoration:
        """Restore pixels (H, W, C) with different channels in one piece."""
        batch = self._batch(pixels)
        if task.solved(sigma):
            return self._unchanged(pixels)
        problem = task.problem(batch, self.prior.margin, sigma)
        if problem.near and self.lam_for(1.0, strength=strength) == 0.0:
            # without a prior the observation is the minimiser
            return replace(self._unchanged(pixels), sigma=sigma)
        level = task.level(sigma * self._factor(pixels, sigma if problem.noise is None else 0.0))

        def finished(x: np.ndarray) -> np.ndarray:
            x = x.mean(axis=2, keepdims=True) if pixels.shape[2] == 1 else x
            return task.finish(x, pixels, sigma)

        restoration = self._minimise(problem, level, sigma, _seen_as(finished, look), strength)
        return replace(restoration, pixels=finished(restoration.pixels))

    def _factor(self, pixels: np.ndarray, sigma: float) -> float:
        """The factor by which the prior sees the noise of a picture (H, W, C) stronger, if channels share
        it."""
        if self.channels == 1 or not (pixels.shape[2] == 1 or shares_noise(pixels, sigma)):
            return 1.0
        return equal_channels_factor(self.weights.metadata.get("noise"))

    def _batch(self, pixels: np.ndarray) -> Tensor:
        """(H, W, C) -> (B, C', H, W).

        A gray prior sees the channels of a colour picture one by one. A colour prior sees a gray picture as
        three equal channels.
        """
        channels = pixels.shape[2]
        pixels = np.require(
            pixels, np.float32, ["C", "W"]
        )  # used in place, because a copy of a large picture is large
        x = torch.from_numpy(pixels).permute(2, 0, 1).to(self.device)
        if channels == self.channels:
            return x[None]
        if self.channels == 1:
            return x[:, None]
        if channels == 1:
            return x.expand(self.channels, -1, -1)[None]
        raise WeightsError(
            f"the prior {self.weights.name} sees {self.channels} channels and the picture has {channels}; "
            "choose a gray prior with -w, or none"
        )

    @contextmanager
    def _memory_for(self, pixels: np.ndarray) -> Iterator[None]:
        """Turn a lack of memory in this context into one sentence."""
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
            stop="converged",
            iterations=0,
            energy=0.0,
            data_term=0.0,
            regularizer=0.0,
            lam=0.0,
            strength=0.0,
            sigma=0.0,
            device=str(self.device),
            precision=devices.precision_name(self.precision),
            tile=0,
        )

    def _minimise(
        self, problem: Problem, level: float, sigma: float, callback: Callback | None, strength: float | None
    ) -> Restoration:
        # where pixels are held and the others unknown, lambda does not matter
        noise = level if problem.free is None or problem.deviation is not None else sigma
        lam = self.lam_for(noise, self._gain(problem), strength, 0.0 if problem.near else None)
        if isinstance(self.prior, ChoosesLevel):
            level = self.prior.level(problem, level)
        level = max(level, self._least)
        shape = (*problem.y.shape[:2], *problem.operator.input_shape[-2:])
        side = self._tile(shape, self.precision)
        while True:
            try:
                with devices.flushed_denormals():
                    solution = self._solve(problem, level, sigma, lam, side, callback)
                break
            except (MemoryError, RuntimeError) as error:
                smaller = (side or max(shape)) // 2
                if smaller < _SMALLEST_TILE or not devices.is_out_of_memory(error):
                    raise
                side = smaller
        if solution.stop == "non_finite":
            raise NonFiniteError(
                "the computation gave numbers that are not finite: lower --strength or --lam, or "
                "use --precision float32"
            )
        energy, data_term, regularizer = _means(solution.history[-1].terms)
        return Restoration(
            pixels=_pixels(problem, solution.x),
            stop=solution.stop,
            iterations=solution.history[-1].iteration,
            energy=energy,
            data_term=data_term,
            regularizer=regularizer,
            lam=lam,
            strength=self.settings.strength if strength is None else strength,
            sigma=sigma,
            device=str(self.device),
            precision=devices.precision_name(self.precision),
            tile=side,
            structure=_structure(problem, solution.x, sigma),
        )

    def _tile(self, shape: tuple[int, ...], precision: torch.dtype) -> int:
        """The tile of the settings, or an automatic one for an unknown of this shape (B, C, H, W)."""
        if self.settings.tile is not None:
            return self.settings.tile
        prior = self.prior
        return prior.tile(tuple(shape), self.device, precision) if isinstance(prior, HasTiles) else 0

    def _solve(
        self,
        problem: Problem,
        level: float,
        sigma: float,
        lam: float,
        side: int,
        callback: Callback | None,
    ) -> Solution:
        settings = self.settings
        regularizer = self.prior.at(level, Arithmetic(side, self.precision))
        solver: Solver = defaults.choose(
            regularizer, problem, lam, sigma, settings.asked(watched=callback is not None)
        )

        def report(record: Record, x: Tensor) -> None:
            if callback is None:
                return
            terms, slope = _means(record.terms), record.terms.slope
            mean = None if slope is None else float(slope.mean())
            callback(Step(record.iteration, solver.iterations, *terms, lambda: _pixels(problem, x), mean))

        descend = defaults.synthesise if settings.formulation == "synthesis" else defaults.descend
        data = data_term_of(problem, sigma, settings.clip_aware, level)
        return descend(problem, data, regularizer, lam, solver, report)


def _seen_as(finished: Callable[[np.ndarray], np.ndarray], callback: Callback | None) -> Callback | None:
    """A callback that receives the estimates after `finished`. None if there is no callback, so that no
    energies are needed."""
    if callback is None:
        return None

    def look(step: Step) -> None:
        callback(replace(step, estimate=lambda: finished(step.estimate())))

    return look


def _structure(problem: Problem, x: Tensor, sigma: float) -> Structure | None:
    """The structure of what a blur of x does not explain."""
    if problem.kernel is None or not problem.plain or sigma <= 0:
        return None
    with torch.no_grad():
        return structure_of(problem.operator.forward(x) - problem.y, sigma)


def _means(terms: Terms) -> tuple[float | None, float, float | None]:
    """Energy, data term and regularizer as means over a batch; None for what is not known."""
    energy, data, value = (float(term.mean()) for term in (terms.energy, terms.data, terms.regularizer))
    return (energy, data, value) if terms.known else (None, data, None)


def _pixels(problem: Problem, x: Tensor) -> np.ndarray:
    """The frame of an extended picture, (H, W, C). The batch of channels of a gray prior becomes one picture
    again."""
    planes = problem.crop(x).detach().cpu().numpy().reshape(-1, *problem.frame)
    return np.ascontiguousarray(planes.transpose(1, 2, 0))
