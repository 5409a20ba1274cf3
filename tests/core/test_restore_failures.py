"""Failures of a restoration: devices, non-finite numbers and memory."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from alr_cli.core.priors import local
from alr_cli.core.priors.local import LocalRegularizer
from alr_cli.core.restore import Restorer
from alr_cli.errors import DeviceError, NonFiniteError, UsageError
from tests.core.energies import Method
from tests.core.restoring import FEW, SETTINGS, TASKS, noisy, restorer, scene, weights
from tests.core.toys import a_critic, smoothness_critic


def test_a_missing_device_is_an_error_and_auto_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceError, match="cuda:99"):
        restorer(settings=replace(SETTINGS, device="cuda:99"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert restorer(settings=replace(SETTINGS, device="auto")).device.type == "cpu"


@pytest.mark.parametrize("change", [{"solver": "newton"}, {"precision": "float16"}])
def test_settings_that_do_not_exist_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="unknown"):
        restorer(settings=replace(SETTINGS, **change))  # type: ignore[arg-type]


METHODS: list[Method] = ["adam", "gd", "nmapg"]  # fourier has a file of its own


@pytest.mark.parametrize("solver", METHODS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_numbers_are_an_error(value: float, solver: Method) -> None:
    broken = smoothness_critic()
    broken.layers[0].weight.data.fill_(value)
    with pytest.raises(NonFiniteError, match="not finite"):
        Restorer(weights(broken), replace(SETTINGS, solver=solver)).denoise(scene(16, 16), 0.1)


ERRORS: list[Exception] = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory"),
]


def with_memory_for(pixels: int, error: Exception, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Larger blocks raise `error`. Returns the list of tiles that are tried."""
    tried: list[int] = []
    sum_and_grad = LocalRegularizer._sum_and_grad

    def limited(self: LocalRegularizer, cell: Tensor, wide: int, valued: bool) -> tuple[Tensor, Tensor]:
        if not tried or tried[-1] != self.tile:
            tried.append(self.tile)
        if cell.shape[-2] * min(cell.shape[-1], wide) > pixels:
            raise error
        return sum_and_grad(self, cell, wide, valued)

    monkeypatch.setattr(LocalRegularizer, "_sum_and_grad", limited)
    return tried


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("error", ERRORS, ids=["Python", "CUDA", "CPU"])
def test_when_memory_runs_out_the_tiles_are_halved(
    error: Exception, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    y = noisy(scene(130, 110), 0.1)
    expected = TASKS[name](restorer(settings=FEW), y)
    tried = with_memory_for(60 * 60, error, monkeypatch)
    found = TASKS[name](restorer(settings=FEW), y)
    assert tried[0] == 0 and len(tried) == 3 and tried[1] // 2 == tried[2] == found.tile
    np.testing.assert_allclose(found.pixels, expected.pixels, rtol=0, atol=1e-5)


@pytest.mark.parametrize("tile", [None, 0, 100])
@pytest.mark.parametrize("error", ERRORS, ids=["Python", "CUDA", "CPU"])
def test_when_even_small_tiles_do_not_fit_it_is_one_sentence(
    error: Exception, tile: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = with_memory_for(20 * 20, error, monkeypatch)
    with pytest.raises(DeviceError, match="not enough memory on cpu for 110 x 130 pixels"):
        restorer(settings=replace(FEW, tile=tile)).denoise(noisy(scene(130, 110), 0.1), 0.1)
    assert min(side for side in tried if side) >= 32


def test_memory_that_runs_out_before_the_descent_is_the_same_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def too_much(self: Restorer, pixels: np.ndarray) -> Tensor:
        return torch.empty(2**60)

    monkeypatch.setattr(Restorer, "_batch", too_much)
    for task in TASKS.values():
        with pytest.raises(DeviceError, match="not enough memory"):
            task(restorer(), scene(16, 16))


def test_other_errors_are_not_taken_for_exhausted_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = with_memory_for(0, RuntimeError("shape mismatch"), monkeypatch)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        restorer(settings=FEW).denoise(scene(80, 80), 0.1)
    assert tried == [0]


def test_a_large_picture_is_tiled_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_CACHED_BYTES", 300_000)
    y = noisy(scene(120, 100), 0.1)
    wide = a_critic(width=16, activation="relu")
    found = Restorer(weights(wide), FEW).denoise(y, 0.1)
    assert found.tile == 64
    monkeypatch.undo()
    expected = Restorer(weights(wide), FEW).denoise(y, 0.1)
    assert expected.tile == 0
    np.testing.assert_allclose(found.pixels, expected.pixels, rtol=0, atol=1e-5)
