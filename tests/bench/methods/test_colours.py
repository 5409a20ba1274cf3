import numpy as np
import pytest

from alr_cli.bench.methods.colours import UNITS, Q, plane_by_plane
from tests.bench.scenes import cartoon


def test_the_transform_keeps_lengths_so_that_white_noise_stays_white() -> None:
    assert np.abs(Q @ Q.T - np.eye(3)).max() < 1e-6


@pytest.mark.parametrize("channels", [1, 3])
def test_doing_nothing_to_the_planes_changes_nothing(channels: int) -> None:
    picture = cartoon(channels=channels)
    assert plane_by_plane(picture, lambda plane, unit: plane) == pytest.approx(picture, abs=1e-6)


def test_luminance_in_its_unit_is_the_mean_of_the_channels() -> None:
    seen: list[np.ndarray] = []

    def note(plane: np.ndarray, unit: float) -> np.ndarray:
        seen.append(plane / unit)
        return plane

    picture = cartoon()
    plane_by_plane(picture, note)
    assert seen[0] == pytest.approx(picture.mean(axis=2), abs=1e-6)
    assert UNITS[1:] == (1.0, 1.0)
    gray = np.repeat(picture[..., :1], 3, axis=2)
    plane_by_plane(gray, note)
    assert seen[4] == pytest.approx(0, abs=1e-6) and seen[5] == pytest.approx(0, abs=1e-6)
