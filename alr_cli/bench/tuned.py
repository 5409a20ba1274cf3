"""arg max_lam PSNR(x*(lam), x) for each baseline at a few noise levels, as tuning.py printed it

Tuned on validation pictures alone (BSDS500 val: the middles, 160 x 160, of four of them), the mean PSNR
reached stands beside each curve. Between the levels a parameter is interpolated in log-log, and extended so
beyond them.
"""

from __future__ import annotations

from alr_cli.bench.degradations import Observation
from alr_cli.core.calibration import LambdaCurve

LEAST_SIGMA = 0.01  # without noise the weight does not matter: what was observed is kept

CURVES: dict[str, LambdaCurve] = {
    "tv denoise color": LambdaCurve(  # 30.17, 26.53, 23.64, 21.35 dB
        ((0.05, 0.0271), (0.1, 0.0672), (0.2, 0.159), (0.4, 0.368))
    ),
    "tv deblur color": LambdaCurve(  # 25.02, 23.54, 22.00 dB
        ((0.01, 0.000391), (0.03, 0.00214), (0.1, 0.0169))
    ),
    "tv inpaint color": LambdaCurve(  # 26.35, 25.07, 21.88 dB
        ((0.01, 0.000814), (0.05, 0.0184), (0.2, 0.121))
    ),
    "chambolle denoise color": LambdaCurve(  # 29.54, 25.85, 22.89, 20.36 dB
        ((0.05, 0.0243), (0.1, 0.0649), (0.2, 0.167), (0.4, 0.49))
    ),
    "wiener deblur color": LambdaCurve(  # 23.25, 22.59, 21.25 dB
        ((0.01, 0.0118), (0.03, 0.0305), (0.1, 0.562))
    ),
    "tv denoise gray": LambdaCurve(  # 29.55, 25.89, 23.08, 20.81 dB
        ((0.05, 0.0496), (0.1, 0.13), (0.2, 0.331), (0.4, 0.777))
    ),
    "tv deblur gray": LambdaCurve(  # 24.62, 23.19, 21.69 dB
        ((0.01, 0.00093), (0.03, 0.00501), (0.1, 0.041))
    ),
    "tv inpaint gray": LambdaCurve(  # 26.36, 24.90, 21.50 dB
        ((0.01, 0.000526), (0.05, 0.0335), (0.2, 0.247))
    ),
    "chambolle denoise gray": LambdaCurve(  # 29.54, 25.88, 23.06, 20.78 dB
        ((0.05, 0.0245), (0.1, 0.0653), (0.2, 0.168), (0.4, 0.382))
    ),
    "wiener deblur gray": LambdaCurve(  # 23.24, 22.58, 21.24 dB
        ((0.01, 0.0118), (0.03, 0.0306), (0.1, 0.532))
    ),
}


def value(method: str, observation: Observation) -> float:
    """The tuned parameter of a method for an observation of its kind and noise level."""
    channels = observation.pixels.shape[2]
    return CURVES[kind(method, observation.setting.task, channels)](max(observation.sigma, LEAST_SIGMA))


def kind(method: str, task: str, channels: int) -> str:
    """The name of a curve: `tv denoise gray`."""
    return f"{method} {task} {'gray' if channels == 1 else 'color'}"
