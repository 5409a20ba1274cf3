"""The cosine transform of pictures, compared with SciPy's."""

import numpy as np
import pytest
import scipy.fft
import torch

from alr_cli.core.numerics.cosines import cosine_transform, inverse_cosine_transform
from tests.core.toys import seeded


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 6), (7, 7), (16, 9)])
def test_it_is_the_orthonormal_cosine_transform(shape: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *shape, generator=seeded(), dtype=torch.float64)
    expected = scipy.fft.dctn(x.numpy(), axes=(-2, -1), norm="ortho")
    np.testing.assert_allclose(cosine_transform(x).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1), (4, 1), (5, 6), (8, 8)])
def test_the_inverse_is_the_adjoint(shape: tuple[int, int]) -> None:
    x, y = torch.randn(2, *shape, generator=seeded(), dtype=torch.float64)
    torch.testing.assert_close(inverse_cosine_transform(cosine_transform(x)), x)
    torch.testing.assert_close((cosine_transform(x) * y).sum(), (x * inverse_cosine_transform(y)).sum())


def test_it_keeps_single_precision() -> None:
    x = torch.randn(32, 40, generator=seeded())
    back = inverse_cosine_transform(cosine_transform(x))
    assert back.dtype == torch.float32
    torch.testing.assert_close(back, x, atol=1e-5, rtol=0)
