"""(R + G + B, R - B, R - 2 G + B), each of unit length: colours of which the noise is taken for independent

Those in which the priors see pictures, here without torch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def opponents(channels: int) -> NDArray[np.float64]:
    """(C, C), one a row, for one channel or three. Orthonormal."""
    rows = np.ones((1, 1)) if channels == 1 else np.array([[1.0, 1, 1], [1, 0, -1], [1, -2, 1]])
    result: NDArray[np.float64] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return result
