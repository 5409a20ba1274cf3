"""sigma_c against brightness, and rho_cc against distance: the noise estimated from a picture"""

from __future__ import annotations

from alr_cli import drawing
from alr_cli.core.noise.model import NoiseModel

_GRAY = [(drawing.BLACK, "gray")]
_COLOUR = [(drawing.RED, "red"), (drawing.GREEN, "green"), (drawing.BLUE, "blue")]


def draw(model: NoiseModel) -> bytes:
    """A PNG. Levels are in units of 1/255."""
    figure = drawing.new(6.4, 2.8)
    levels, correlation = figure.subplots(1, 2)
    for channel, (colour, name) in enumerate(_GRAY if model.channels == 1 else _COLOUR):
        levels.plot(255 * model.brightness, 255 * model.sigma[channel], color=colour, label=name)
        beside = model.correlation[channel, channel, 0]
        correlation.plot(range(len(beside)), beside, "o-", color=colour, markersize=3)
    levels.set_xlabel("brightness [levels of 255]")
    levels.set_ylabel("noise [levels of 255]")
    levels.set_ylim(bottom=0)
    levels.legend(fontsize="small")
    correlation.axhline(0, color=drawing.BLACK, linewidth=0.5)
    correlation.set_xlabel("distance along a row [pixels]")
    correlation.set_ylabel("correlation")
    return drawing.png(figure)
