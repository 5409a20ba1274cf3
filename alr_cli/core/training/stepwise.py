"""theta_0, theta_1, ..., theta_K: a training that can be stopped after any step and continued exactly

The state of a training is a table of named tensors. It contains everything on which the next steps depend:
what is learned, the moments of the optimisers, the random generator and the number of steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from alr_cli.core.training.calibration import LambdaCurve
from alr_cli.core.training.workers import Workers


class Plan(Protocol):
    """What every recipe says.

    Attributes:
        iterations: K.
        seed: Random seed.
    """

    @property
    def iterations(self) -> int: ...
    @property
    def seed(self) -> int: ...


R = TypeVar("R", bound=Plan)


@dataclass(frozen=True)
class Progress:
    """What one step measured, by name. For `Trainer`: objective, wasserstein, gradient_norm (see
    criteria.py)."""

    step: int
    lr: float
    measures: dict[str, float]


class Stepwise(Generic[R]):
    """What all trainings have in common.

    Attributes:
        recipe: How it is trained.
        device: Where it is trained.
        workers: The processes that train together.
        generator: The source of all random numbers.
        step_count: Number of steps that are done.
    """

    def __init__(
        self,
        recipe: R,
        device: str | torch.device = "cpu",
        workers: Workers | None = None,
        draws_on: str | torch.device = "cpu",
    ) -> None:
        """`draws_on` is the device of the generator."""
        self.recipe = recipe
        self.device = torch.device(device)
        self.workers = workers or Workers()
        self.generator = torch.Generator(draws_on).manual_seed(recipe.seed)
        self.step_count = 0

    @property
    def iterations(self) -> int:
        return self.recipe.iterations

    @property
    def done(self) -> bool:
        return self.step_count >= self.iterations

    @property
    def curve(self) -> LambdaCurve | None:
        """lambda(sigma) as learned so far; None if it is fixed, or fitted after the training."""
        return None


def adam_state(optimiser: torch.optim.Adam) -> dict[str, Tensor]:
    """The moments and counts of Adam as named tensors."""
    return {
        f"adam.{index}.{name}": torch.as_tensor(value)
        for index, moments in optimiser.state_dict()["state"].items()
        for name, value in moments.items()
    }


def restore_adam(optimiser: torch.optim.Adam, state: Mapping[str, Tensor]) -> None:
    """The inverse of `adam_state`. Raises KeyError, ValueError or RuntimeError if it does not fit."""
    parameters = dict(enumerate(p for group in optimiser.param_groups for p in group["params"]))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in prefixed(state, "adam.").items():
        index, key = name.split(".")
        # In the memory layout of its parameter, because another order of the same sums would round
        # differently.
        like = parameters[int(index)].detach() if value.dim() else value
        moments.setdefault(int(index), {})[key] = torch.empty_like(like).copy_(same_shape(value, like))
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": moments, "param_groups": groups})


def same_shape(value: Tensor, like: Tensor) -> Tensor:
    if value.shape != like.shape:
        raise ValueError(f"{tuple(value.shape)} where {tuple(like.shape)} belongs")
    return value


def prefixed(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def stored(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU, which later steps do not change."""
    return {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}
