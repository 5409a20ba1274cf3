"""min_theta -E log2 p_theta((k + u) / 256) / D + 8: bits per dimension, u uniform on [0, 1)

Maximum likelihood of dequantised pictures (Theis, van den Oord and Bethge 2016). The mean over u is an upper
bound of the code length of k, so that a density gains nothing from peaks at the 256 values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alr_cli.core.priors.flow import FlowPrior
from alr_cli.core.priors.glow import Glow, GlowArchitecture
from alr_cli.core.priors.local import unfitted
from alr_cli.core.training.stepwise import (
    Progress,
    Stepwise,
    adam_state,
    prefixed,
    restore_adam,
    stored,
)

_INITIAL = 512  # number of pictures for the data-dependent initialisation
_LONGEST_GRADIENT = 5.0  # norm of the gradient in bits per dimension; usually it is below 1


@dataclass(frozen=True)
class LikelihoodRecipe:
    """How a flow is trained.

    Attributes:
        iterations: Number of steps.
        batch_size: Pictures per step.
        lr: Step size of Adam after `warmup` steps; it decreases to 0 along a cosine.
        warmup: Number of steps of the initial increase.
        mirror: Mirror half of the pictures.
        ema: Decay of the moving average, which is the result.
        bfloat16: Run the networks g in bfloat16.
        seed: Random seed.
    """

    iterations: int = 8000
    batch_size: int = 32
    lr: float = 1e-3
    warmup: int = 200
    mirror: bool = True
    ema: float = 0.998
    bfloat16: bool = False
    seed: int = 0

    def lr_at(self, step: int) -> float:
        """The step size after `step` steps."""
        rise = min(1.0, (step + 1) / max(1, self.warmup))
        return self.lr * rise * 0.5 * (1 + math.cos(math.pi * step / max(1, self.iterations)))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class LikelihoodTrainer(Stepwise[LikelihoodRecipe]):
    """Maximum likelihood training with its state.

    Args:
        architecture: Size of the flow.
        recipe: How it is trained.
        pictures: (n, C, size, size) uint8.
        device: Where to compute.
        sigmas: The noise levels that the prior will be used for.
    """

    def __init__(
        self,
        architecture: GlowArchitecture,
        recipe: LikelihoodRecipe,
        pictures: Tensor,
        device: str | torch.device = "cpu",
        sigmas: tuple[float, float] = (0.01, 0.2),
    ) -> None:
        if pictures.dtype != torch.uint8:
            raise ValueError("bits per dimension are defined for eight-bit pictures: give uint8")
        super().__init__(recipe, device)
        self.pictures = pictures
        self.sigmas = sigmas
        flow = Glow(architecture, self.generator)
        flow.initialise(self._draw(_INITIAL))
        self.flow = flow.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.flow.run_shifts_in_bfloat16(recipe.bfloat16)
        self.average = {name: value.detach().clone() for name, value in self.flow.state_dict().items()}
        self.optimiser = torch.optim.Adam(self.flow.parameters(), lr=recipe.lr, betas=(0.9, 0.99))

    def step(self) -> Progress:
        """One minibatch. If numbers are not finite afterwards, the state must not be stored."""
        lr = self.recipe.lr_at(self.step_count)
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        x = self._draw(self.recipe.batch_size).to(self.device)
        bits = self.flow.bits_per_dimension(x).mean()
        self.optimiser.zero_grad(set_to_none=True)
        bits.backward()
        length = torch.nn.utils.clip_grad_norm_(self.flow.parameters(), _LONGEST_GRADIENT)
        self.optimiser.step()
        self.step_count += 1
        self._update_average()
        measures = {"bits_per_dimension": float(bits.detach()), "gradient_norm": float(length)}
        return Progress(self.step_count, lr, measures)

    def trained(self) -> FlowPrior:
        """A copy of the prior as it would be shipped now, without lambda: the moving average."""
        flow = Glow(self.flow.architecture)
        flow.load_state_dict(self.average)
        return FlowPrior(flow.to(self.device).eval(), self.sigmas, unfitted)

    def state(self) -> dict[str, Tensor]:
        """Everything that `restore_state` needs, as named tensors on the CPU."""
        state = {f"flow.{k}": v for k, v in self.flow.state_dict().items()}
        state |= {f"average.{k}": v for k, v in self.average.items()}
        state |= adam_state(self.optimiser)
        state["generator"] = self.generator.get_state()
        state["step"] = torch.tensor(self.step_count)
        return stored(state)

    def restore_state(self, state: dict[str, Tensor]) -> None:
        """Continue exactly where `state` was taken.

        Raises KeyError, ValueError or RuntimeError if it does not fit. The trainer cannot be used after that.
        """
        self.flow.load_state_dict(prefixed(state, "flow."))
        average = prefixed(state, "average.")
        if average.keys() != self.average.keys():
            raise ValueError("the moving averages are not those of this flow")
        for name, value in average.items():
            self.average[name].copy_(value)
        restore_adam(self.optimiser, state)
        self.generator.set_state(state["generator"].byte())
        self.step_count = int(state["step"])

    def _draw(self, count: int) -> Tensor:
        """(count, C, size, size): (k + u - 1/2) / 255, on [0,1] except for half a level at both ends."""
        chosen = torch.randint(len(self.pictures), (count,), generator=self.generator)
        x = self.pictures[chosen].float()
        if self.recipe.mirror:
            turned = torch.rand(count, generator=self.generator) < 0.5
            x = torch.where(turned[:, None, None, None], x.flip(-1), x)
        return dequantised(x, self.generator)

    def _update_average(self) -> None:
        decay = min(self.recipe.ema, (1 + self.step_count) / (10 + self.step_count))
        with torch.no_grad():
            for name, value in self.flow.state_dict().items():
                self.average[name].lerp_(value, 1 - decay)


def dequantised(k: Tensor, generator: torch.Generator) -> Tensor:
    """(k + u - 1/2) / 255 with u uniform on [0, 1)."""
    return (k + torch.rand(k.shape, generator=generator) - 0.5) / 255


@torch.no_grad()
def bits_per_dimension(flow: Glow, pictures: Tensor, seed: int = 0, batch_size: int = 100) -> float:
    """The mean over pictures (n, C, size, size) uint8, in float32, with one draw of u for each."""
    generator = torch.Generator().manual_seed(seed)
    bits: Sequence[Tensor] = [
        flow.bits_per_dimension(dequantised(part.float(), generator))
        for part in torch.split(pictures, batch_size)
    ]
    return float(torch.cat(list(bits)).mean())


def at_size(picture: NDArray[np.generic], size: int) -> NDArray[np.uint8]:
    """(H, W, C), uint8 or float on [0,1] -> (C, size, size) uint8: means of equal blocks of the central
    square.

    Raises ValueError for a picture whose shorter side is less than `size`.
    """
    block = min(picture.shape[:2]) // size
    if block < 1:
        raise ValueError(f"it is smaller than {size} x {size}")
    side = block * size
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    square = picture[top : top + side, left : left + side].astype(np.float32)
    means = square.reshape(size, block, size, block, -1).mean(axis=(1, 3))
    levels = means if picture.dtype == np.uint8 else 255 * means
    return np.asarray(np.rint(levels.clip(0, 255)).transpose(2, 0, 1), np.uint8)
