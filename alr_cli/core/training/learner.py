"""theta_{k+1} = theta_k - eta Muon(m_k): one network that is being trained, with its optimisers and average

Matrices of weights are updated by Muon (Jordan et al. 2024), an orthogonalised momentum step; the first and
the last layer, and single numbers, by Adam.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Generic, Protocol, TypeVar, cast

import torch
from torch import Tensor, nn

from alr_cli.core.training.stepwise import Plan, Stepwise, prefixed, same_shape, stored


class HasEnds(Protocol):
    """A network with a first and a last layer."""

    @property
    def ends(self) -> Sequence[nn.Parameter]: ...


class Paced(Plan, Protocol):
    """A recipe whose step size increases linearly during the first `warm_up` steps and falls linearly to
    zero during the last `fall`."""

    @property
    def warm_up(self) -> int: ...
    @property
    def fall(self) -> int: ...


N = TypeVar("N", bound=nn.Module)
R = TypeVar("R", bound=Plan)


class Learner(Generic[N]):
    """A network, the moments of its optimisers, and the moving average of its weights.

    Attributes:
        network: The current network.
        average: The moving average of its weights.
    """

    def __init__(
        self,
        start: N,
        lr: float,
        lr_ends: float,
        ema: float,
        device: torch.device,
        lr_numbers: float = 0.0,
    ) -> None:
        """Args:
        start: The initial network, which is not changed. It has the members of `HasEnds`.
        lr, lr_ends: Step size of Muon, and of Adam for the first and last layer.
        ema: Decay of the moving average.
        device: Where it is trained.
        lr_numbers: Step size of Adam for parameters that are no layers.
        """
        self.network = deepcopy(start).to(device).requires_grad_(True)
        self.average = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.ema = ema
        ends = list(cast(HasEnds, self.network).ends)
        others = [p for p in self.network.parameters() if all(p is not end for end in ends)]
        numbers = [p for p in others if p.dim() < 2]
        self._inner = [p for p in others if p.dim() >= 2]
        # they share the memory
        self._matrices = [nn.Parameter(p.detach().flatten(1)) for p in self._inner]
        self.muon = torch.optim.Muon(self._matrices, lr=lr, weight_decay=0.0)
        groups = [{"params": ends, "lr": lr_ends}, {"params": numbers, "lr": lr_numbers}]
        self.adam = torch.optim.Adam([group for group in groups if group["params"]], betas=(0.9, 0.99))
        self._sizes = [(o, [group["lr"] for group in o.param_groups]) for o in (self.muon, self.adam)]

    def update(self, factor: float, step: int) -> None:
        """Use the gradients of step number `step` (from 0) with `factor` times the step sizes, and clear
        them."""
        for matrix, weight in zip(self._matrices, self._inner, strict=True):
            matrix.grad = weight.grad.flatten(1) if weight.grad is not None else None
        for optimiser, sizes in self._sizes:
            for group, lr in zip(optimiser.param_groups, sizes, strict=True):
                group["lr"] = factor * lr
            optimiser.step()  # type: ignore[no-untyped-call]
        self.network.zero_grad(set_to_none=True)
        # At first the average follows quickly, so that it does not remember a random start.
        decay = min(self.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                self.average[name].lerp_(value, 1 - decay)

    def trained(self) -> N:
        """A copy of the network as it would be shipped now: the moving average."""
        copy = deepcopy(self.network)
        copy.load_state_dict(self.average)
        return copy.eval()

    def state(self) -> dict[str, Tensor]:
        """Everything that `restore_state` needs, as named tensors on the CPU."""
        state = {f"learned.{k}": v for k, v in self.network.state_dict().items()}
        state |= {f"average.{k}": v for k, v in self.average.items()}
        for name, optimiser in (("muon", self.muon), ("adam", self.adam)):
            for index, moments in optimiser.state_dict()["state"].items():
                state |= {f"{name}.{index}.{key}": torch.as_tensor(value) for key, value in moments.items()}
        return stored(state)

    def restore_state(self, state: Mapping[str, Tensor]) -> None:
        """Continue exactly where `state` was taken.

        Raises KeyError, ValueError or RuntimeError if it does not fit. It cannot be used after that.
        """
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                value.copy_(same_shape(state[f"learned.{name}"], value))
                self.average[name].copy_(same_shape(state[f"average.{name}"], value))
        for prefix, optimiser in (("muon.", self.muon), ("adam.", self.adam)):
            moments: dict[int, dict[str, Tensor]] = {}
            for name, value in prefixed(state, prefix).items():
                index, key = name.split(".")
                moments.setdefault(int(index), {})[key] = value.clone()
            optimiser.load_state_dict(
                {"state": moments, "param_groups": optimiser.state_dict()["param_groups"]}
            )


def pace(recipe: Paced, step: int) -> float:
    """The factor of all step sizes at step 0 ... iterations - 1."""
    return min(1.0, (step + 1) / max(1, recipe.warm_up), (recipe.iterations - step) / max(1, recipe.fall))


class LearnerTraining(Stepwise[R]):
    """A training whose state is that of some learners.

    Attributes:
        learners: The learners; the keys are the beginnings of their names in the state.
    """

    learners: Mapping[str, Learner[Any]]

    def state(self) -> dict[str, Tensor]:
        """Everything that `restore_state` needs, as named tensors on the CPU."""
        state = {"generator": self.generator.get_state(), "step": torch.tensor(self.step_count)}
        for prefix, learner in self.learners.items():
            state |= {f"{prefix}{name}": value for name, value in learner.state().items()}
        return stored(state)

    def restore_state(self, state: Mapping[str, Tensor]) -> None:
        """Continue exactly where `state` was taken.

        Raises KeyError, ValueError or RuntimeError if it does not fit. The trainer cannot be used after that.
        """
        for prefix, learner in self.learners.items():
            learner.restore_state(prefixed(state, prefix))
        self.generator.set_state(state["generator"].byte())
        self.step_count = int(state["step"])
