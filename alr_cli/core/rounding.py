"""max(t, 0) ~ t sigmoid(k t): a ReLU critic with rounded corners, for what needs second derivatives"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from alr_cli.core.critic import Critic


def smoothed(critic: Critic, sharpness: float = 60.0) -> Critic:
    """t sigmoid(sharpness t) in place of max(t, 0). Too soft a corner costs decibels; see docs/critics.md.

    The factor moves into the weights, so that what comes out is a plain SiLU critic: its activations are
    `sharpness` times as large and its last layer undoes it. Other activations are smooth already, and stay.
    """
    if critic.architecture.activation != "relu":
        return critic
    result = Critic(replace(critic.architecture, activation="silu"))
    result.load_state_dict(critic.state_dict())
    convolutions = [layer for layer in result.layers if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        convolutions[0].weight.mul_(sharpness)
        convolutions[-1].weight.div_(sharpness)
        for convolution in convolutions[:-1]:
            if convolution.bias is not None:
                convolution.bias.mul_(sharpness)
    return result
