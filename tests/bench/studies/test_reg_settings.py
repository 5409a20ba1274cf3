"""The tasks of plug and play: kernels, reduced pictures and holes."""

import numpy as np
import pytest

from alr_cli.bench.studies.reg_settings import BLURS, Setting, gaussian, observe, settings
from alr_cli.core.tasks import Inpainting
from tests.bench.studies.test_reg import CLEAN


@pytest.mark.parametrize("name", BLURS)
def test_kernels_have_the_covariance_they_are_named_for(name: str) -> None:
    kernel = gaussian(BLURS[name])
    offset = np.mgrid[:25, :25].reshape(2, -1) - 12
    covariance = (offset * kernel.ravel()) @ offset.T
    assert kernel.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(covariance, np.asarray(BLURS[name]), atol=0.08)


def test_every_setting_has_a_task_and_the_seed_decides_the_holes() -> None:
    names = [setting.name for setting in settings(0)]
    assert len(names) == len(set(names)) == 4 * 3 + 4 + 2
    first, again, other = (settings(seed)[-2].task(CLEAN) for seed in (0, 0, 1))
    assert isinstance(first, Inpainting) and isinstance(again, Inpainting) and isinstance(other, Inpainting)
    assert float(1 - first.missing.mean()) == pytest.approx(0.2, abs=0.05)
    assert np.array_equal(first.missing, again.missing) and not np.array_equal(first.missing, other.missing)


@pytest.mark.parametrize("setting", settings(0), ids=lambda setting: setting.name)
def test_every_observation_has_its_size_and_noise(setting: Setting) -> None:
    task, even = setting.task(CLEAN), np.full_like(CLEAN, 0.5)
    y = observe(task, even, setting.sigma, 0)
    scale = int(setting.name[1]) if setting.name.startswith("x") else 1
    assert y.shape[:2] == (32 // scale, 40 // scale)
    if setting.sigma:
        assert float(np.std(y)) == pytest.approx(setting.sigma, rel=0.15)
        assert float(np.mean(y)) == pytest.approx(0.5, abs=0.01)
