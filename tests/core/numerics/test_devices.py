"""The choice of device and precision."""

import pytest
import torch

from alr_cli.core.numerics import devices
from alr_cli.errors import DeviceError, UsageError

CPU = torch.device("cpu")


@pytest.fixture
def no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_the_cpu_is_always_there() -> None:
    assert devices.choose("cpu") == CPU


def test_auto_falls_back_to_the_cpu(no_accelerator: None) -> None:
    assert devices.choose("auto") == CPU


def test_a_named_device_that_is_missing_is_not_replaced() -> None:
    for name in ("cuda:99", "mps:7", "xpu", "meta", "gpu", "", "cuda:x", "cpu!"):
        with pytest.raises(DeviceError, match="not available"):
            devices.choose(name)


@pytest.mark.parametrize(
    ("native", "name", "expected"),
    [
        (True, "auto", torch.bfloat16),
        (False, "auto", torch.float32),
        (True, "float32", torch.float32),
        (False, "bfloat16", torch.bfloat16),
    ],
)
def test_precision_is_as_requested_and_auto_is_native(
    monkeypatch: pytest.MonkeyPatch, native: bool, name: str, expected: torch.dtype
) -> None:
    monkeypatch.setattr(devices, "has_fast_bfloat16", lambda device: native)
    assert devices.choose_precision(name, CPU) == expected


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(UsageError, match="float16"):
        devices.choose_precision("float16", CPU)


def test_precisions_have_names() -> None:
    assert devices.precision_name(torch.bfloat16) == "bfloat16"
    assert devices.precision_name(torch.float32) == "float32"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
            True,
        ),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (RuntimeError("shape mismatch"), False),
        (ValueError("out of memory"), False),
        (OSError("out of memory"), False),
    ],
)
def test_exhausted_memory_is_recognised(error: Exception, expected: bool) -> None:
    assert devices.is_out_of_memory(error) == expected


def test_what_torch_raises_for_too_large_an_array_is_recognised() -> None:
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert devices.is_out_of_memory(caught.value)


def test_denormals_are_flushed_only_meanwhile() -> None:
    torch.set_flush_denormal(False)  # whatever another test left
    tiny = torch.tensor(1e-40)
    assert float(tiny * 1.0) > 0
    with devices.flushed_denormals():
        assert float(tiny * 1.0) == 0
    assert float(tiny * 1.0) > 0
