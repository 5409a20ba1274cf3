"""A hand-made critic, a scene that suits it, and all ways to restore it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from alr_cli.core.noise.white import random_mask
from alr_cli.core.operators.kernels import parse_kernel
from alr_cli.core.priors.critic import Critic, CriticPrior
from alr_cli.core.restoration import Restoration
from alr_cli.core.restore import Restorer
from alr_cli.core.settings import Settings
from alr_cli.core.training.calibration import LambdaCurve
from alr_cli.core.weights import Weights
from tests.core.toys import smoothness_critic

SETTINGS = Settings(device="cpu", precision="float32")
FEW = replace(SETTINGS, solver="adam", max_iter=3)
LAM = 0.18  # at sigma = 0.1, in proportion elsewhere
KERNEL = parse_kernel("gaussian:7:2")


def weights(critic: Critic) -> Weights:
    """Weights with a lambda for the hand-made total variation, which is a sum over the channels."""
    channels = critic.architecture.channels
    prior = CriticPrior(critic, (0.05, 0.3), LambdaCurve(((0.1, LAM / channels),)))
    return Weights(prior, {}, "", "toy")


def restorer(channels: int = 1, settings: Settings = SETTINGS) -> Restorer:
    return Restorer(weights(smoothness_critic(channels)), settings)


def scene(height: int, width: int, channels: int = 1) -> np.ndarray:
    """Flat patches of different shades."""
    rows, columns = np.mgrid[:height, :width]
    disc = (rows - 0.4 * height) ** 2 + (columns - 0.5 * width) ** 2 < (0.3 * min(height, width)) ** 2
    shades = 0.3 + 0.3 * disc + 0.2 * (columns > 0.7 * width)
    return np.stack([shades * (1 - 0.2 * n) for n in range(channels)], axis=2).astype(np.float32)


def noisy(clean: np.ndarray, sigma: float, seed: int = 1) -> np.ndarray:
    return clean + np.random.default_rng(seed).normal(0, sigma, clean.shape).astype(np.float32)


def psnr(estimate: np.ndarray, truth: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((estimate - truth) ** 2)))


Task = Callable[[Restorer, np.ndarray], Restoration]
TASKS: dict[str, Task] = {
    "denoise": lambda restorer, y: restorer.denoise(y, 0.1),
    "deblur": lambda restorer, y: restorer.deblur(y, KERNEL, 0.05),
    "inpaint": lambda restorer, y: restorer.inpaint(y, random_mask(y.shape[:2], 0.5, 1), 0.05),
    "inpaint exactly": lambda restorer, y: restorer.inpaint(y, random_mask(y.shape[:2], 0.5, 1), 0.0),
}
