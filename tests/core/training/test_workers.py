"""Processes that train together: equal critics, exact resuming, a lost worker."""

import sys
from pathlib import Path

import pytest
import torch

from alr_cli.core.training.workers import Workers
from tests.processes import started, torchrun

AVERAGING = """
import torch
from alr_cli.core.training.workers import Group
group = Group(torch.device("cpu"))
weight, bias = torch.nn.Parameter(torch.zeros(2, 3)), torch.nn.Parameter(torch.zeros(4))
weight.grad = torch.full((2, 3), float(group.rank))
bias.grad = torch.arange(4.0) * (1 + group.rank)
group.average([weight, bias])
assert torch.equal(weight.grad, torch.full((2, 3), 0.5)), weight.grad
assert torch.equal(bias.grad, 1.5 * torch.arange(4.0)), bias.grad
assert [int(part) for part in group.gather(torch.tensor([group.rank]))] == [0, 1]
assert group.any(group.rank == 1) and not group.any(False)
group.close()
"""


def test_a_single_process_needs_no_group() -> None:
    lone, parameter = Workers(), torch.nn.Parameter(torch.zeros(2))
    parameter.grad = torch.ones(2)
    lone.average([parameter])
    assert torch.equal(parameter.grad, torch.ones(2))
    assert lone.any(True)
    assert not lone.any(False)
    assert [part.tolist() for part in lone.gather(torch.tensor([3.0]))] == [[3.0]]
    lone.close()


@pytest.mark.skipif(sys.platform == "win32", reason="torchrun needs gloo over unix sockets")
def test_two_processes_average_gather_and_agree(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(AVERAGING)
    with started(torchrun(2, str(script))) as process:
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()
