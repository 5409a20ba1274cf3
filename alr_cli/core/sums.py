"""sum over C, H, W in double precision: the same for any number of threads to the last float32 bit"""

import torch
from torch import Tensor


def total(values: Tensor) -> Tensor:
    """(B, C, H, W) -> (B,) in the precision of `values`.

    A float32 sum depends on how it is split among threads; an energy that does would steer a line search
    differently on other machines.
    """
    wide = values.dtype if values.device.type == "mps" else torch.float64  # mps has no doubles
    return values.sum(dim=(1, 2, 3), dtype=wide).to(values.dtype)
