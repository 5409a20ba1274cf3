"""arg max_lam PSNR(x*(lam), x) for each baseline at a few noise levels, as printed by studies/tuning.py

The parameters were tuned on validation pictures only: the central 160 x 160 pixels of four pictures of
BSDS500 val. The comments state the mean PSNR at each point. Between and beyond the levels, parameters are
interpolated and extrapolated in log-log. TV's curves for circular blurs are for gaussian:25:1.6, see
total_variation.py.
"""

from __future__ import annotations

from alr_cli.bench.degradations import Observation
from alr_cli.bench.protocol import Setting
from alr_cli.core.training.calibration import LambdaCurve

LEAST_SIGMA = 0.01  # without noise the weight does not matter, since observed pixels are kept

CURVES: dict[str, LambdaCurve] = {
    "tv denoise color": LambdaCurve(  # 30.13, 26.50, 23.62, 21.32 dB
        ((0.05, 0.0275), (0.1, 0.0654), (0.2, 0.156), (0.4, 0.359))
    ),
    "tv deblur color": LambdaCurve(  # 25.03, 23.59, 22.03 dB
        ((0.01, 0.000386), (0.03, 0.002), (0.1, 0.016))
    ),
    "tv deblur circular color": LambdaCurve(((0.01, 0.00036), (0.03, 0.00215), (0.05, 0.0047))),
    "tv inpaint color": LambdaCurve(  # 26.55, 25.24, 21.97 dB
        ((0.01, 0.001), (0.05, 0.0194), (0.2, 0.119))
    ),
    "chambolle denoise color": LambdaCurve(  # 29.49, 25.81, 22.99, 20.76 dB
        ((0.05, 0.025), (0.1, 0.0644), (0.2, 0.161), (0.4, 0.383))
    ),
    "nlm denoise color": LambdaCurve(  # 30.15, 26.81, 23.96, 21.28 dB
        ((0.05, 0.03), (0.1, 0.0487), (0.2, 0.0819), (0.4, 0.166))
    ),
    "wavelets denoise color": LambdaCurve(  # 32.34, 28.18, 24.50, 21.51 dB
        ((0.05, 0.0551), (0.1, 0.103), (0.2, 0.206), (0.4, 0.411))
    ),
    "wiener deblur color": LambdaCurve(  # 23.26, 22.60, 21.26 dB
        ((0.01, 0.0117), (0.03, 0.0299), (0.1, 0.55))
    ),
    "wiener deblur circular color": LambdaCurve(  # 21.78, 20.21, 19.58 dB
        ((0.01, 0.00134), (0.03, 0.0177), (0.05, 0.0582))
    ),
    "richardson-lucy deblur color": LambdaCurve(  # iterations: 23.27, 22.49, 21.25 dB
        ((0.01, 34.8), (0.03, 17.4), (0.1, 4.35))
    ),
    "richardson-lucy deblur circular color": LambdaCurve(  # 20.75, 19.96, 19.36 dB
        ((0.01, 40.0), (0.03, 22.2), (0.05, 13.2))
    ),
    "tv denoise gray": LambdaCurve(  # 29.52, 25.86, 23.03, 20.80 dB
        ((0.05, 0.0495), (0.1, 0.128), (0.2, 0.317), (0.4, 0.752))
    ),
    "tv deblur gray": LambdaCurve(  # 24.63, 23.21, 21.71 dB
        ((0.01, 0.000914), (0.03, 0.0049), (0.1, 0.0391))
    ),
    "tv deblur circular gray": LambdaCurve(((0.01, 0.00079), (0.03, 0.0048), (0.05, 0.0107))),
    "tv inpaint gray": LambdaCurve(  # 26.55, 25.09, 21.52 dB
        ((0.01, 0.000759), (0.05, 0.0343), (0.2, 0.243))
    ),
    "chambolle denoise gray": LambdaCurve(  # 29.51, 25.85, 23.01, 20.80 dB
        ((0.05, 0.025), (0.1, 0.0643), (0.2, 0.161), (0.4, 0.384))
    ),
    "nlm denoise gray": LambdaCurve(  # 29.80, 26.14, 23.11, 20.22 dB
        ((0.05, 0.03), (0.1, 0.0518), (0.2, 0.105), (0.4, 0.252))
    ),
    "wavelets denoise gray": LambdaCurve(  # 29.62, 25.83, 22.71, 20.39 dB
        ((0.05, 0.0517), (0.1, 0.0992), (0.2, 0.198), (0.4, 0.397))
    ),
    "wiener deblur gray": LambdaCurve(  # 23.25, 22.59, 21.23 dB
        ((0.01, 0.0116), (0.03, 0.0289), (0.1, 0.518))
    ),
    "wiener deblur circular gray": LambdaCurve(  # 21.87, 20.23, 19.58 dB
        ((0.01, 0.00124), (0.03, 0.0165), (0.05, 0.0599))
    ),
    "richardson-lucy deblur gray": LambdaCurve(  # 23.24, 22.47, 21.21 dB
        ((0.01, 34.9), (0.03, 17.4), (0.1, 4.36))
    ),
    "richardson-lucy deblur circular gray": LambdaCurve(  # 20.71, 19.97, 19.37 dB
        ((0.01, 40.0), (0.03, 23.3), (0.05, 13.2))
    ),
}


def value(method: str, observation: Observation) -> float:
    """The tuned parameter of a method for the kind and noise level of an observation."""
    curve = CURVES[kind(method, observation.setting, observation.pixels.shape[2])]
    return curve(max(observation.sigma, LEAST_SIGMA))


def kind(method: str, setting: Setting, channels: int) -> str:
    """The name of a curve, such as `tv denoise gray` or `wiener deblur circular color`."""
    circular = " circular" if setting.boundary == "circular" else ""
    return f"{method} {setting.task}{circular} {'gray' if channels == 1 else 'color'}"
