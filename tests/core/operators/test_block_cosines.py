"""The coefficients of JPEG as a linear operator."""

import pytest
import torch

from alr_cli.core.operators.block_cosines import BlockCosines, block_cosines, block_pixels

FACTORS = {
    "gray": [(1, 1)],
    "4:4:4": [(1, 1), (1, 1), (1, 1)],
    "4:2:2": [(1, 1), (1, 2), (1, 2)],
    "4:2:0": [(1, 1), (2, 2), (2, 2)],
}


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def an_operator(sharing: str, height: int = 16, width: int = 32) -> BlockCosines:
    factors = FACTORS[sharing]
    return BlockCosines(0.5 + random(len(factors), height, width).abs(), factors)


@pytest.mark.parametrize("sharing", FACTORS)
def test_the_adjoint_is_exact(sharing: str) -> None:
    operator = an_operator(sharing)
    x, y = random(2, *operator.input_shape), random(2, *operator.output_shape).flip(0)
    there, back = (operator.forward(x) * y).sum(), (x * operator.adjoint(y)).sum()
    assert float(there) == pytest.approx(float(back), rel=1e-12)


@pytest.mark.parametrize("sharing", FACTORS)
def test_the_norm_is_that_of_the_dense_matrix(sharing: str) -> None:
    operator = an_operator(sharing, 16, 16)
    size = len(FACTORS[sharing]) * 16 * 16
    matrix = operator.forward(torch.eye(size, dtype=torch.float64).reshape(-1, *operator.input_shape))
    assert operator.norm == pytest.approx(float(torch.linalg.matrix_norm(matrix.flatten(1), 2)), rel=1e-3)


def test_the_norm_of_a_large_picture_is_that_of_one_group_of_its_blocks() -> None:
    group = an_operator("4:2:0", 16, 16)
    weights = random(3, 16, 16).abs()
    large = BlockCosines(weights.repeat(1, 5, 7), FACTORS["4:2:0"])
    assert large.norm == pytest.approx(BlockCosines(weights, FACTORS["4:2:0"]).norm)
    assert group.norm > 0


def test_the_cosine_transform_is_orthonormal_and_its_first_number_the_mean() -> None:
    pixels = random(2, 16, 24)
    coefficients = block_cosines(pixels)
    torch.testing.assert_close(block_pixels(coefficients), pixels)
    assert float(coefficients.square().sum()) == pytest.approx(float(pixels.square().sum()))
    torch.testing.assert_close(coefficients[:, 8, 16], 8 * pixels[:, 8:, 16:].mean((-2, -1)))


def test_sides_that_are_no_whole_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="do not consist of whole blocks"):
        BlockCosines(torch.ones(3, 8, 16), FACTORS["4:2:0"])
