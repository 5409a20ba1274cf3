"""Downsampling: exact adjoints, and agreement with other programs inside the frame."""

import pytest
import torch
from torch.nn import functional

from alr_cli.core.operators.downsample import LITERATURE, SHARPER, Resize, bicubic, box
from alr_cli.errors import UsageError

SHAPES = [(24, 36), (17, 23), (48, 12)]
MAKERS = {
    "bicubic": bicubic,
    "sharper": lambda shape, scale: bicubic(shape, scale, SHARPER),
    "box": box,
}


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("name", MAKERS)
def test_the_adjoint_is_exact(name: str, scale: int, shape: tuple[int, int]) -> None:
    operator: Resize = MAKERS[name](shape, scale)
    x, y = random(2, 3, *operator.input_shape), random(2, 3, *operator.output_shape)
    there, back = (operator.forward(x) * y).sum(), (x * operator.adjoint(y)).sum()
    assert float(there) == pytest.approx(float(back), rel=1e-12)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", MAKERS)
def test_constant_pictures_stay_constant(name: str, scale: int) -> None:
    operator: Resize = MAKERS[name]((23, 30), scale)
    flat = torch.ones(1, 1, 23, 30, dtype=torch.float64)
    torch.testing.assert_close(operator.forward(flat), torch.ones_like(operator.forward(flat)))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_is_that_of_the_literature_inside_the_frame(scale: int) -> None:
    x = random(1, 2, 48, 60)
    size = (48 // scale, 60 // scale)
    expected = functional.interpolate(x, size, mode="bicubic", antialias=True, align_corners=False)
    found = bicubic((48, 60), scale, LITERATURE).forward(x)
    inside = (..., slice(2, -2), slice(2, -2))
    torch.testing.assert_close(found[inside], expected[inside], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_box_takes_means(scale: int) -> None:
    x = random(1, 2, 24, 36)
    torch.testing.assert_close(box((24, 36), scale).forward(x), functional.avg_pool2d(x, scale))


def test_the_norm_is_that_of_the_dense_matrix() -> None:
    operator = bicubic((9, 12), 3)
    unit = torch.eye(9 * 12, dtype=torch.float64).reshape(-1, 1, 9, 12)
    matrix = operator.forward(unit).flatten(1)
    assert operator.norm == pytest.approx(float(torch.linalg.matrix_norm(matrix, 2)), rel=1e-3)


@pytest.mark.parametrize("name", MAKERS)
def test_the_power_bounds_what_is_seen(name: str) -> None:
    operator: Resize = MAKERS[name]((24, 36), 3)
    power = operator.power((24, 36))
    assert power.shape == (24, 19)
    for row, column in [(0, 0), (1, 0), (3, 5), (12, 18)]:
        down, across = torch.arange(24.0)[:, None], torch.arange(36.0)
        wave = torch.cos(2 * torch.pi * (row * down / 24 + column * across / 36)).double()[None, None]
        inner = operator.forward(wave)[..., 2:-2, 2:-2]
        assert float(inner.abs().max()) <= float(power[row, column].sqrt()) + 1e-9


@pytest.mark.parametrize(("shape", "scale"), [((2, 40), 3), ((40, 40), 0)])
def test_an_impossible_scale_is_refused(shape: tuple[int, int], scale: int) -> None:
    with pytest.raises(UsageError):
        bicubic(shape, scale)
