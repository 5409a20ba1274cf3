"""Analysis and synthesis: the tasks are as stated, every method runs, and the table is correct."""

import pytest
import torch

from alr_cli.bench.studies import oberlin
from alr_cli.bench.studies.oberlin import Result, judged, measure, table
from alr_cli.bench.studies.oberlin_tasks import degradations
from alr_cli.core.priors.flow import FlowRegularizer
from alr_cli.core.priors.glow import GlowArchitecture
from alr_cli.files.weights import load_weights
from tests.core.flows import a_flow, waves

SIZE = 16


@pytest.fixture(scope="module")
def flow() -> FlowRegularizer:
    return FlowRegularizer(a_flow(GlowArchitecture(3, SIZE, 2, 2, 4), shake=0.0))


def pictures(count: int = 2) -> torch.Tensor:
    return waves(count, GlowArchitecture(3, SIZE, 2, 2, 4), torch.Generator().manual_seed(8))


def test_the_tasks_hide_the_stated_pixels() -> None:
    blur, twice, four_times, random, square = degradations(SIZE)
    flat = torch.full((1, 3, SIZE, SIZE), 0.5)
    for task in (blur, twice, four_times):
        torch.testing.assert_close(
            task.operator.forward(flat), 0.5 * torch.ones_like(task.operator.forward(flat))
        )
    x = pictures(1)
    torch.testing.assert_close(twice.operator.forward(x), torch.nn.functional.avg_pool2d(x, 2))
    torch.testing.assert_close(four_times.operator.forward(x), torch.nn.functional.avg_pool2d(x, 4))
    assert random.known is not None and square.known is not None
    assert abs(float(random.known.mean()) - 0.4) < 0.1
    assert int((1 - square.known).sum()) == 5**2  # 10 of 32, of 16
    assert float(random.observe(x, 0)[0, :, random.known == 0].abs().max()) == 0


def test_every_method_solves_its_tasks(flow: FlowRegularizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oberlin, "ITERATIONS", 3)
    monkeypatch.setattr(oberlin, "STARTS", 1)
    local, told = load_weights("color-tuned").prior, list[str]()
    names = [method.name for method in oberlin.methods(flow, local) if method.weighted]
    weights = {name: {task.name: 1e-4 for task in degradations(SIZE)} for name in names}
    results = measure(pictures(), flow, local, done=told.append, weights=weights)
    assert len(told) == oberlin.count(flow, local) == 5 * 4 + 2 + 2
    assert len(results) == 2 * (len(told) + 5 * 2)  # pictures x (usual starts + a random one of both)
    rows = table(results, "title").rows
    assert len(rows) == len(told)
    assert all((row[4] == "-") == (row[1] not in ("analysis", "synthesis")) for row in rows)


def test_the_table_tells_pictures_and_starts_apart() -> None:
    results = [
        Result("blur", "analysis", picture, start, 20.0 + 4 * picture + start, 0.5)
        for picture in range(2)
        for start in range(3)
    ]
    (row,) = table(results, "title").rows
    assert row == ("blur", "analysis", "22.00 (2.00)", "0.500 (0.000)", "+1.50", "0.50")


def test_scores_are_those_of_clamped_pictures() -> None:
    clean = pictures(1)
    (result,) = judged("task", "method", 0, clean, clean + 0.1)
    assert 19.9 < result.psnr < 22
