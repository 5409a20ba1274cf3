import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift
from skimage import data

from alr_cli.core.defects.infrared import clean_by_infrared
from alr_cli.errors import UsageError

POWER = 1 / 2.2


def film() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A clean scan (160, 160, 3), its scan with dust, and the light that the dust transmits (160, 160)."""
    clean = data.coffee()[100:260, 200:360] / 255
    rng = np.random.default_rng(0)
    dust = np.zeros((160, 160))
    for opacity in (0.3, 0.3, 0.3, 1.0, 1.0):
        for _ in range(8):
            row, column = rng.integers(3, 155, 2)
            dust[row : row + 3, column : column + 4] = opacity
    t = 1 - 0.98 * gaussian_filter(dust, 0.3)
    return clean, clean * t[..., None] ** POWER, t


@pytest.mark.parametrize("moved", [(0, 0), (3, -2)])
def test_thin_dust_is_divided_out_and_thick_dust_is_missing(moved: tuple[int, int]) -> None:
    clean, scan, t = film()
    infrared = shift(0.7 * t * clean.mean(axis=2) ** 0.05, [-m for m in moved], order=0, mode="nearest")
    found = clean_by_infrared(scan, infrared)
    assert found.moved == moved
    assert found.power == pytest.approx(POWER, abs=0.15)
    assert found.missing[t < 0.3].mean() > 0.95
    assert found.missing.mean() < 4 * (t < 0.5).mean()
    thin = (t > 0.6) & (t < 0.8) & ~found.missing
    before, after = (np.abs(pixels - clean)[thin].mean() for pixels in (scan, found.pixels))
    assert after < 0.4 * before
    clear = (t > 0.99) & ~found.missing
    assert np.abs(found.pixels - clean)[clear].mean() < 0.002


def test_silver_film_shows_itself_in_infrared_and_is_refused() -> None:
    clean, scan, t = film()
    with pytest.raises(UsageError, match="black-and-white"):
        clean_by_infrared(scan, clean.mean(axis=2) ** 0.8 * t)


def test_an_empty_channel_is_refused() -> None:
    with pytest.raises(UsageError, match="everywhere"):
        clean_by_infrared(film()[1], np.full((160, 160), 0.4))
