"""The comparison of plug-and-play methods: its kernels, its courses, its tables, and asymmetry."""

import math

import numpy as np
import pytest
import torch

from alr_cli.bench.studies import reg
from alr_cli.bench.studies.courses import Course, follow
from alr_cli.core import problems
from alr_cli.core.defaults import SolverOptions, choose
from alr_cli.core.priors.gradient_network import GradientNetwork, GradientPrior
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.core.restore import Restorer, Settings
from alr_cli.core.solvers.plug_and_play import PlugAndPlay
from alr_cli.core.tasks import Inpainting, Upscaling, to_batch
from alr_cli.core.weights import Weights
from tests.core.toys import Quadratic

CLEAN = np.random.default_rng(0).random((32, 40, 3)).astype(np.float32)


def restorer(channels: int = 3, explicit: bool = False) -> Restorer:
    unets = [
        UNet(UNetArchitecture(channels, (4, 8), (1, 1)), torch.Generator().manual_seed(n)) for n in (0, 1)
    ]
    prior = GradientPrior(GradientNetwork(*unets, explicit=explicit), (0.01, 0.2), lambda sigma: 2 / channels)
    return Restorer(Weights(prior, {}, "", "small"), Settings(precision="float32", max_iter=4))


@pytest.mark.parametrize("name", reg.BLURS)
def test_kernels_have_the_covariance_they_are_named_for(name: str) -> None:
    kernel = reg.gaussian(reg.BLURS[name])
    offset = np.mgrid[:25, :25].reshape(2, -1) - 12
    covariance = (offset * kernel.ravel()) @ offset.T
    assert kernel.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(covariance, np.asarray(reg.BLURS[name]), atol=0.08)


def test_every_setting_has_a_task_and_the_seed_decides_the_holes() -> None:
    names = [setting.name for setting in reg.settings(0)]
    assert len(names) == len(set(names)) == 4 * 3 + 2 + 2
    first, again, other = (reg.settings(seed)[-2].task(CLEAN) for seed in (0, 0, 1))
    assert isinstance(first, Inpainting) and isinstance(again, Inpainting) and isinstance(other, Inpainting)
    assert float(1 - first.missing.mean()) == pytest.approx(0.2, abs=0.05)
    assert np.array_equal(first.missing, again.missing) and not np.array_equal(first.missing, other.missing)


def test_a_course_begins_at_the_start_and_has_the_quality_of_every_iterate() -> None:
    y = to_batch(CLEAN) + 0.1
    problem = problems.denoising(y, 0)
    course = follow(problem, Quadratic(channels=3), 0.5, PlugAndPlay(7, 0.0, 0.2), CLEAN)
    assert len(course.psnr) == 8 and len(course.changes) == 7 and course.stop == "max_iter"
    assert course.psnr[0] == pytest.approx(
        -10 * math.log10(np.mean((y[0].numpy().clip(0, 1).transpose(1, 2, 0) - CLEAN) ** 2))
    )
    assert course.best == max(course.psnr) and course.last == course.psnr[-1]


def test_a_gradient_network_gives_three_methods_and_two_without_noise() -> None:
    y = reg.observe(Upscaling(2), CLEAN, 0.02, 0)
    found = dict(reg.courses(restorer(), Upscaling(2), y, 0.02, CLEAN, 3))
    assert [name.split(",")[0] for name in found] == ["PnP-GD", "PnP-GD", "PnP-ADMM"]
    assert len({course.last for course in found.values()}) == 3
    assert all(len(course.changes) == 3 for course in found.values())
    holes = reg.settings(0)[-1].task(CLEAN)
    assert len(dict(reg.courses(restorer(), holes, reg.observe(holes, CLEAN, 0, 0), 0.0, CLEAN, 2))) == 2


def test_the_tables_have_last_and_best_in_columns_of_their_own() -> None:
    scores = [
        reg.Score(name, "x2", "m", 20.0 + n, 21.0 + n, 5, stop)
        for n, (name, stop) in enumerate([("a", "max_iter"), ("b", "diverged")])
    ]
    assert reg.table(scores, "t").rows == (("x2", "m", "20.50", "21.50", "1", "2"),)
    course = Course((1.0, 3.0, 2.0), (0.5, 0.25), "converged", CLEAN)
    row = reg.convergence_table({"m": [course]}, "t").rows[0]
    assert row == ("m", "3.00", "2.00", "2.00", "2.00", "2.00", "2.00", "2.00", "3.00", "2.5e-01", "0")
    assert reg.draw({"m": [course]})[:4] == b"\x89PNG"


def test_convergence_is_followed_for_all_methods() -> None:
    found = reg.converge([("a", CLEAN)], [restorer()], 2, 0)
    assert [len(courses) for courses in found.values()] == [1, 1, 1]


def test_a_gradient_is_symmetric_and_a_rotation_is_not() -> None:
    x = torch.randn(1, 1, 5, 5, generator=torch.Generator().manual_seed(1))
    matrix = torch.randn(25, 25, generator=torch.Generator().manual_seed(2))

    def linear(of: torch.Tensor) -> float:
        return reg.asymmetry(lambda z: (z.reshape(1, 25) @ of).reshape(x.shape), x)

    assert linear(matrix + matrix.T) < 1e-6
    assert linear(matrix - matrix.T) == pytest.approx(1.0)
    assert linear(matrix) == pytest.approx(0.7, abs=0.1)


def test_the_explicit_gradient_is_symmetric_and_a_free_one_is_not() -> None:
    free, explicit = restorer(), restorer(explicit=True)
    found = [reg.asymmetry_of(each, CLEAN) for each in (free, explicit)]
    assert found[0] is not None and found[0] > 0.2
    assert found[1] is not None and found[1] < 1e-3


def test_plug_and_play_needs_no_energy() -> None:
    regularizer = restorer().prior.at(0.05)
    solver = choose(
        regularizer,
        problems.deblurring(to_batch(CLEAN), np.ones((3, 3)) / 9, 0),
        2 / 3,
        0.05,
        SolverOptions(),
    )
    assert solver.name == "adam"
