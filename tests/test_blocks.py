"""A huge array block by block: lazy, with one noise level, and nearly equal to the whole."""

from pathlib import Path

import numpy as np
import pytest

import alr_cli as alr
from alr_cli.core.settings import Settings
from alr_cli.errors import UsageError
from tests.conftest import scene

da = pytest.importorskip("dask.array")

QUICK = Settings(max_iter=2, precision="float32")


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_blocks_give_the_same_result_except_at_their_borders(channels: int | None, gray_critic: Path) -> None:
    pixels = scene(96, 128, channels=channels or 1)
    pixels = pixels[..., 0] if channels is None else pixels
    whole = alr.denoise(pixels, 0.1, weights=str(gray_critic), settings=QUICK).pixels
    chunks = (48, 64) if channels is None else (48, 64, 1)
    lazy = alr.blockwise(da.from_array(pixels, chunks), 0.1, weights=str(gray_critic), settings=QUICK)
    assert lazy.shape == pixels.shape and lazy.dtype == np.float32
    assert lazy.chunks[:2] == ((48, 48), (64, 64))
    blocks = lazy.compute(scheduler="synchronous")
    change = np.abs(whole - pixels).mean()
    assert np.abs(blocks - whole).mean() < 0.05 * change
    without = alr.blockwise(
        da.from_array(pixels, chunks), 0.1, weights=str(gray_critic), settings=QUICK, overlap=0
    ).compute(scheduler="synchronous")
    assert np.abs(without - whole).mean() > np.abs(blocks - whole).mean()


def test_nothing_is_computed_before_it_is_needed(gray_critic: Path) -> None:
    def fail(block: np.ndarray) -> np.ndarray:
        raise AssertionError("computed")

    source = da.zeros((64, 64), chunks=32).map_blocks(fail, dtype=np.float64, meta=np.empty((0, 0)))
    lazy = alr.blockwise(source, weights=str(gray_critic))
    with pytest.raises(AssertionError, match="computed"):
        lazy.compute(scheduler="synchronous")


def test_all_blocks_have_one_level(gray_critic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from alr_cli import blocks as module

    levels: list[float] = []
    pixels = np.concatenate([scene(64, 64, 1, sigma=0.05), scene(64, 128, 1, sigma=0.1)], axis=1)[..., 0]
    take = module._denoised
    monkeypatch.setattr(
        module, "_denoised", lambda block, sigma, **rest: levels.append(sigma) or take(block, sigma, **rest)
    )
    array = da.from_array(pixels, (64, 64))
    module.blockwise(array, weights=str(gray_critic), settings=QUICK).compute(scheduler="synchronous")
    assert len(levels) == 3 and len(set(levels)) == 1
    assert levels[0] == pytest.approx(0.1, rel=0.2)


@pytest.mark.parametrize(
    ("shape", "dtype", "said"),
    [
        ((4,), "f4", "H, W"),
        ((4, 4, 2), "f4", "H, W"),
        ((3, 4, 4, 3), "f4", "H, W"),
        ((4, 4), "u2", "white"),
    ],
)
def test_arrays_of_another_kind_are_refused(shape: tuple[int, ...], dtype: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        alr.blockwise(da.zeros(shape, dtype=dtype), 0.1)


@pytest.mark.slow
def test_a_cluster_of_two_workers_gives_the_same(gray_critic: Path) -> None:
    distributed = pytest.importorskip("distributed")
    pixels = scene(96, 128, channels=1)[..., 0]
    lazy = alr.blockwise(da.from_array(pixels, (48, 64)), weights=str(gray_critic), settings=QUICK)
    alone = lazy.compute(scheduler="synchronous")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as two,
        distributed.Client(two) as client,
    ):
        assert len(client.scheduler_info()["workers"]) == 2
        assert np.array_equal(client.compute(lazy).result(timeout=120), alone)
