"""Networks that a training starts from: those of weights that --init names, or random ones."""

from __future__ import annotations

import torch

from alr_cli.cli.train.asked import Asked
from alr_cli.cli.train.cropped import architecture_of, check_channels
from alr_cli.core.priors.global_critic import GlobalCritic
from alr_cli.core.priors.gradient_network import GradientNetwork
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


def first_networks(asked: Asked, width: int, denoiser_width: int) -> GradientNetwork:
    """The two networks of reg: both those that --init names, or the denoiser alone if it names a potential,
    or random ones. Raises UsageError or WeightsError."""
    init, explicit = asked.kind.init, asked.kind.explicit
    random = torch.Generator().manual_seed(asked.recipe.seed)
    gradient = UNet(architecture_of(asked, width), random)
    if init is None:
        return GradientNetwork(UNet(architecture_of(asked, denoiser_width), random), gradient, explicit)
    network = load_weights(init).prior.network
    if not isinstance(network, GradientNetwork):
        return GradientNetwork(unet_of(init, asked.channels), gradient, explicit)
    check_channels(init, network.gradient.architecture.channels, asked.channels)
    if network.explicit != explicit:
        how = "leave it out" if explicit else "give it, too"
        raise UsageError(f"--init {init} was trained with{'out' * explicit} --explicit: {how}")
    return network


def unet_of(name: str, channels: int) -> UNet:
    """The U-Net of the potential that --init names. Raises UsageError or WeightsError."""
    prior = load_weights(name).prior
    if prior.kind != PotentialPrior.kind or not isinstance(prior.network, UNet):
        raise UsageError(f"--init {name} is no potential: give color-wide, or one of your own")
    check_channels(name, prior.channels, channels)
    return prior.network
