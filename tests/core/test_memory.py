"""The memory for a large picture, measured as the peak of a process of its own."""

import subprocess
import sys

import pytest

# Peaks are in kilobytes on Linux; the small picture brings what torch and the code take.
SCRIPT = """
import resource, sys
import numpy as np
from alr_cli.core.restore import Restorer
from alr_cli.core.settings import Settings
from tests.core.restoring import weights
from tests.core.toys import a_critic

height, width = map(int, sys.argv[1:])
pixels = np.random.default_rng(0).random((height, width, 3), np.float32)
settings = Settings(max_iter=2, precision="float32")
Restorer(weights(a_critic(3, depth=3, activation="relu")), settings).denoise(pixels, 0.1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def peak(height: int, width: int) -> int:
    command = [sys.executable, "-c", SCRIPT, str(height), str(width)]
    return int(subprocess.run(command, check=True, capture_output=True, timeout=600).stdout)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems count in other units")
def test_a_large_picture_costs_less_than_nine_copies_of_itself() -> None:
    """The memory holds x, y, the gradient, two moments, sometimes a plane, and what the allocator keeps. With
    new tensors in every step it would be fifteen copies."""
    side = 3000
    assert peak(side, side) - peak(64, 64) < 9 * 12 * side**2 + 50_000_000
