"""A warning if the result does not explain the picture, because of a wrong kernel or too small a sigma."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from alr_cli.cli.restore.doubts import misfit
from alr_cli.core.residuals import Structure
from alr_cli.core.restoration import Restoration
from alr_cli.core.settings import Settings


@pytest.mark.parametrize(
    ("excess", "sigma", "settings", "warned"),
    [
        (0.9, 0.02, Settings(), False),
        (1.3, 0.02, Settings(), True),
        (1.5, 0.1, Settings(strength=0.7), True),
        (1.5, 0.001, Settings(), False),
        (1.5, 0.02, Settings(max_iter=3), False),
        (1.5, 0.02, Settings(lam=0.1), False),
        (1.5, 0.02, Settings(strength=2.0), False),
    ],
)
def test_an_unexplained_residual_of_the_default_solver_is_reported(
    excess: float, sigma: float, settings: Settings, warned: bool
) -> None:
    told = misfit(
        Restoration(
            *(np.zeros((2, 2, 1), np.float32), "max_iter", 20, 1.0, excess * sigma**2, 1.0, 0.1),
            *(settings.strength, sigma, "cpu", "float32", 0),
        ),
        cast(Any, SimpleNamespace(settings=settings)),
    )
    assert (told is not None) == warned
    assert told is None or "kernel may be wrong" in told


@pytest.mark.parametrize(("power", "warned"), [(1.1, False), (3.0, True)])
def test_structure_in_a_small_residual_is_reported(power: float, warned: bool) -> None:
    told = misfit(
        Restoration(
            *(np.zeros((2, 2, 1), np.float32), "max_iter", 20, 1.0, 0.9 * 0.02**2, 1.0, 0.1),
            *(1.0, 0.02, "cpu", "float32", 0, Structure(power, 225)),
        ),
        cast(Any, SimpleNamespace(settings=Settings())),
    )
    assert (told is not None) == warned
    assert told is None or "kernel may be wrong" in told
