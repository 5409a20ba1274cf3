"""The crops that a critic is tuned on: noise, blurs, holes, and how long they live."""

import numpy as np
import pytest
import torch

from alr_cli.core import cases, problems
from alr_cli.core.cases import Case, CaseSource
from alr_cli.core.kernels import random_kernel
from alr_cli.core.patches import PatchSource

SIDE, PATCH = 24, 5
CPU = torch.device("cpu")


def ramp(channels: int = 1) -> PatchSource:
    rows = np.linspace(0.2, 0.8, 64)[:, None, None] * np.ones((1, 64, channels))
    return PatchSource([rows.astype(np.float32)], SIDE)


def some(blurs: float = 0.0, holes: float = 0.0, channels: int = 1, count: int = 1) -> list[Case]:
    source = CaseSource(ramp(channels), 2, (0.05, 0.2), blurs, holes, visits=100)
    generator = torch.Generator().manual_seed(0)
    return [source.draw(PATCH, generator, CPU) for _ in range(count)]


@pytest.mark.parametrize("channels", [1, 3])
def test_noise_is_as_strong_as_it_says(channels: int) -> None:
    for case in some(channels=channels, count=20):
        noise = (case.y - case.clean).square().mean((1, 2, 3)).sqrt()
        torch.testing.assert_close(noise, case.sigma, rtol=0.2, atol=0)
        assert bool(((case.sigma >= 0.05) & (case.sigma <= 0.2)).all())


def test_the_blurred_crop_is_what_the_deblurring_problem_observes() -> None:
    kernel = torch.from_numpy(random_kernel((0.0, 0.3, 0.6)).copy()).float()
    clean = ramp().sample(2, torch.Generator().manual_seed(0))
    y, inner = cases._blur(clean, kernel)
    problem = problems.deblurring(y, kernel.double().numpy(), 3)
    x = torch.nn.functional.pad(clean, (2, 2, 2, 2))
    assert torch.allclose(problem.operator.forward(x), y, atol=1e-5)
    assert torch.equal(problem.crop(x), inner)


@pytest.mark.parametrize("channels", [1, 3])
def test_where_pixels_are_missing_the_others_are_true_and_held(channels: int) -> None:
    for case in some(holes=0.99, channels=channels, count=5):
        problem = case.problem(PATCH)
        assert problem.free is not None
        known = (problem.crop(problem.free) == 0).expand_as(case.clean)
        assert 0.3 < float((~known).float().mean()) < 0.95
        assert torch.equal(problem.crop(case.x)[known], case.clean[known])


def test_kinds_have_their_shares() -> None:
    drawn = some(blurs=0.3, holes=0.2, count=300)
    assert sum(case.blurred for case in drawn) / 300 == pytest.approx(0.3, abs=0.08)
    assert sum(case.known.numel() > 1 for case in drawn) / 300 == pytest.approx(0.2, abs=0.08)


def test_lives_and_paths_are_long_and_short() -> None:
    drawn = some(count=300)
    visits = np.array([int(case.visits) for case in drawn])
    first = np.array([int(case.first) for case in drawn])
    assert visits.min() >= 1
    assert visits.max() <= 100
    assert first.min() >= 50
    assert first.max() <= 500
    for values, middle in ((visits, 10), (first, 158)):
        assert np.median(values) == pytest.approx(middle, rel=0.35)
