"""Names of tasks: what they mean, what is refused, and which problems have the same operator."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from alr_cli.core.named_tasks import named_task, same_operator
from alr_cli.core.operators.downsample import box
from alr_cli.core.operators.kernels import parse_kernel
from alr_cli.core.problems import Problem
from alr_cli.core.tasks import Deblurring, Denoising, Inpainting, PartlySeen, Task, Upscaling
from alr_cli.errors import UsageError


def problem(task: Task, rows: int = 24, columns: int = 40) -> Problem:
    return task.problem(torch.zeros(1, 3, rows, columns), 0, 0.0)


def blur(kernel: str) -> Deblurring:
    return Deblurring(parse_kernel(kernel))


def test_a_name_is_a_task() -> None:
    three, blurred = named_task("upscale:3"), named_task("deblur:gaussian:7:1.2")
    assert isinstance(three, Upscaling) and three.scale == 3
    assert isinstance(blurred, Deblurring)
    assert np.array_equal(blurred.kernel, parse_kernel("gaussian:7:1.2"))


@pytest.mark.parametrize("name", ["", "upscale", "upscale:5", "upscale:2:3", "deblur:", "denoise:0.1"])
def test_what_is_no_name_is_refused_with_the_grammar(name: str) -> None:
    with pytest.raises(UsageError, match="write upscale:2"):
        named_task(name)


def test_a_kernel_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown kernel"):
        named_task("deblur:gauss:7:1")


HOLES = np.zeros((24, 40), bool)
HOLES[::3] = True


@pytest.mark.parametrize(
    ("name", "task", "same"),
    [
        ("upscale:2", Upscaling(2), True),
        ("upscale:2", Upscaling(3), False),
        ("upscale:2", Upscaling(2, box), False),
        ("upscale:2", PartlySeen(Upscaling(2), HOLES), True),
        ("upscale:2", blur("gaussian:7:1.2"), False),
        ("upscale:2", Denoising(), False),
        ("deblur:gaussian:11:1.6", blur("gaussian:11:1.6"), True),
        ("deblur:gaussian:11:1.6", blur("gaussian:25:1.6"), True),
        ("deblur:gaussian:11:1.6", blur("gaussian:11:1.8"), False),
        ("deblur:gaussian:11:1.6", blur("motion:9:20"), False),
        ("deblur:gaussian:11:1.6", Deblurring(parse_kernel("gaussian:11:1.6"), "circular"), True),
        ("deblur:gaussian:11:1.6", Inpainting(HOLES), False),
        ("deblur:gaussian:11:1.6", Upscaling(2), False),
    ],
)
def test_problems_of_any_size_have_the_operator_of_a_name_or_not(name: str, task: Task, same: bool) -> None:
    assert same_operator(problem(task), problem(named_task(name), 32, 32)) is same


def test_noise_that_is_not_white_is_another_problem() -> None:
    usual = problem(named_task("upscale:2"))
    rounded = replace(usual, half_step=0.5)
    assert not same_operator(rounded, usual)
