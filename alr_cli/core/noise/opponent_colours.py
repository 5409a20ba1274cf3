"""(R + G + B, R - B, R - 2 G + B), each of unit length: colours in which noise is assumed to be independent

They are those in which the priors see pictures, computed here without torch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def opponent_matrix(channels: int) -> NDArray[np.float64]:
    """The colours as the rows of an orthonormal matrix (C, C), for one channel or three."""
    rows = np.ones((1, 1)) if channels == 1 else np.array([[1.0, 1, 1], [1, 0, -1], [1, -2, 1]])
    result: NDArray[np.float64] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return result
