"""The comparison of plug-and-play methods: its courses and its tables."""

import math

import numpy as np
import pytest
import torch

from alr_cli.bench.studies import reg
from alr_cli.bench.studies.courses import follow
from alr_cli.bench.studies.reg_settings import observe, settings
from alr_cli.core import problems
from alr_cli.core.defaults import choose
from alr_cli.core.operators.downsample import bicubic
from alr_cli.core.priors.gradient_network import GradientNetwork, GradientPrior
from alr_cli.core.priors.potential import PotentialPrior
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.core.restore import Restorer
from alr_cli.core.settings import Settings
from alr_cli.core.solver_options import SolverOptions
from alr_cli.core.solvers.plug_and_play import PlugAndPlay
from alr_cli.core.tasks import Upscaling, to_batch
from alr_cli.core.weights import Weights
from tests.core.toys import Quadratic

CLEAN = np.random.default_rng(0).random((32, 40, 3)).astype(np.float32)


def restorer(channels: int = 3, explicit: bool = False) -> Restorer:
    unets = [
        UNet(UNetArchitecture(channels, (4, 8), (1, 1)), torch.Generator().manual_seed(n)) for n in (0, 1)
    ]
    prior = GradientPrior(GradientNetwork(*unets, explicit=explicit), (0.01, 0.2), lambda sigma: 2 / channels)
    return Restorer(Weights(prior, {}, "", "small"), Settings(precision="float32", max_iter=4))


def test_a_course_begins_at_the_start_and_has_the_quality_of_every_iterate() -> None:
    y = to_batch(CLEAN) + 0.1
    problem = problems.denoising(y, 0)
    course = follow(problem, Quadratic(channels=3), 0.5, PlugAndPlay(7, 0.0, 0.2), CLEAN)
    assert len(course.psnr) == 8 and len(course.changes) == 7 and course.stop == "max_iter"
    assert course.psnr[0] == pytest.approx(
        -10 * math.log10(np.mean((y[0].numpy().clip(0, 1).transpose(1, 2, 0) - CLEAN) ** 2))
    )
    assert course.best == max(course.psnr) and course.last == course.psnr[-1]


def test_a_gradient_network_gives_five_methods_and_three_without_noise() -> None:
    y = observe(Upscaling(2), CLEAN, 0.02, 0)
    found = dict(reg.courses(restorer(), Upscaling(2), y, 0.02, CLEAN, 3))
    assert [name.split(",")[0] for name in found] == ["small", "PnP-GD", "PnP-PGD", "PnP-GD", "PnP-ADMM"]
    assert len({course.last for course in found.values()}) == 5
    assert [len(course.changes) for course in found.values()] == [0, 3, 3, 3, 3]
    holes = settings(0)[-1].task(CLEAN)
    assert len(dict(reg.courses(restorer(), holes, observe(holes, CLEAN, 0, 0), 0.0, CLEAN, 2))) == 3


def test_a_potential_is_used_as_commands_use_it_and_by_plug_and_play() -> None:
    unet = UNet(UNetArchitecture(3, (4, 8), (1, 1)), torch.Generator().manual_seed(0))
    weights = Weights(PotentialPrior(unet, (0.01, 0.2), lambda sigma: 2 / 3), {}, "", "small")
    potential = Restorer(weights, Settings(precision="float32"))
    y = observe(Upscaling(2), CLEAN, 0.02, 0)
    found = dict(reg.courses(potential, Upscaling(2), y, 0.02, CLEAN, 3))
    assert list(found) == ["small", "PnP-GD, grad g of small", "PnP-ADMM, D of small"]
    assert [len(course.changes) for course in found.values()] == [0, 3, 3]


def test_every_method_restores_every_picture_in_every_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    few = settings(0)[::17]
    monkeypatch.setattr(reg, "settings", lambda seed: few)
    found = list(reg.measure([("a", CLEAN)], [restorer()], 0, 1))
    assert [scores[0].setting for scores in found] == [setting.name for setting in few]
    assert [len(scores) for scores in found] == [6, 4]
    assert all(score.iterations == 1 for scores in found for score in scores[2:])


def test_the_tables_have_last_and_best_in_columns_of_their_own() -> None:
    scores = [
        reg.Score(name, "x2", "m", 20.0 + n, 21.0 + n, 5, stop)
        for n, (name, stop) in enumerate([("a", "max_iter"), ("b", "diverged")])
    ]
    assert reg.table(scores, "t").rows == (("x2", "m", "20.50", "21.50", "1", "2"),)
    assert reg.draw(scores)[:4] == b"\x89PNG"


def test_d_leads_to_what_is_blurred_and_g_fills_what_is_missing() -> None:
    regularizer, y = restorer().prior.at(0.05), to_batch(CLEAN)
    for problem, name in (
        (problems.deblurring(y, np.ones((3, 3)) / 9, 0), "splitting"),
        (problems.upscaling(y, bicubic((64, 80), 2), 0), "splitting"),
        (problems.inpainting(y, y[0, 0] > 0.5, 0), "adam"),
        (problems.inpainting(y, y[0, 0] > 0.5, 0, exact=True), "adam"),
        (problems.denoising(y, 0), "direct"),
    ):
        assert choose(regularizer, problem, 2 / 3, 0.05, SolverOptions()).name == name
