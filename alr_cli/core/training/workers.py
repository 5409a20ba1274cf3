"""g = 1/W sum_w g_w: data-parallel training by W processes, each with its own minibatches

Gradients are averaged explicitly, in one message per step. DistributedDataParallel hooks into the backward
pass and does not support the `autograd.grad` inside the loss that the gradient penalty of eq. 7 needs. The
averages have the same bits in every process, so that critics that start equal stay equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta

import torch
from torch import Tensor

from alr_cli.errors import DeviceError

_SILENCE = timedelta(minutes=10)  # for a process that hangs; one that dies is noticed at once
_FEW = 4  # up to this number of workers, exchanging all gradients takes half the time of gloo's sum


class Workers:
    """A group of processes; this one is `rank` of `size`. A single process is a group of one."""

    rank = 0
    size = 1

    def average(self, parameters: Iterable[Tensor]) -> None:
        """Replace the gradient of every parameter by its mean over the workers. Raises DeviceError."""

    def any(self, flag: bool) -> bool:
        """Whether the flag is true for any worker, for decisions that all take together. Raises
        DeviceError."""
        return flag

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """The CPU tensor of every worker, in the order of their ranks. Raises DeviceError."""
        return [tensor]

    def close(self) -> None:
        """Leave the group."""


class Group(Workers):
    """Workers that torchrun started: gloo between CPUs, nccl between the GPUs of one or several machines."""

    def __init__(self, device: torch.device) -> None:
        """Raises DeviceError if the others do not answer."""
        distributed = torch.distributed
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        try:
            distributed.init_process_group(backend, timeout=_SILENCE)
        except (RuntimeError, ValueError) as error:
            raise DeviceError(f"the other training processes do not answer ({_line(error)})") from error
        self.rank, self.size = distributed.get_rank(), distributed.get_world_size()
        self._device = device

    def average(self, parameters: Iterable[Tensor]) -> None:
        """See Workers."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        together = torch.cat([gradient.flatten() for gradient in gradients])
        if self.size <= _FEW:
            together = torch.stack(self.gather(together)).mean(0)
        else:
            self._all_reduce(together)
            together /= self.size
        parts = torch.split(together, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def any(self, flag: bool) -> bool:
        """See Workers."""
        count = torch.tensor(float(flag))
        self._all_reduce(count)
        return bool(count > 0)

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """See Workers."""
        parts = [torch.empty_like(tensor) for _ in range(self.size)]
        try:
            torch.distributed.all_gather(parts, tensor)
        except RuntimeError as error:
            raise _lost(error) from error
        return parts

    def close(self) -> None:
        """See Workers."""
        with suppress(RuntimeError):
            torch.distributed.destroy_process_group()

    def _all_reduce(self, tensor: Tensor) -> None:
        try:
            torch.distributed.all_reduce(tensor)
        except RuntimeError as error:
            raise _lost(error) from error


def _lost(error: RuntimeError) -> DeviceError:
    return DeviceError(
        f"another training process was lost ({_line(error)}); continue from the checkpoint with --resume"
    )


def _line(error: Exception) -> str:
    """The first line of an error, without the source location at its beginning."""
    return str(error).strip().split("\n")[0].split("] ")[-1][:120]
