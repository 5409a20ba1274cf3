"""How and where the arithmetic runs: device, precision and threads"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from alr_cli.errors import DeviceError, UsageError


def choose(name: str) -> torch.device:
    """The device for auto, cpu, cuda, cuda:N or mps.

    Only `auto` falls back to another device. Raises DeviceError if a named device is missing.
    """
    if name == "auto" and torch.cuda.is_available() and "LOCAL_RANK" in os.environ:
        # one for each process of torchrun
        name = f"cuda:{int(os.environ['LOCAL_RANK']) % torch.cuda.device_count()}"
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda", "mps"):
            raise RuntimeError("not a device that this program knows")
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise DeviceError(f"the device {name!r} is not available; use --device auto or cpu") from error
    return device


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """The type of the convolutions on `device` for auto, float32 or bfloat16. Raises UsageError."""
    if name not in ("auto", "float32", "bfloat16"):
        raise UsageError(f"unknown precision {name!r}: choose auto, float32 or bfloat16")
    if name == "float32" or (name == "auto" and not has_fast_bfloat16(device)):
        return torch.float32
    return torch.bfloat16


def precision_name(precision: torch.dtype) -> str:
    return str(precision).removeprefix("torch.")


def set_threads(count: int | None) -> None:
    """Set the number of CPU threads of this process; None means one per core.

    If this is called before any arithmetic, all threads also treat denormal numbers as 0 (see
    `flushed_denormals`), because threads inherit that setting from the one that starts them.
    """
    torch.set_flush_denormal(True)
    if count is not None:
        torch.set_num_threads(count)


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Treat denormal numbers (below 1e-38) as 0 in this thread and in threads that it starts meanwhile.

    The tails of SiLU are full of them, and the processor is ten times slower with them than with other
    numbers.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 natively; an emulation is slower than float32.

    If torch is told to use only a part of the processor (ATEN_CPU_CAPABILITY), only that part counts.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":  # torch has no public function for this yet
        native = torch.cpu._is_avx512_bf16_supported()
        return native and torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return False


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python or torch means that memory ran out. On the CPU torch has no class for it."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    words = ("can't allocate memory", "not enough memory", "out of memory")
    return isinstance(error, RuntimeError) and any(text in str(error) for text in words)
