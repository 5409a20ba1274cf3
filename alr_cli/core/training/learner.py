"""theta_{k+1} = theta_k - eta Muon(m_k): one U-Net that is being trained, with its optimisers and average

Matrices of weights are updated by Muon (Jordan et al. 2024), an orthogonalised momentum step; the first and
the last layer by Adam. The result is the moving average of the weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from alr_cli.core.priors.unet import UNet
from alr_cli.core.training.adversarial import prefixed, same_shape


class Learner:
    """A U-Net, the moments of its optimisers, and the moving average of its weights.

    Attributes:
        unet: The current network.
        average: Its moving average.
    """

    def __init__(self, start: UNet, lr: float, lr_ends: float, ema: float, device: torch.device) -> None:
        """Args:
        start: The initial network, which is not changed.
        lr, lr_ends: Step size of Muon, and of Adam for the first and last layer.
        ema: Decay of the moving average.
        device: Where it is trained.
        """
        self.unet = _copy(start, start.state_dict()).to(device)
        self.average = {name: value.detach().clone() for name, value in self.unet.state_dict().items()}
        self.lr, self.lr_ends, self.ema = lr, lr_ends, ema
        ends = [self.unet.head, self.unet.tail]
        self._inner = [p for p in self.unet.parameters() if all(p is not end for end in ends)]
        # they share the memory
        self._matrices = [torch.nn.Parameter(p.detach().flatten(1)) for p in self._inner]
        self.muon = torch.optim.Muon(self._matrices, lr=lr, weight_decay=0.0)
        self.adam = torch.optim.Adam(ends, lr=lr_ends, betas=(0.9, 0.99))

    def update(self, factor: float, step: int) -> None:
        """Use the gradients of step number `step` (from 0) with `factor` times the step sizes, and clear
        them."""
        for matrix, weight in zip(self._matrices, self._inner, strict=True):
            matrix.grad = weight.grad.flatten(1) if weight.grad is not None else None
        for optimiser, lr in ((self.muon, self.lr), (self.adam, self.lr_ends)):
            for group in optimiser.param_groups:
                group["lr"] = factor * lr
            optimiser.step()  # type: ignore[no-untyped-call]
        self.unet.zero_grad(set_to_none=True)
        # At first the average follows quickly, so that it does not remember a random start.
        decay = min(self.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in self.unet.state_dict().items():
                self.average[name].lerp_(value, 1 - decay)

    def trained(self) -> UNet:
        """A copy of the network as it would be shipped now: the moving average."""
        return _copy(self.unet, self.average).to(self.unet.head.device).eval()

    def state(self) -> dict[str, Tensor]:
        """Everything that `restore_state` needs, as named tensors on the CPU."""
        state = {f"learned.{k}": v for k, v in self.unet.state_dict().items()}
        state |= {f"average.{k}": v for k, v in self.average.items()}
        for name, optimiser in (("muon", self.muon), ("adam", self.adam)):
            for index, moments in optimiser.state_dict()["state"].items():
                state |= {f"{name}.{index}.{key}": torch.as_tensor(value) for key, value in moments.items()}
        return {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}

    def restore_state(self, state: Mapping[str, Tensor]) -> None:
        """Continue exactly where `state` was taken.

        Raises KeyError, ValueError or RuntimeError if it does not fit. It cannot be used after that.
        """
        with torch.no_grad():
            for name, value in self.unet.state_dict().items():
                value.copy_(same_shape(state[f"learned.{name}"], value))
                self.average[name].copy_(same_shape(state[f"average.{name}"], value))
        for prefix, optimiser in (("muon.", self.muon), ("adam.", self.adam)):
            moments: dict[int, dict[str, Tensor]] = {}
            for name, value in prefixed(dict(state), prefix).items():
                index, key = name.split(".")
                moments.setdefault(int(index), {})[key] = value.clone()
            optimiser.load_state_dict(
                {"state": moments, "param_groups": optimiser.state_dict()["param_groups"]}
            )


def _copy(unet: UNet, numbers: Mapping[str, Tensor]) -> UNet:
    copy = UNet(unet.architecture)
    copy.load_state_dict(dict(numbers))
    return copy
