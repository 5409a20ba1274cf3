"""Proximal maps: each is where the gradient of what it minimises vanishes, and the closed forms are the
general one."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from alr_cli.core.operators.downsample import bicubic
from alr_cli.core.operators.linear import Convolution, Downsample, Mask
from alr_cli.core.proximal import CircularBlur, Held, LeastSquares, Observed, Proximable

STEPS = torch.tensor([0.3, 7.0], dtype=torch.float64)
KERNEL = np.array([[0.1, 0.3, 0.0], [0.05, 0.2, 0.15], [0.0, 0.12, 0.08]])


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


MASK = (random(1, 1, 12, 18) > 0).double()
TERMS: dict[str, Callable[[], Proximable]] = {
    "identity": lambda: Observed(random(2, 3, 12, 18)),
    "mask": lambda: Observed(random(2, 3, 12, 18), MASK),
    "blur": lambda: CircularBlur(random(2, 3, 12, 18), KERNEL),
    "blur and every second": lambda: CircularBlur(random(2, 3, 6, 9), KERNEL, 2),
    "blur and every third": lambda: CircularBlur(random(2, 3, 4, 6), KERNEL, 3),
    "bicubic": lambda: LeastSquares(bicubic((12, 18), 2), random(2, 3, 6, 9), tol=1e-12),
}


@pytest.mark.parametrize("name", TERMS)
def test_the_proximal_map_is_where_the_gradient_vanishes(name: str) -> None:
    term, z = TERMS[name](), random(2, 3, 12, 18, seed=1)
    x = term.prox(z, STEPS).requires_grad_(True)
    (0.5 * (x - z).square().flatten(1).sum(1) + STEPS * term.value(x)).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert float(x.grad.abs().max()) < 1e-8


Y, SMALL = random(2, 3, 12, 18), random(2, 3, 6, 9)


@pytest.mark.parametrize(
    ("closed", "general"),
    [
        (Observed(Y, MASK), LeastSquares(Mask(MASK[0, 0]), Y * MASK, tol=1e-12)),
        (
            CircularBlur(Y, KERNEL),
            LeastSquares(Convolution(KERNEL, (12, 18), "circular"), Y, tol=1e-12),
        ),
        (
            CircularBlur(SMALL, KERNEL, 2),
            LeastSquares(Downsample(2, KERNEL, (12, 18), "circular"), SMALL, tol=1e-12),
        ),
    ],
)
def test_closed_forms_are_what_conjugate_gradients_find(closed: Proximable, general: Proximable) -> None:
    z = random(2, 3, 12, 18, seed=1)
    torch.testing.assert_close(closed.prox(z, STEPS), general.prox(z, STEPS), rtol=1e-8, atol=1e-8)


def test_what_is_held_is_put_back_and_nothing_else() -> None:
    y, z = random(1, 3, 12, 18), random(1, 3, 12, 18, seed=1)
    x = Held(y, MASK).prox(z, STEPS[:1])
    assert torch.equal(x * MASK, y * MASK)
    assert torch.equal(x * (1 - MASK), z * (1 - MASK))
