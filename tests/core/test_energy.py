"""E(x), eq. 2 and 4: its gradient, its scale, and fixed pixels."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from alr_cli.core import problems
from alr_cli.core.data_terms import SquaredError
from alr_cli.core.energy import Energy
from alr_cli.core.operators.convolution import Convolution
from alr_cli.core.operators.kernels import parse_kernel
from alr_cli.core.operators.pixels import Crop, Identity, Mask
from alr_cli.core.operators.protocol import LinearOperator
from alr_cli.core.priors.local import LocalRegularizer
from alr_cli.core.problems import Problem
from tests.core.toys import Linear, a_critic, mean_critic, seeded

KERNEL = parse_kernel("motion:3:30")


def noise(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 7) -> Tensor:
    return torch.rand(*shape, generator=seeded(seed), dtype=dtype)


def missing(height: int, width: int) -> Tensor:
    return torch.rand(height, width, generator=seeded(8)) < 0.4


PROBLEMS: dict[str, Callable[[Tensor, int], Problem]] = {
    "denoising": problems.denoising,
    "deblurring, valid": lambda y, margin: problems.deblurring(y, KERNEL, margin),
    "deblurring, circular": lambda y, margin: problems.deblurring(y, KERNEL, margin, "circular"),
    "deblurring, replicate": lambda y, margin: problems.deblurring(y, KERNEL, margin, "replicate"),
    "inpainting": lambda y, margin: problems.inpainting(y, missing(*y.shape[-2:]), margin),
    "downsampling": lambda y, margin: problems.downsampling(
        y, 2, KERNEL, (2 * y.shape[-2], 2 * y.shape[-1] - 1), margin
    ),
}


def energy_of(problem: Problem, regularizer: LocalRegularizer, lam: float | Tensor = 0.7) -> Energy:
    data = SquaredError(problem.y)
    return Energy(problem.operator, data, regularizer, lam, problem.pixels, problem.free)


class OfEachPicture(torch.autograd.Function):
    """E with the gradient of Energy, for gradcheck."""

    @staticmethod
    def forward(ctx: object, x: Tensor, energy: Energy) -> Tensor:
        terms, gradient = energy.value_and_grad(x)
        ctx.save_for_backward(gradient)  # type: ignore[attr-defined]
        return terms.energy

    @staticmethod
    def backward(ctx: object, weight: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (gradient,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return weight.reshape(-1, 1, 1, 1) * gradient, None


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_gradient_is_that_of_the_value(name: str, channels: int) -> None:
    critic = a_critic(channels, width=3, depth=2, dtype=torch.float64)
    problem = PROBLEMS[name](noise(2, channels, 5, 6), critic.patch - 1)
    energy = energy_of(problem, LocalRegularizer(critic), lam=torch.tensor([0.7, 1.3]))
    x = (problem.start + 0.1 * noise(*problem.start.shape, seed=9)).requires_grad_(True)
    assert torch.autograd.gradcheck(OfEachPicture.apply, (x, energy), fast_mode=True, atol=1e-8)


@pytest.mark.parametrize("name", ["denoising", "deblurring, valid"])
def test_the_gradient_of_every_pixel_is_that_of_the_value(name: str) -> None:
    critic = a_critic(width=3, depth=2, dtype=torch.float64)
    problem = PROBLEMS[name](noise(1, 1, 4, 5), critic.patch - 1)
    x = problem.start.clone().requires_grad_(True)
    assert torch.autograd.gradcheck(OfEachPicture.apply, (x, energy_of(problem, LocalRegularizer(critic))))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_terms_are_a_mean_square_and_a_mean_score(channels: int) -> None:
    critic = a_critic(channels, dtype=torch.float64)
    y, x = noise(2, channels, 20, 23), noise(2, channels, 48, 51, seed=9)
    problem = problems.denoising(y, critic.patch - 1)
    terms, _ = energy_of(problem, LocalRegularizer(critic), lam=0.4).value_and_grad(x)
    frame = x[..., 14:-14, 14:-14]
    torch.testing.assert_close(terms.data, (frame - y).square().mean(dim=(1, 2, 3)))
    torch.testing.assert_close(terms.regularizer, critic(x).sum(dim=(1, 2, 3)) / (20 * 23))
    torch.testing.assert_close(terms.energy, terms.data + 0.4 * terms.regularizer)


@pytest.mark.parametrize("name", ["denoising", "inpainting", "deblurring, valid"])
def test_lambda_does_not_depend_on_the_size_of_the_picture(name: str) -> None:
    """N dE in the centre is the same for a small and a large piece of one periodic picture."""
    critic = a_critic(dtype=torch.float64)
    tile, period = noise(1, 1, 12, 12), 12
    middles = []
    for repeats in (3, 7):
        side = period * repeats
        y = tile.repeat(1, 1, repeats, repeats)
        if name == "inpainting":
            holes = missing(period, period).repeat(repeats, repeats)
            problem = problems.inpainting(y, holes, critic.patch - 1)
        else:
            problem = PROBLEMS[name](y, critic.patch - 1)
        energy = energy_of(problem, LocalRegularizer(critic))
        # Not the start itself: an extension by reflection has another phase than the tiling.
        x = (0.9 * y).square()
        extended = torch.zeros_like(problem.start)
        problem.crop(extended).copy_(x)
        _, gradient = energy.value_and_grad(extended)
        begin = period * (repeats // 2)
        middles.append(
            side * side * problem.crop(gradient)[..., begin : begin + period, begin : begin + period]
        )
    core = (..., slice(4, 8), slice(4, 8))  # 16 pixels from the border of the small picture
    torch.testing.assert_close(middles[0][core], middles[1][core], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 40), (15, 15), (30, 21)])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_pixel_of_the_frame_counts_in_all_225_patches(channels: int, height: int, width: int) -> None:
    critic = mean_critic(channels)
    problem = problems.denoising(0.1 + noise(1, channels, height, width), critic.patch - 1)
    _, gradient = energy_of(problem, LocalRegularizer(critic), lam=1.0).value_and_grad(problem.start)
    frame = problem.crop(gradient) * problem.pixels  # the data term is 0 at the start
    torch.testing.assert_close(frame, torch.full_like(frame, 1 / channels), rtol=1e-12, atol=0)


def test_a_lambda_for_each_picture_of_a_batch() -> None:
    critic = a_critic(dtype=torch.float64)
    y = noise(2, 1, 8, 9)
    problem = problems.denoising(y, critic.patch - 1)
    x = problem.start + 0.1
    terms, gradient = energy_of(problem, LocalRegularizer(critic), torch.tensor([0.1, 2.0])).value_and_grad(x)
    for picture, lam in enumerate((0.1, 2.0)):
        alone = problems.denoising(y[picture : picture + 1], critic.patch - 1)
        energy = energy_of(alone, LocalRegularizer(critic), lam)
        expected, expected_gradient = energy.value_and_grad(x[picture : picture + 1])
        torch.testing.assert_close(terms.energy[picture], expected.energy[0], rtol=1e-7, atol=0)
        torch.testing.assert_close(gradient[picture], expected_gradient[0], rtol=1e-7, atol=1e-12)


def test_held_pixels_have_no_gradient() -> None:
    critic = a_critic(dtype=torch.float64)
    holes = missing(9, 10)
    problem = problems.inpainting(noise(1, 1, 9, 10), holes, critic.patch - 1, exact=True)
    _, gradient = energy_of(problem, LocalRegularizer(critic)).value_and_grad(problem.start)
    assert bool((problem.crop(gradient)[0, 0][~holes] == 0).all())
    assert bool((problem.crop(gradient)[0, 0][holes] != 0).all())
    assert bool((gradient[..., 0, :] != 0).any())  # beyond the frame nothing is known


@pytest.mark.parametrize(
    ("operator", "norm"),
    [
        (Identity((6, 7)), 1.0),
        (Mask(torch.full((6, 7), 0.5)), 0.5),
        (Crop((6, 7), 2), 1.0),
        (Convolution(4 * KERNEL, (6, 7), "circular"), 4.0),
        (Mask(torch.zeros(6, 7)), 1.0),  # nothing observed: any positive step will do
    ],
)
def test_the_natural_step_is_the_inverse_of_the_largest_curvature(
    operator: LinearOperator, norm: float
) -> None:
    y = torch.zeros(1, 3, *operator.output_shape)
    energy = Energy(operator, SquaredError(y), Linear(channels=3), 1.0, size=42)
    assert energy.natural_step == pytest.approx(42 * 3 / (2 * norm**2))


def test_float32_and_float64_agree() -> None:
    problem = problems.denoising(noise(1, 1, 20, 20), 14)
    double = energy_of(problem, LocalRegularizer(a_critic(dtype=torch.float64))).value_and_grad(problem.start)
    problem = problems.denoising(noise(1, 1, 20, 20).float(), 14)
    single = energy_of(problem, LocalRegularizer(a_critic())).value_and_grad(problem.start)
    assert single[0].energy.dtype == single[1].dtype == torch.float32
    torch.testing.assert_close(single[0].energy.double(), double[0].energy, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(single[1].double(), double[1], rtol=1e-3, atol=1e-8)
