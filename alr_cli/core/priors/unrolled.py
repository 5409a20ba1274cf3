"""G(x), and mu_k and w_k for the steps x_{k+1} = x_k - mu_k (A* (A x_k - y) + w_k G(x_k)) of one task

The descent is in solvers/unrolled.py, its training in training/unrolled.py. A prior of this kind refuses
other tasks than its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from alr_cli.core.named_tasks import named_task, same_operator
from alr_cli.core.priors.blocks import HALO, Residual, automatic_tile
from alr_cli.core.priors.potential import Potential
from alr_cli.core.priors.protocol import Arithmetic, LambdaOfSigma
from alr_cli.core.priors.slope import Slope
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.core.problems import Problem
from alr_cli.core.solvers.unrolled import Pace

MOST_STEPS = 64


class UnrolledNetwork(nn.Module):
    """The U-Net of G, and the numbers of the steps.

    Attributes:
        gradient, explicit, scale: Those of `Slope`.
        log_sizes, log_weights: (K,), the logarithms of mu_k and w_k.
    """

    def __init__(self, slope: Slope, steps: int) -> None:
        super().__init__()
        self.gradient, self.explicit, self.scale = slope.unet, slope.explicit, slope.scale
        self.log_sizes, self.log_weights = (nn.Parameter(torch.zeros(steps)) for _ in range(2))

    @property
    def ends(self) -> list[nn.Parameter]:
        """See `training.learner.HasEnds`."""
        return self.gradient.ends

    @property
    def slope(self) -> Slope:
        """G."""
        return Slope(self.gradient, self.explicit, self.scale)

    def restored(self, problem: Problem, dtype: torch.dtype = torch.float32) -> Tensor:
        """The result of all steps for the frame of a problem, (B, C, H, W), differentiable."""
        x, operator, slope = problem.start, problem.operator, self.slope
        for size, weight in zip(self.log_sizes.exp(), self.log_weights.exp(), strict=True):
            misfit = operator.adjoint(operator.forward(x) - problem.y)
            x = x - size * (misfit + weight * slope(x, dtype))
        return problem.crop(x)


class UnrolledRegularizer:
    """G, and the steps it was trained for. `task` is a name as in task_names.py."""

    margin = 0

    def __init__(self, network: UnrolledNetwork, task: str, arithmetic: Arithmetic) -> None:
        self.channels = network.gradient.architecture.channels
        self.task = task
        self.pace: Pace = tuple(
            zip(network.log_sizes.exp().tolist(), network.log_weights.exp().tolist(), strict=True)
        )
        unet, scale = network.gradient, network.scale
        self._potential = Potential(unet, scale, 1.0, arithmetic) if network.explicit else None
        self._free = Residual(unet, scale, arithmetic)

    def value_and_grad(self, x: Tensor) -> tuple[None, Tensor]:
        """x: (B, C, H, W) -> (None, G(x))."""
        return None, self._free(x) if self._potential is None else self._potential.value_and_grad(x)[1]

    def suits(self, problem: Problem) -> bool:
        """See `solvers.unrolled.Unrolls`."""
        return same_operator(problem, self._usual)

    @cached_property
    def _usual(self) -> Problem:
        """The task for a small picture."""
        return named_task(self.task).problem(torch.zeros(1, self.channels, 32, 32), 0, 0.0)


class UnrolledPrior:
    """G and its steps for one task, as a prior that weights files can store. The level of the noise is that
    of the training, so that it does not depend on `sigma`."""

    kind = "unrolled"
    margin = 0
    reach = HALO

    def __init__(
        self, network: UnrolledNetwork, task: str, sigma_range: tuple[float, float], lam: LambdaOfSigma
    ) -> None:
        self.network, self.task = network, task
        self.sigma_range = sigma_range
        self._lam = lam

    @property
    def channels(self) -> int:
        return self.network.gradient.architecture.channels

    @property
    def description(self) -> dict[str, Any]:
        """The architecture, the task and the kind."""
        network = self.network
        return {
            "kind": self.kind,
            "channels": self.channels,
            "task": self.task,
            "steps": len(network.log_sizes),
            "explicit": network.explicit,
            "scale": network.scale,
            "gradient": network.gradient.architecture.as_dict(),
        }

    @classmethod
    def described(
        cls, architecture: Mapping[str, Any], sigma_range: tuple[float, float], lam: LambdaOfSigma
    ) -> UnrolledPrior:
        """The inverse of `description`; the numbers are loaded later. Raises TypeError or ValueError."""
        parts = dict(architecture)
        channels, task, steps, explicit, scale, gradient = (
            parts.pop(name) for name in ("channels", "task", "steps", "explicit", "scale", "gradient")
        )
        if parts or not isinstance(explicit, bool) or not isinstance(task, str):
            raise ValueError("this is no description of an unrolled descent")
        if not isinstance(steps, int) or not 1 <= steps <= MOST_STEPS or not float(scale) > 0:
            raise ValueError(f"{steps} steps of scale {scale} are not possible")
        named_task(task)
        with torch.device("meta"):
            network = UnrolledNetwork(
                Slope(UNet(UNetArchitecture(**gradient)), explicit, float(scale)), steps
            )
        prior = cls(network, task, sigma_range, lam)
        if prior.channels != channels:
            raise ValueError(f"the network sees {prior.channels} channels, not {channels}")
        return prior

    def to(self, device: torch.device) -> UnrolledPrior:
        """A copy on that device."""
        return UnrolledPrior(deepcopy(self.network).to(device), self.task, self.sigma_range, self._lam)

    def at(self, sigma: float, arithmetic: Arithmetic = Arithmetic()) -> UnrolledRegularizer:  # noqa: B008 - immutable
        """G, for every level."""
        return UnrolledRegularizer(self.network, self.task, arithmetic)

    def lam(self, sigma: float) -> float:
        return self._lam(sigma)

    def gain(self, problem: Problem) -> float:
        """1, because the weights of the steps are for the operator of the task."""
        return 1.0

    def tile(self, shape: tuple[int, ...], device: torch.device, precision: torch.dtype) -> int:
        """See `protocol.HasTiles`."""
        return automatic_tile(shape)
