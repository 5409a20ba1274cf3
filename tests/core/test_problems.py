"""The problem of each task: its operator, frame and start."""

import numpy as np
import pytest
import torch
from torch import Tensor

from alr_cli.core import problems
from alr_cli.core.operators.convolution import Boundary
from alr_cli.core.operators.kernels import parse_kernel
from alr_cli.core.problems import Problem
from tests.core.toys import seeded

SIZES = [(1, 1), (1, 7), (3, 40), (14, 15), (31, 20)]
KERNEL = parse_kernel("gaussian:5:1.5")


def noise(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=seeded(4), dtype=torch.float64)


def assert_consistent(problem: Problem, height: int, width: int) -> None:
    assert problem.frame == (height, width) and problem.pixels == height * width
    assert problem.operator.input_shape == tuple(problem.start.shape[-2:])
    assert problem.operator.output_shape == tuple(problem.y.shape[-2:])
    assert tuple(problem.crop(problem.start).shape[-2:]) == (height, width)
    assert bool(torch.isfinite(problem.start).all())
    # There is a patch, however small the picture.
    assert problem.periodic or min(problem.start.shape[-2:]) >= 15


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_denoising_starts_from_the_picture_and_observes_its_frame(
    channels: int, height: int, width: int
) -> None:
    y = noise(2, channels, height, width)
    problem = problems.denoising(y, 14)
    assert_consistent(problem, height, width)
    assert torch.equal(problem.crop(problem.start), y)
    assert torch.equal(problem.operator.forward(problem.start), y)


@pytest.mark.parametrize("boundary", ["valid", "replicate", "reflect", "circular"])
@pytest.mark.parametrize(("height", "width"), [(5, 5), (14, 15), (31, 20)])
def test_deblurring_observes_the_blurred_frame(height: int, width: int, boundary: Boundary) -> None:
    problem = problems.deblurring(noise(1, 3, height, width), KERNEL, 14, boundary)
    assert_consistent(problem, height, width)
    assert problem.periodic == (boundary == "circular")
    flat = torch.full_like(problem.start, 0.4)
    torch.testing.assert_close(problem.operator.forward(flat), torch.full_like(problem.y, 0.4))


@pytest.mark.parametrize(("height", "width"), [(5, 5), (14, 15), (31, 20)])
def test_a_periodic_picture_has_nothing_beyond_its_frame(height: int, width: int) -> None:
    y = noise(1, 3, height, width)
    problem = problems.deblurring(y, KERNEL, 14, "circular")
    assert torch.equal(problem.start, y)
    assert torch.equal(problem.crop(problem.start), y)
    problem.start.zero_()
    assert y.all()  # made anew


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_deblurring_leaves_what_was_blurred_in_from_outside_unknown(height: int, width: int) -> None:
    problem = problems.deblurring(noise(1, 1, height, width), KERNEL, 14, "valid")
    assert_consistent(problem, height, width)
    assert problem.operator.input_shape == (height + 4 + 28, width + 4 + 28)
    seen = problem.operator.adjoint(torch.ones_like(problem.y))[0, 0] > 1e-12
    window = torch.zeros_like(seen)
    window[14 : 14 + height + 4, 14 : 14 + width + 4] = True
    assert torch.equal(seen, window)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_inpainting_keeps_the_known_pixels_and_fills_the_others(
    share: float, height: int, width: int, exact: bool
) -> None:
    y = noise(1, 3, height, width)
    missing = torch.rand(height, width, generator=seeded(5)) < share
    problem = problems.inpainting(y, missing, 14, exact)
    assert_consistent(problem, height, width)
    start = problem.crop(problem.start)
    assert torch.equal(start[..., ~missing], y[..., ~missing])
    assert torch.equal(problem.operator.forward(problem.start), torch.where(missing, 0.0, y))
    if exact:
        assert problem.free is not None
        assert torch.equal(problem.crop(problem.free)[0, 0] > 0, missing)
        assert problem.free.sum() == missing.sum() + problem.free.numel() - height * width
    else:
        assert problem.free is None


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_missing_pixels_of_a_flat_picture_are_filled_flat(value: float) -> None:
    known = (torch.rand(33, 18, generator=seeded(6)) < 0.1).double()
    filled = problems.fill(value * known.expand(1, 1, -1, -1), known)
    torch.testing.assert_close(filled, torch.full_like(filled, value), rtol=0, atol=1e-12)


def test_missing_pixels_are_filled_between_their_neighbours() -> None:
    ramp = torch.linspace(0, 1, 40, dtype=torch.float64).expand(1, 1, 40, 40)
    known = torch.ones(40, 40, dtype=torch.float64)
    known[10:30, 10:30] = 0
    filled = problems.fill(ramp * known, known)
    assert (filled - ramp).abs().max() < 0.2
    assert filled.min() >= 0 and filled.max() <= 1


def test_missing_pixels_take_the_mean_of_their_neighbourhood_not_its_extremes() -> None:
    y = noise(1, 1, 64, 64)
    known = (torch.rand(64, 64, generator=seeded(6)) < 0.5).double()
    filled = problems.fill(y * known, known)
    assert float(filled[..., known == 0].mean()) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize(("height", "width"), [(7, 9), (31, 20)])
def test_downsampling_solves_for_the_fine_picture(height: int, width: int, factor: int) -> None:
    coarse = noise(1, 3, -(-height // factor), -(-width // factor))
    problem = problems.downsampling(coarse, factor, KERNEL, (height, width), 14)
    assert_consistent(problem, height, width)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (1, 3), (14, 14)])
def test_extending_is_reflection_as_often_as_needed(height: int, width: int, rows: int, columns: int) -> None:
    x = noise(2, 1, height, width)
    expected = np.pad(x.numpy(), ((0, 0), (0, 0), (rows, rows), (columns, columns)), mode="reflect")
    assert np.array_equal(problems.extend(x, rows, columns).numpy(), expected)
