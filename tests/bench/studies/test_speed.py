"""Measuring time, memory and the share of the machine's speed, for work of known cost."""

import time

import numpy as np
import pytest

from alr_cli.bench.degradations import Observation
from alr_cli.bench.studies import machine, speed
from alr_cli.bench.studies.memory import PeakMemory, resident
from alr_cli.core.restore import Restorer
from alr_cli.core.settings import Settings
from tests.bench.scenes import cartoon
from tests.core.restoring import weights
from tests.core.toys import a_critic


@pytest.mark.parametrize("shape", [(40, 30, 3), (10, 60, 1), (16, 16, 3), (5, 7, 1)])
def test_pictures_of_any_size_are_cropped_or_extended(shape: tuple[int, int, int]) -> None:
    assert speed.resized(cartoon(*shape), 16).shape == (16, 16, shape[2])


def test_timing_takes_the_fastest_run_and_leaves_out_the_first() -> None:
    times = iter([0.0, 3.0, 3.0, 5.0])
    calls: list[int] = []

    def restore(observation: Observation) -> np.ndarray:
        calls.append(1)
        return observation.pixels

    timing = speed.measure("m", restore, cartoon(), 16, repeats=2, clock=lambda: next(times))
    assert timing.seconds == 2.0 and len(calls) == 3
    assert timing.megapixels_per_second == pytest.approx(256 / 2 / 1e6)
    assert timing.psnr == pytest.approx(20.0, abs=1.0)  # sigma is 0.1
    table = speed.table([timing], "t")
    assert table.rows[0][:3] == ("m", "16 x 16", "2")


@pytest.mark.skipif(resident() is None, reason="this system does not tell")
def test_the_memory_of_a_call_is_its_peak() -> None:
    with PeakMemory() as peak:
        held = np.ones(60_000_000, np.uint8)
        time.sleep(0.05)
        del held
        time.sleep(0.05)
    assert peak.added is not None and 55_000_000 < peak.added < 120_000_000


def test_operations_are_those_of_the_convolutions() -> None:
    """Per output pixel and direction two for each weight; tiny: 5 x 5 pixels, then 3 x 3."""
    critic = a_critic(3, width=4, depth=2)
    assert critic.operations(7) == 4 * (25 * 9 * 3 * 4 + 9 * 9 * 4)


def test_a_share_of_the_machine_is_measured() -> None:
    restorer = Restorer(weights(a_critic(1, width=4, depth=2)), Settings(precision="float32"))
    rate = machine.rate(restorer, side=16, matrix=64, repeats=1)
    assert rate.share == rate.gradient / rate.product > 0 and rate.precision == "float32"
