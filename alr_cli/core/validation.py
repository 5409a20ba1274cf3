"""PSNR(x*(lam), x) over a few pictures: what calibration maximises and training logs"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from alr_cli.core import problems
from alr_cli.core.calibration import LambdaCurve, calibrate, psnr
from alr_cli.core.critic import Critic
from alr_cli.core.energy import Energy, SquaredError
from alr_cli.core.regularizer import LocalRegularizer
from alr_cli.core.solver import Method, solve


@dataclass(frozen=True)
class Validation:
    """Denoising of a fixed batch of clean crops with fixed unit noise.

    clean, noise: (B, C, H, W); at sigma the observation is clean + sigma * noise, not clipped.
    """

    clean: Tensor
    noise: Tensor
    method: Method = "nmapg"
    precision: torch.dtype = torch.float32

    @classmethod
    def from_pictures(
        cls,
        pictures: Sequence[np.ndarray],
        count: int = 8,
        side: int = 128,
        method: Method = "nmapg",
        precision: torch.dtype = torch.float32,
    ) -> Validation:
        """The centres of `count` pictures (H, W, C) float32 on [0,1], evenly spread over the sequence."""
        count = min(count, len(pictures))
        chosen = [pictures[(index * len(pictures)) // count] for index in range(count)]
        side = min(side, *(min(picture.shape[:2]) for picture in chosen))
        crops = []
        for picture in chosen:
            top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
            crops.append(picture[top : top + side, left : left + side].transpose(2, 0, 1))
        clean = torch.from_numpy(np.stack(crops).astype(np.float32))
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
        return cls(clean, noise, method, precision)

    def to(self, device: torch.device) -> Validation:
        return Validation(self.clean.to(device), self.noise.to(device), self.method, self.precision)

    def restore(self, critic: Critic, sigma: float, lam: float) -> Tensor | None:
        """x*(lam) at noise level sigma, (B, C, H, W); None if the descent blew up."""
        problem = problems.denoising(self.clean + sigma * self.noise, critic.patch)
        solution = solve(self._energy(critic, problem, lam), problem.start, self.method)
        return None if solution.stop == "non_finite" else problem.crop(solution.x)

    def quality(self, critic: Critic, sigma: float, lam: float) -> float:
        """Mean PSNR in dB; -inf if the descent blew up."""
        restored = self.restore(critic, sigma, lam)
        return -math.inf if restored is None else float(psnr(restored, self.clean).mean())

    def balance(self, critic: Critic, sigma: float) -> float:
        """||grad data|| / ||grad R|| at the truth (Lunz's rule): where calibration starts."""
        problem = problems.denoising(self.clean + sigma * self.noise, critic.patch)
        truth = problems.extend(self.clean, critic.patch - 1)
        _, data = self._energy(critic, problem, 0.0).value_and_grad(truth)
        _, both = self._energy(critic, problem, 1.0).value_and_grad(truth)
        return float(data.norm() / problem.crop(both - data).norm().clamp_min(1e-30))

    def fit(self, critic: Critic, sigmas: Sequence[float]) -> LambdaCurve:
        """lambda(sigma) of a critic."""
        return calibrate(
            sigmas,
            quality=lambda sigma, lam: self.quality(critic, sigma, lam),
            start=lambda sigma: self.balance(critic, sigma),
        )

    def _energy(self, critic: Critic, problem: problems.Problem, lam: float) -> Energy:
        regularizer = LocalRegularizer(critic, precision=self.precision)
        return Energy(problem.operator, SquaredError(problem.y), regularizer, lam, problem.pixels)
