import numpy as np
import pytest
import torch

from alr_cli.core.operators.pixels import Identity
from alr_cli.core.operators.ray import RayTransform
from alr_cli.core.solvers.primal_dual import total_variation
from tests.core.operators.scans import GEOMETRIES, ellipse


def last(steps: object) -> torch.Tensor:
    *_, end = steps  # type: ignore[misc]
    return end.x


def test_an_edge_shrinks_as_in_theory() -> None:
    """For two plateaus of n pixels per row, ||x - y||^2 + lam TV moves each by lam / (2 n) towards the
    other."""
    y = torch.zeros(1, 1, 8, 8, dtype=torch.float64)
    y[..., 4:] = 1.0
    x = last(total_variation(Identity((8, 8)), y, 0.4, y, iterations=1000))
    expected = torch.where(y > 0.5, 0.95, 0.05).double()
    assert torch.allclose(x, expected, atol=1e-3)


def test_nothing_is_negative() -> None:
    y = torch.full((1, 1, 6, 6), -1.0)
    assert torch.equal(last(total_variation(Identity((6, 6)), y, 0.1, torch.zeros_like(y), 50)), 0 * y)


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_the_energy_of_a_scan_falls_to_a_minimum(scale: float) -> None:
    transform = RayTransform(GEOMETRIES["even picture, odd detectors"], scale).normalised()
    truth = torch.from_numpy(ellipse((32, 32), (2.0, 1.0), (9.0, 6.0))).float()[None, None]
    noise = 0.02 * torch.randn(1, 1, 24, 47, generator=torch.Generator().manual_seed(0))
    y = transform.forward(truth) + noise
    steps = list(total_variation(transform, y, 0.01, torch.zeros_like(truth), 300))
    energies = np.array([float(step.data + 0.01 * step.variation) for step in steps])
    assert energies[-1] <= energies.min() * 1.01 < 0.2 * energies[0]
    assert energies[100] < 1.05 * energies[-1]
    assert float((steps[-1].x - truth).square().mean()) < 0.02


def test_a_lambda_of_0_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        next(total_variation(Identity((4, 4)), torch.zeros(1, 1, 4, 4), 0.0, torch.zeros(1, 1, 4, 4)))
