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
    "tv denoise color": LambdaCurve(  # 30.13, 26.50, 23.62, 21.32 dB
        ((0.05, 0.0275), (0.1, 0.0654), (0.2, 0.156), (0.4, 0.359))
    ),
    "tv deblur color": LambdaCurve(  # 25.03, 23.59, 22.03 dB
        ((0.01, 0.000386), (0.03, 0.002), (0.1, 0.016))
    ),
    "tv inpaint color": LambdaCurve(  # 26.55, 25.24, 21.97 dB
        ((0.01, 0.001), (0.05, 0.0194), (0.2, 0.119))
    ),
    "chambolle denoise color": LambdaCurve(  # 29.49, 25.81, 22.99, 20.76 dB
        ((0.05, 0.025), (0.1, 0.0644), (0.2, 0.161), (0.4, 0.383))
    ),
    "wiener deblur color": LambdaCurve(  # 23.26, 22.60, 21.26 dB
        ((0.01, 0.0117), (0.03, 0.0299), (0.1, 0.55))
    ),
    "tv denoise gray": LambdaCurve(  # 29.52, 25.86, 23.03, 20.80 dB
        ((0.05, 0.0495), (0.1, 0.128), (0.2, 0.317), (0.4, 0.752))
    ),
    "tv deblur gray": LambdaCurve(  # 24.63, 23.21, 21.71 dB
        ((0.01, 0.000914), (0.03, 0.0049), (0.1, 0.0391))
    ),
    "tv inpaint gray": LambdaCurve(  # 26.55, 25.09, 21.52 dB
        ((0.01, 0.000759), (0.05, 0.0343), (0.2, 0.243))
    ),
    "chambolle denoise gray": LambdaCurve(  # 29.51, 25.85, 23.01, 20.80 dB
        ((0.05, 0.025), (0.1, 0.0643), (0.2, 0.161), (0.4, 0.384))
    ),
    "wiener deblur gray": LambdaCurve(  # 23.25, 22.59, 21.23 dB
        ((0.01, 0.0116), (0.03, 0.0289), (0.1, 0.518))
    ),
}


def value(method: str, observation: Observation) -> float:
    """The tuned parameter of a method for an observation of its kind and noise level."""
    channels = observation.pixels.shape[2]
    return CURVES[kind(method, observation.setting.task, channels)](max(observation.sigma, LEAST_SIGMA))


def kind(method: str, task: str, channels: int) -> str:
    """The name of a curve: `tv denoise gray`."""
    return f"{method} {task} {'gray' if channels == 1 else 'color'}"
