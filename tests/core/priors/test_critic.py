"""r_theta: receptive field, shapes, initialisation and description."""

import json
from typing import Any

import pytest
import torch

from alr_cli.core.priors.critic import Activation, Architecture, Critic
from tests.core.toys import a_critic, seeded

ACTIVATIONS: list[Activation] = ["relu", "leaky_relu", "silu", "softplus"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_one_score_sees_a_window_of_exactly_15_by_15(channels: int, activation: Activation) -> None:
    critic = a_critic(channels, width=8, activation=activation, dtype=torch.float64)
    x = torch.rand(1, channels, 31, 33, generator=seeded(3), dtype=torch.float64).requires_grad_(True)
    scores = critic(x)
    (gradient,) = torch.autograd.grad(scores[0, 0, 9, 6], x)
    seen = gradient[0].abs().sum(dim=0) > 0
    window = torch.zeros_like(seen)
    window[9 : 9 + 15, 6 : 6 + 15] = True
    assert torch.equal(seen, window)


@pytest.mark.parametrize(("depth", "patch"), [(2, 5), (6, 13), (7, 15), (10, 21)])
def test_the_patch_grows_by_two_pixels_a_layer(depth: int, patch: int) -> None:
    critic = a_critic(depth=depth)
    assert critic.patch == critic.architecture.patch == patch
    assert critic(torch.zeros(1, 1, patch, patch)).shape == (1, 1, 1, 1)


@pytest.mark.parametrize(("stride", "depth", "patch"), [(2, 2, 8), (2, 6, 24), (2, 7, 28), (3, 4, 23)])
def test_a_stride_widens_the_patch(stride: int, depth: int, patch: int) -> None:
    critic = a_critic(depth=depth, stride=stride, dtype=torch.float64)
    assert critic.patch == patch
    x = torch.rand(1, 1, patch + stride, patch + stride, generator=seeded(3), dtype=torch.float64)
    scores = critic(x.requires_grad_(True))
    assert scores.shape == (1, 1, 2, 2)
    (gradient,) = torch.autograd.grad(scores[0, 0, 1, 0], x)
    seen = gradient[0, 0] != 0
    assert bool(seen[stride:, :patch].all()) and int(seen.sum()) == patch**2


@pytest.mark.parametrize(("height", "width"), [(15, 15), (15, 40), (16, 15), (33, 20)])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_patch_gets_its_own_score(channels: int, height: int, width: int) -> None:
    critic = a_critic(channels)
    x = torch.rand(2, channels, height, width, generator=seeded())
    scores = critic(x)
    assert scores.shape == (2, 1, height - 14, width - 14)
    for row, column in {(0, 0), (height - 15, width - 15), ((height - 15) // 2, (width - 15) // 3)}:
        alone = critic(x[:, :, row : row + 15, column : column + 15])
        torch.testing.assert_close(alone[:, 0, 0, 0], scores[:, 0, row, column], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("width", [1, 8, 32, 64])
def test_the_number_of_parameters_is_that_of_seven_3x3_convolutions(width: int, channels: int) -> None:
    critic = Critic(Architecture(channels, width))
    expected = (9 * channels * width + width) + 5 * (9 * width * width + width) + (9 * width + 1)
    assert sum(value.numel() for value in critic.parameters()) == expected


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_start_keeps_magnitudes_from_layer_to_layer(activation: Activation) -> None:
    moments = torch.zeros(6)
    starts = 20
    for start in range(starts):
        critic = Critic(Architecture(3, width=48, activation=activation), seeded(start)).requires_grad_(False)
        x = torch.randn(2, 3, 17, 17, generator=seeded(100 + start))
        seen = []
        for layer in critic.layers:
            x = layer(x)
            if not isinstance(layer, torch.nn.Conv2d):
                seen.append(x.square().mean())
        moments += torch.stack(seen) / starts
    assert moments.min() > 0.8 and moments.max() < 1.25, moments


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_parameter_of_every_activation_gets_a_gradient(activation: Activation) -> None:
    critic = Critic(Architecture(1, width=8, activation=activation), seeded(1))
    x = torch.randn(8, 1, 15, 15, generator=seeded(2))
    critic(x).sum().backward()
    for name, value in critic.named_parameters():
        assert value.grad is not None and bool((value.grad != 0).any()), name


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_map_zero_to_zero_and_look_like_a_relu_far_away(activation: Activation) -> None:
    layer = Critic(Architecture(1, activation=activation)).layers[1]
    values = layer(torch.tensor([0.0, 10.0, -10.0]))
    torch.testing.assert_close(values, torch.tensor([0.0, 10.0, 0.0]), atol=0.15, rtol=0)
    assert values[0].abs() < 1e-7


def test_the_start_depends_on_the_generator_alone() -> None:
    torch.manual_seed(5)
    first = Critic(Architecture(1, 4), seeded(1)).state_dict()
    torch.manual_seed(6)
    again, other = Critic(Architecture(1, 4), seeded(1)), Critic(Architecture(1, 4), seeded(2))
    assert all(torch.equal(value, first[name]) for name, value in again.state_dict().items())
    assert not torch.equal(other.layers[0].weight, again.layers[0].weight)


def test_an_architecture_is_data() -> None:
    architecture = Architecture(1, 16, 5, "softplus")
    assert Architecture(**json.loads(json.dumps(architecture.as_dict()))) == architecture


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": 2},
        {"channels": 0},
        {"width": 0},
        {"width": 10**9},
        {"depth": 1},
        {"depth": 65},
        {"activation": "tanh"},
    ],
)
def test_an_unusable_architecture_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"critic|activation"):
        Architecture(**wrong)
