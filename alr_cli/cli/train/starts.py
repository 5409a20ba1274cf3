"""Networks that a training starts from: those of weights that --init names, or random ones."""

from __future__ import annotations

import torch

from alr_cli.cli.train.asked import Asked
from alr_cli.cli.train.cropped import architecture_of, check_channels
from alr_cli.core.priors.global_critic import GlobalCritic
from alr_cli.core.priors.potential import PotentialPrior
from alr_cli.core.priors.unet import UNet
from alr_cli.errors import UsageError
from alr_cli.files.weights import load_weights


def first_unet(asked: Asked, width: int) -> UNet:
    """The U-Net of the potential that --init names, or else a random one of the width that was asked for, or
    of the usual one. Raises UsageError or WeightsError."""
    init, random = asked.kind.init, torch.Generator().manual_seed(asked.recipe.seed)
    if init is None:
        return UNet(architecture_of(asked, width), random)
    found = unet_of(init, asked.channels)
    if asked.critic.width is not None and found.architecture != architecture_of(asked, width):
        raise UsageError(f"--init {init} has another width: leave --width out")
    return found


def first_critic(asked: Asked) -> GlobalCritic | None:
    """The critic of whole pictures that --init names. Raises UsageError or WeightsError."""
    init = asked.kind.init
    if init is None:
        return None
    prior = load_weights(init).prior
    if not isinstance(prior.network, GlobalCritic):
        raise UsageError(f"--init {init} is no critic of whole pictures: give ct-global, or one of your own")
    check_channels(init, prior.channels, asked.channels)
    return prior.network


def unet_of(name: str, channels: int) -> UNet:
    """The U-Net of the potential that --init names. Raises UsageError or WeightsError."""
    prior = load_weights(name).prior
    if prior.kind != PotentialPrior.kind or not isinstance(prior.network, UNet):
        raise UsageError(f"--init {name} is no potential: give color-wide, or one of your own")
    check_channels(name, prior.channels, channels)
    return prior.network
