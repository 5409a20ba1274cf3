"""D(x) = x - s U(x / s, 1): a U-Net that removes the artefacts of filtered backprojection

U is trained with pairs of backprojections and true slices of one geometry (training/postprocessing.py; Jin,
McCann, Froustey and Unser 2017). s is a fixed share of the noise level per pixel. D is applied once, without
looking at the sinogram again.

The same D can also take the place of a regularizer, with the gradient x - D(x): this is regularization by
denoising (RED; Romano, Elad and Milanfar 2017), which looks at the sinogram in every step. U has only seen
backprojections and takes details of better slices for artefacts, so that only a few steps are useful.
"""

from __future__ import annotations

from torch import Tensor

from alr_cli.core.priors.blocks import Residual
from alr_cli.core.priors.protocol import Arithmetic
from alr_cli.core.priors.unet import UNet
from alr_cli.core.priors.unet_prior import UNetPrior
from alr_cli.core.problems import Problem

SHARE = 0.5  # s relative to the noise level: roughly the error of backprojections from few angles


class PostProcessor:
    """D at one noise level, and the regularizer with the gradient x - D(x), which has no known value."""

    margin = 0
    postprocesses = True

    def __init__(self, unet: UNet, sigma: float, arithmetic: Arithmetic) -> None:
        self.channels = unet.architecture.channels
        self._residual = Residual(unet, SHARE * sigma, arithmetic)

    def value_and_grad(self, x: Tensor) -> tuple[None, Tensor]:
        """x: (B, C, H, W) -> (None, x - D(x))."""
        return None, self._residual(x)

    def denoise(self, y: Tensor, share: float = 1.0) -> Tensor:
        """y + share (D(y) - y). See `protocol.PostProcesses`."""
        return y - share * self._residual(y)


class PostProcessorPrior(UNetPrior):
    """D for every noise level, as a prior that weights files can store."""

    kind = "postprocessor"

    def at(self, sigma: float, arithmetic: Arithmetic = Arithmetic()) -> PostProcessor:  # noqa: B008 - immutable
        """D for noise of standard deviation sigma per pixel."""
        return PostProcessor(self.network, sigma, arithmetic)

    def lam(self, sigma: float) -> float:
        """The weight of R in regularization by denoising."""
        return self._lam(sigma)

    def gain(self, problem: Problem) -> float:
        return 1.0
