"""The potential: its gradient is the gradient of its value, and its energy scales as the noise does."""

import pytest
import torch

from alr_cli.core.priors.potential import Potential, PotentialArchitecture

SMALL = [
    PotentialArchitecture(1, (8,), (1,)),
    PotentialArchitecture(3, (8, 12), (1, 2)),
    PotentialArchitecture(3, (8, 8, 16), (2, 0, 1)),
]


def potential(architecture: PotentialArchitecture) -> Potential:
    return Potential(architecture, torch.Generator().manual_seed(0)).double()


def pictures(architecture: PotentialArchitecture) -> tuple[torch.Tensor, torch.Tensor]:
    """Divided by sigma, with a noise map that is not the same everywhere."""
    generator = torch.Generator().manual_seed(1)
    z = 4 * torch.randn(2, architecture.channels, 16, 24, generator=generator, dtype=torch.float64)
    level = 0.5 + torch.rand(2, 1, 16, 24, generator=generator, dtype=torch.float64)
    return z, level


@pytest.mark.parametrize("architecture", SMALL)
def test_the_gradient_by_hand_is_that_of_autograd(architecture: PotentialArchitecture) -> None:
    model = potential(architecture)
    z, level = pictures(architecture)
    z.requires_grad_(True)
    value, gradient = model.value_and_grad(z, level, torch.float64)
    (expected,) = torch.autograd.grad(value.sum(), z)
    assert expected.norm() > 1
    torch.testing.assert_close(gradient, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("architecture", SMALL)
def test_the_gradient_is_the_slope_of_the_value(architecture: PotentialArchitecture) -> None:
    model = potential(architecture)
    z, level = pictures(architecture)
    direction = torch.randn_like(z)
    step = 1e-5
    with torch.no_grad():
        _, gradient = model.value_and_grad(z, level, torch.float64)
        ahead, _ = model.value_and_grad(z + step * direction, level, torch.float64)
        behind, _ = model.value_and_grad(z - step * direction, level, torch.float64)
    slope = (gradient * direction).flatten(1).sum(1)
    torch.testing.assert_close((ahead - behind) / (2 * step), slope, rtol=1e-5, atol=1e-6)


def test_the_gradient_can_be_differentiated_by_the_weights() -> None:
    model = potential(SMALL[1])
    z, level = pictures(SMALL[1])
    model.value_and_grad(z, level, torch.float64)[1].square().sum().backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.norm() > 0 for p in model.parameters())


def test_what_lies_beyond_the_field_of_a_pixel_does_not_reach_it() -> None:
    architecture = PotentialArchitecture(1, (8, 8), (1, 1))
    model = potential(architecture)
    z = torch.zeros(1, 1, 256, 8, dtype=torch.float64)
    level = torch.ones_like(z)
    changed = z.clone()
    changed[..., 128, 4] = 5.0
    with torch.no_grad():
        difference = (model.value_and_grad(changed, level)[1] - model.value_and_grad(z, level)[1]).abs()
    rows = difference.amax(dim=(0, 1, 3)).nonzero().flatten()
    assert 0 < 128 - int(rows.min()) <= architecture.reach
    assert 0 < int(rows.max()) - 128 <= architecture.reach


@pytest.mark.parametrize("wrong", [{"channels": 2}, {"widths": (8, 8)}, {"blocks": (1, -1, 1)}])
def test_an_unusable_architecture_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"potential|match"):
        PotentialArchitecture(**wrong)  # type: ignore[arg-type]


def test_an_architecture_survives_its_description() -> None:
    architecture = PotentialArchitecture(1, (8, 16), (1, 2))
    described = architecture.as_dict()
    assert described.pop("kind") == "potential"
    assert PotentialArchitecture(**described) == architecture
