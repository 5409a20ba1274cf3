"""Gradient descent with a fixed step: both formulations begin where they are told, and come nearer."""

import pytest
import torch

from alr_cli.bench.studies.oberlin_descents import STARTS, methods, quality
from alr_cli.bench.studies.oberlin_tasks import degradations
from alr_cli.core.priors.glow import GlowArchitecture
from tests.core.flows import a_flow, waves

ARCHITECTURE = GlowArchitecture(3, 16, 2, 2, 4)


@pytest.mark.parametrize("name", ["synthesis", "analysis", "with log-determinant"])
def test_every_formulation_brightens_a_dark_start(name: str) -> None:
    clean = waves(2, ARCHITECTURE, torch.Generator().manual_seed(8))
    flow, twice = a_flow(ARCHITECTURE, shake=0.0), degradations(ARCHITECTURE.size)[1]
    start = STARTS["A* y"]  # a quarter as bright as the picture
    before, after = (
        quality(methods(flow, iterations)[name], twice, start, 1e-5, clean, 0) for iterations in (0, 10)
    )
    assert before < 12 and after > before + 6


def test_without_iterations_both_return_the_start() -> None:
    clean = waves(2, ARCHITECTURE, torch.Generator().manual_seed(8))
    blur = degradations(ARCHITECTURE.size)[0]
    psnrs = [
        quality(restore, blur, STARTS["guess"], 1e-5, clean, 0)
        for restore in methods(a_flow(ARCHITECTURE, shake=0.0), 0).values()
    ]
    assert max(psnrs) - min(psnrs) < 1e-3
