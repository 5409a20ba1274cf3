"""The crops for tuning fields of experts: their noise, and their number of visits."""

import numpy as np
import pytest
import torch

from alr_cli.core.training.crops import Case, CaseSource
from alr_cli.core.training.patches import PatchSource

SIDE, PATCH = 24, 5
CPU = torch.device("cpu")


def ramp(channels: int = 1) -> PatchSource:
    rows = np.linspace(0.2, 0.8, 64)[:, None, None] * np.ones((1, 64, channels))
    return PatchSource([rows.astype(np.float32)], SIDE)


def some(channels: int = 1, count: int = 1, visits: int = 100, holes: float = 0.0) -> list[Case]:
    source = CaseSource(ramp(channels), 2, (0.05, 0.2), visits, holes=holes)
    generator = torch.Generator().manual_seed(0)
    return [source.draw(PATCH, generator, CPU) for _ in range(count)]


@pytest.mark.parametrize("channels", [1, 3])
def test_noise_is_as_strong_as_it_says(channels: int) -> None:
    for case in some(channels, count=20):
        noise = (case.y - case.clean).square().mean((1, 2, 3)).sqrt()
        torch.testing.assert_close(noise, case.sigma, rtol=0.2, atol=0)
        assert bool(((case.sigma >= 0.05) & (case.sigma <= 0.2)).all())


def test_crops_are_turned_and_mirrored() -> None:
    """The ramp falls down, up, to the left or to the right."""
    seen = {
        (bool(clean[0, 0, 0] < clean[0, -1, 0]), bool(clean[0, 0, 0] < clean[0, 0, -1]))
        for case in some(count=40)
        for clean in case.clean
    }
    assert len(seen) >= 3


def test_a_case_begins_where_a_descent_does_and_has_no_adjoint_yet() -> None:
    (case,) = some()
    assert torch.equal(case.x, case.problem(PATCH).start)
    assert not case.adjoint.any()
    assert not case.old


def test_numbers_of_visits_and_steps_vary() -> None:
    drawn = some(count=300)
    visits = np.array([int(case.visits) for case in drawn])
    first = np.array([int(case.first) for case in drawn])
    assert visits.min() >= 1
    assert visits.max() <= 100
    assert first.min() >= 12
    assert first.max() <= 40
    for values, middle in ((visits, 50), (first, 22)):
        assert np.median(values) == pytest.approx(middle, rel=0.25)


@pytest.mark.parametrize(("visits", "most"), [(100, 6), (6, 6), (3, 3)])
def test_crops_with_holes_are_visited_less_and_miss_most_pixels(visits: int, most: int) -> None:
    drawn = some(count=100, visits=visits, holes=1.0)
    assert {int(case.visits) for case in drawn} == set(range(1, most + 1))
    shares = np.array([float(case.missing.float().mean()) for case in drawn])
    assert shares.min() > 0.5
    assert shares.max() < 1
    assert shares.mean() == pytest.approx(0.775, abs=0.05)
