"""A, A* and ||A|| over operators x sizes x channels, compared with SciPy and dense matrices."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.fft import next_fast_len
from scipy.signal import convolve2d
from torch import Tensor

from alr_cli.core.operators.compose import Compose
from alr_cli.core.operators.convolution import Boundary, Convolution, Downsample
from alr_cli.core.operators.kernels import parse_kernel
from alr_cli.core.operators.norm import largest_singular_value
from alr_cli.core.operators.pixels import Crop, Identity, Mask
from alr_cli.core.operators.protocol import LinearOperator
from alr_cli.errors import UsageError

Shape = tuple[int, int]
BOUNDARIES: list[Boundary] = ["replicate", "reflect", "circular", "valid"]
SIZES = [(1, 1), (1, 4), (7, 7), (31, 20)]  # degenerate, thin, no larger than a kernel, odd and even
ASYMMETRIC = np.array([[0.1, 0.3, 0.0], [0.05, 0.2, 0.15], [0.0, 0.12, 0.08]])


def a_kernel(shape: Shape) -> np.ndarray:
    """Asymmetric, with some negative weights, odd, and never larger than the picture."""
    height, width = (min(side - 1 + side % 2, most) for side, most in zip(shape, (5, 7), strict=True))
    kernel = np.random.default_rng(1).uniform(-0.2, 1.0, (height, width)) + 0.2
    return kernel / kernel.sum()


def a_mask(shape: Shape) -> Tensor:
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(2)) < 0.6
    mask[0, 0] = True
    return mask


def blurred_crop(shape: Shape) -> LinearOperator:
    larger = (shape[0] + 5, shape[1] + 3)
    return Compose(Convolution(a_kernel(shape), shape, "reflect"), Crop(larger, (2, 3, 0, 3)))


OPERATORS: dict[str, Callable[[Shape], LinearOperator]] = {
    "identity": Identity,
    "mask": lambda shape: Mask(a_mask(shape)),
    "crop": lambda shape: Crop((shape[0] + 4, shape[1] + 4), 2),
    "uneven crop": lambda shape: Crop((shape[0] + 3, shape[1] + 1), (0, 3, 1, 0)),
    "mask after blur": lambda shape: Compose(
        Mask(a_mask(shape)), Convolution(a_kernel(shape), shape, "reflect")
    ),
    "blur after crop": blurred_crop,
    **{
        f"{name} convolution": lambda shape, name=name: Convolution(a_kernel(shape), shape, name)
        for name in BOUNDARIES
    },
    **{
        f"downsampling by {factor}, {name}": lambda shape, name=name, factor=factor: Downsample(
            factor, a_kernel(shape), shape, name
        )
        for name in BOUNDARIES
        for factor in (2, 3)
    },
}

TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-13}


def inner(a: Tensor, b: Tensor) -> float:
    return float((a.double() * b.double()).sum())


def assert_adjoint(operator: LinearOperator, channels: int, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, channels, *operator.input_shape, generator=generator, dtype=torch.float64).to(dtype)
    y = torch.randn(2, channels, *operator.output_shape, generator=generator, dtype=torch.float64).to(dtype)
    ax, ay = operator.forward(x), operator.adjoint(y)
    assert (ax.shape, ax.dtype) == (y.shape, dtype)
    assert (ay.shape, ay.dtype) == (x.shape, dtype)
    left, right = inner(ax, y), inner(x, ay)
    error = abs(left - right) / float(ax.double().norm() * y.double().norm())
    scale = left / right if right else float("inf")
    assert error <= TOLERANCE[dtype], f"error {error:.2e}; the adjoint is off by the scale {scale:.6g}"


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", OPERATORS)
def test_the_adjoint_is_exact(name: str, size: Shape) -> None:
    operator = OPERATORS[name](size)
    for dtype in TOLERANCE:
        assert_adjoint(operator, 3, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("spec", ["gaussian:25:3", "motion:15:30", "motion:9:0", "disk:6.5", "box:9"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_adjoint_is_exact_for_the_kernels_people_type(
    boundary: Boundary, spec: str, dtype: torch.dtype
) -> None:
    assert_adjoint(Convolution(parse_kernel(spec), (41, 60), boundary), 3, dtype)


def test_a_wrong_adjoint_is_caught_and_its_scale_named() -> None:
    class Doubled(Convolution):
        def adjoint(self, y: Tensor) -> Tensor:
            return 2.0 * super().adjoint(y)

    with pytest.raises(AssertionError, match=r"off by the scale 0\.5"):
        assert_adjoint(Doubled(ASYMMETRIC, (9, 9), "valid"), 1, torch.float64)


def with_numpy(picture: np.ndarray, kernel: np.ndarray, boundary: Boundary) -> np.ndarray:
    height, width = kernel.shape
    pads = ((height // 2, height // 2), (width // 2, width // 2))
    modes = {"replicate": "edge", "reflect": "reflect", "circular": "wrap"}
    padded = picture if boundary == "valid" else np.pad(picture, pads, mode=modes[boundary])
    return convolve2d(padded, kernel, mode="valid")


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("kernel", [ASYMMETRIC, ASYMMETRIC[:, 1:2], a_kernel((9, 9))], ids=np.shape)
@pytest.mark.parametrize("size", [(3, 3), (12, 9)], ids=str)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_convolution_is_true_convolution_with_each_boundary(
    boundary: Boundary, size: Shape, kernel: np.ndarray, dtype: torch.dtype
) -> None:
    kernel = kernel[: size[0] - 1 + size[0] % 2, : size[1] - 1 + size[1] % 2]
    picture = np.random.default_rng(0).random((2, 3, *size))
    result = Convolution(kernel, size, boundary).forward(torch.from_numpy(picture).to(dtype))
    expected = [[with_numpy(plane, kernel, boundary) for plane in channels] for channels in picture]
    np.testing.assert_allclose(result, expected, atol=1e-6 if dtype == torch.float32 else 1e-14)


def test_one_operator_serves_both_dtypes() -> None:
    blur = Convolution(ASYMMETRIC, (16, 16), "reflect")
    picture = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    single, double = blur.forward(picture), blur.forward(picture.double())
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    torch.testing.assert_close(single.double(), double, atol=1e-6, rtol=0)


def test_the_input_is_not_modified() -> None:
    picture = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    before = picture.clone()
    for make in OPERATORS.values():
        operator = make((12, 12))
        if operator.input_shape == (12, 12):
            operator.forward(picture)
        if operator.output_shape == (12, 12):
            operator.adjoint(picture)
    assert torch.equal(picture, before)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_blur_keeps_constant_pictures(boundary: Boundary) -> None:
    constant = torch.full((1, 3, 20, 24), 0.25, dtype=torch.float64)
    result = Convolution(parse_kernel("motion:9:20"), (20, 24), boundary).forward(constant)
    torch.testing.assert_close(result, torch.full_like(result, 0.25), atol=1e-14, rtol=0)


def test_downsampling_keeps_the_first_of_every_factor_pixels() -> None:
    picture = torch.arange(35.0, dtype=torch.float64).reshape(1, 1, 5, 7)
    result = Downsample(3, np.ones((1, 1)), (5, 7)).forward(picture)
    torch.testing.assert_close(result, picture[..., ::3, ::3], atol=1e-12, rtol=0)


def test_masks_may_come_from_numpy() -> None:
    result = Mask(np.array([[True, False]])).forward(torch.ones(1, 2, 1, 2))
    assert result.tolist() == [[[[1, 0]], [[1, 0]]]]


def dense(operator: LinearOperator) -> np.ndarray:
    """The matrix of the operator, one column per input pixel."""
    height, width = operator.input_shape
    basis = torch.eye(height * width, dtype=torch.float64).reshape(-1, 1, height, width)
    return operator.forward(basis).flatten(1).T.numpy()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (13, 12)], ids=str)
@pytest.mark.parametrize("name", OPERATORS)
def test_the_norm_is_the_largest_singular_value(name: str, size: Shape) -> None:
    operator = OPERATORS[name](size)
    assert operator.norm == pytest.approx(np.linalg.norm(dense(operator), 2), rel=1e-3)


@pytest.mark.parametrize("spec", ["box:7", "gaussian:9:2", "motion:11:45"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_norm_of_a_blur_is_the_largest_singular_value(boundary: Boundary, spec: str) -> None:
    blur = Convolution(parse_kernel(spec), (26, 23), boundary)
    assert blur.norm == pytest.approx(np.linalg.norm(dense(blur), 2), rel=1e-3)


@pytest.mark.parametrize("boundary", ["replicate", "reflect", "valid"])
def test_the_norm_found_on_a_smaller_picture_is_that_of_the_large_one(boundary: Boundary) -> None:
    blur = Convolution(parse_kernel("gaussian:7:3"), (270, 262), boundary)
    assert blur.norm == pytest.approx(largest_singular_value(blur, steps=300, tol=1e-12), rel=1e-3)


def valid_blur_of_a_crop(shape: Shape) -> LinearOperator:
    """Deblurring with unknown pixels beyond the frame."""
    larger = (shape[0] + 6, shape[1] + 6)
    return Compose(Convolution(a_kernel(shape), shape, "valid"), Crop(larger, 3))


def tori(shape: Shape) -> list[Shape]:
    """The torus of the picture, the next size of a fast transform, and a large torus."""
    fast = (next_fast_len(shape[0], real=True), next_fast_len(shape[1], real=True))
    return [shape, fast, (shape[0] + 9, 2 * shape[1])]


def with_power(power: Tensor | float, x: Tensor, torus: Shape) -> Tensor:
    """<x, P x> for each plane of x, with P = `power` on a torus."""
    transformed = torch.fft.rfft2(x, s=torus).abs().square() * power
    both = torch.full((torus[1] // 2 + 1,), 2.0, dtype=x.dtype)  # frequencies that stand for -omega too
    both[0] = 1
    if torus[1] % 2 == 0:
        both[-1] = 1
    return (transformed * both).sum((-2, -1)) / (torus[0] * torus[1])


def observed(operator: LinearOperator, x: Tensor) -> Tensor:
    """<x, A* A x> for each plane of x."""
    return operator.forward(x).square().sum((-2, -1))


def some_pictures(shape: Shape) -> Tensor:
    """Noise, and pictures that a kernel passes or preserves."""
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(4, 1, *shape, generator=generator, dtype=torch.float64)
    rows, columns = torch.arange(shape[0])[:, None], torch.arange(shape[1])[None]
    checkers, one = (-1.0) ** (rows + columns), torch.zeros(shape)
    one[shape[0] // 2, shape[1] // 2] = 1
    return torch.cat([noise, torch.stack([torch.ones(shape), checkers, one])[:, None].double()])


KNOWN = {
    "deblurring": valid_blur_of_a_crop,
    **{name: make for name, make in OPERATORS.items() if make((7, 7)).power((7, 7)) is not None},
}


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", KNOWN)
def test_the_power_is_at_least_that_of_the_operator(name: str, size: Shape) -> None:
    operator = KNOWN[name](size)
    x = some_pictures(operator.input_shape)
    seen = 0
    for torus in tori(operator.input_shape):
        power = operator.power(torus)
        if power is None:  # going round, it belongs to its own torus
            assert "circular" in name and torus != operator.input_shape
            continue
        seen += 1
        bound = with_power(power, x, torus)
        assert bool((observed(operator, x) <= bound + 1e-12 * bound.max()).all())
    assert seen


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", ["identity", "circular convolution"])
def test_the_power_is_exact_without_borders(name: str, size: Shape) -> None:
    operator = OPERATORS[name](size)
    x = some_pictures(size)
    power = operator.power(size)
    assert power is not None
    torch.testing.assert_close(with_power(power, x, size), observed(operator, x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("boundary", ["reflect", "replicate"])
def test_a_blur_that_repeats_the_border_has_no_power(boundary: Boundary) -> None:
    blur = Convolution(ASYMMETRIC, (8, 13), boundary)
    after = Downsample(2, ASYMMETRIC, (8, 13), boundary)
    masked, cropped = Compose(Mask(a_mask((8, 13))), blur), Compose(blur, Crop((10, 15), 1))
    for operator in (blur, after, masked, cropped):
        for torus in tori(operator.input_shape):
            assert operator.power(torus) is None


@pytest.mark.parametrize("torus", [(8, 15), (9, 13), (16, 26)])
def test_a_circular_blur_has_no_power_on_another_torus(torus: Shape) -> None:
    assert Convolution(ASYMMETRIC, (8, 13), "circular").power(torus) is None


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_kernel_larger_than_the_picture_is_refused(boundary: Boundary) -> None:
    with pytest.raises(UsageError, match=r"the kernel \(9 x 9\) is larger than the picture \(8 x 30\)"):
        Convolution(parse_kernel("box:9"), (8, 30), boundary)


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: Convolution(np.ones((2, 3)) / 6, (9, 9), "valid"), UsageError, "sides must be odd"),
        (lambda: Convolution(np.ones((1, 1)), (9, 9), "mirror"), UsageError, "unknown boundary 'mirror'"),
        (lambda: Downsample(0, np.ones((1, 1)), (9, 9)), UsageError, "factor must be at least 1"),
        (lambda: Crop((4, 4), 2), ValueError, "cannot crop"),
        (lambda: Crop((4, 4), (0, -1, 0, 0)), ValueError, "cannot crop"),
        (lambda: Compose(Identity((3, 4)), Identity((4, 3))), ValueError, "the outer takes"),
        (lambda: Identity((3, 4)).forward(torch.zeros(1, 1, 4, 3)), ValueError, "expects pictures of"),
        (lambda: Convolution(ASYMMETRIC, (9, 9)).adjoint(torch.zeros(1, 1, 9, 9)), ValueError, "expects"),
    ],
)
def test_wrong_shapes_are_refused(make: Callable[[], object], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        make()
