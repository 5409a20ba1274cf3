"""Denoise one huge array block by block, with Dask's map_overlap and one noise level for all blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alr_cli.api import denoise
from alr_cli.core.settings import Settings
from alr_cli.errors import UsageError

if TYPE_CHECKING:
    import dask.array as da

OVERLAP = 32
"""Pixels around each block that are restored with it and discarded; see docs/guides/shell.md."""
SAMPLED = 16
"""Number of blocks from which the noise level of the whole array is estimated."""


def blockwise(
    pixels: da.Array,
    sigma: float | None = None,
    *,
    weights: str | None = None,
    settings: Settings = Settings(),  # noqa: B008 - immutable
    overlap: int = OVERLAP,
) -> da.Array:
    """Remove white noise from a Dask array that does not fit into memory. Nothing is computed yet.

        x = alr.blockwise(dask.array.from_zarr("noisy.zarr"))
        x.to_zarr("clean.zarr")

    Args:
        pixels: (H, W), or (H, W, C) with one channel or three; real numbers on [0,1].
        sigma: Standard deviation of the noise on [0,1]. None estimates it once, as the median over some
            blocks, when the result is computed.
        weights: As in `api.denoise`.
        settings: As in `api.denoise`.
        overlap: Pixels around each block that are restored with it and discarded.

    Returns:
        The restored array, float32 in the chunks of the input.

    Raises:
        UsageError: The array has another shape or type, or Dask is not installed.
    """
    try:
        import dask.array as da
    except ImportError as error:
        raise UsageError("blockwise needs Dask: pip install 'alr-cli[dask]'") from error
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3)):
        raise UsageError(f"blockwise takes an array (H, W), (H, W, 1) or (H, W, 3), not {pixels.shape}")
    if pixels.dtype.kind != "f":
        raise UsageError(
            f"blockwise takes real numbers on [0,1], not {pixels.dtype}: divide by the white level"
        )
    if overlap < 0:
        raise UsageError(f"an overlap cannot be {overlap} pixels: give 0 or more")
    if pixels.ndim == 3:
        pixels = pixels.rechunk({2: -1})
    restored: da.Array = da.map_overlap(
        _denoised,
        pixels,
        depth={0: overlap, 1: overlap},
        boundary="none",
        dtype=np.float32,
        meta=np.empty((0,) * pixels.ndim, np.float32),
        sigma=_level(pixels) if sigma is None else sigma,
        weights=weights,
        settings=settings,
    )
    return restored


def _denoised(
    block: NDArray[Any], sigma: float, weights: str | None, settings: Settings
) -> NDArray[np.float32]:
    pixels: NDArray[np.float32] = denoise(np.asarray(block), sigma, weights=weights, settings=settings).pixels
    return pixels.astype(np.float32, copy=False)


def _level(pixels: da.Array) -> Any:
    """The noise level of the whole array as a delayed value, estimated from blocks spread over the array."""
    from dask import delayed

    blocks = pixels.to_delayed().ravel()
    chosen = blocks[np.linspace(0, len(blocks) - 1, min(SAMPLED, len(blocks))).astype(int)]
    return delayed(_median)([delayed(_estimate)(block) for block in chosen])


def _estimate(block: NDArray[Any]) -> float:
    from alr_cli.core.noise.white import estimate_sigma

    array = np.asarray(block, np.float32)
    return float(estimate_sigma(array if array.ndim == 3 else array[..., None]))


def _median(levels: list[float]) -> float:
    known = [level for level in levels if np.isfinite(level)]
    if not known:
        raise UsageError("the noise cannot be estimated from blocks of so few pixels: give sigma")
    return float(np.median(known))
