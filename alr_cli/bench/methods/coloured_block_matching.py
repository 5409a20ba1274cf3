"""Z = BM3D(O y; |F n|^2): BM3D for noise that is not white, in the opponent colours O y"""

from __future__ import annotations

import numpy as np

from alr_cli.bench.degradations import Pixels
from alr_cli.bench.methods.block_matching import package
from alr_cli.core.coloured_noise import level_of
from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.noise.opponent_colours import opponent_matrix
from alr_cli.core.noise.spectrum import on_frequencies


def coloured_bm3d(pixels: Pixels, model: NoiseModel) -> Pixels:
    """BM3D for correlated noise (Mäkinen, Azzari and Foi 2020) of a picture (H, W, 3) on [0,1].

    It sees the opponent colours, each with the power spectrum of its noise. It knows no noise that depends on
    brightness, and receives the mean variance of the picture.
    """
    mixing = opponent_matrix(3) / np.sqrt(3)  # so that gray is on [0,1]
    height, width = pixels.shape[:2]
    variance = level_of(pixels, model) ** 2 / 3
    density = on_frequencies(model, (height, width)).numpy().transpose(1, 2, 0)
    seen = pixels.astype(np.float64) @ mixing.T
    vars(np).setdefault("trapz", np.trapezoid)  # which the package calls, and NumPy 2.4 has no more
    restored = package().bm3d(seen, variance * height * width * density.astype(np.float64))
    return np.asarray(restored @ np.linalg.inv(mixing).T, np.float32)
