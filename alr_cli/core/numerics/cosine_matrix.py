"""T(k, i) = s(k) cos(pi k (2 i + 1) / (2 n)): the orthonormal cosine transform of one axis as a matrix

It is meant for short axes, such as those of patches; `cosines.py` transforms whole pictures. It needs NumPy
alone, since importing scipy.fft takes a third as long as importing torch.
"""

import numpy as np
from numpy.typing import NDArray


def cosine_matrix(size: int) -> NDArray[np.float64]:
    """T, (size, size)."""
    k, i = np.arange(size)[:, None], np.arange(size)
    rows: NDArray[np.float64] = np.sqrt(2.0 / size) * np.cos(np.pi * k * (2 * i + 1) / (2 * size))
    rows[0] = np.sqrt(1.0 / size)
    return rows
