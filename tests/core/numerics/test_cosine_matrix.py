"""The cosine transform as a matrix, compared with SciPy's."""

import numpy as np
import pytest
import scipy.fft

from alr_cli.core.numerics.cosine_matrix import cosine_matrix


@pytest.mark.parametrize("size", [1, 3, 8, 16])
def test_it_transforms_one_axis(size: int) -> None:
    expected = scipy.fft.dct(np.eye(size), axis=0, norm="ortho")
    np.testing.assert_allclose(cosine_matrix(size), expected, atol=1e-14)
