"""The U-Net of the potential: its hand-written transposed Jacobian, and its receptive field."""

import pytest
import torch

from alr_cli.core.priors.unet import UNet, UNetArchitecture

SMALL = [
    UNetArchitecture(1, (8,), (1,)),
    UNetArchitecture(3, (8, 12), (1, 2)),
    UNetArchitecture(3, (8, 8, 16), (2, 0, 1)),
]


def network(architecture: UNetArchitecture) -> UNet:
    return UNet(architecture, torch.Generator().manual_seed(0)).double()


def pictures(architecture: UNetArchitecture) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures divided by sigma, with a noise map that is not constant."""
    generator = torch.Generator().manual_seed(1)
    z = 4 * torch.randn(2, architecture.channels, 16, 24, generator=generator, dtype=torch.float64)
    level = 0.5 + torch.rand(2, 1, 16, 24, generator=generator, dtype=torch.float64)
    return z, level


@pytest.mark.parametrize("architecture", SMALL)
def test_the_product_with_the_transposed_jacobian_is_that_of_autograd(
    architecture: UNetArchitecture,
) -> None:
    unet = network(architecture)
    z, level = pictures(architecture)
    z.requires_grad_(True)
    r, slopes = unet(z, level, torch.float64)
    vector = torch.randn_like(r)
    (expected,) = torch.autograd.grad(r, z, vector, retain_graph=True)
    assert expected.norm() > 1
    torch.testing.assert_close(
        unet.transposed(vector, slopes, torch.float64), expected, rtol=1e-10, atol=1e-10
    )


def test_the_product_can_be_differentiated_by_the_weights() -> None:
    unet = network(SMALL[1])
    r, slopes = unet(*pictures(SMALL[1]), torch.float64)
    unet.transposed(r, slopes, torch.float64).square().sum().backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.norm() > 0 for p in unet.parameters())


def test_a_pixel_beyond_the_reach_is_not_seen() -> None:
    unet = network(UNetArchitecture(1, (8, 8), (1, 1)))
    z = torch.zeros(1, 1, 128, 8, dtype=torch.float64)
    changed = z.clone()
    changed[..., 64, 4] = 5.0
    with torch.no_grad():
        seen = unet(changed, torch.ones_like(z), z.dtype)[0] - unet(z, torch.ones_like(z), z.dtype)[0]
    rows = seen.abs().amax(dim=(0, 1, 3)).nonzero().flatten()
    assert 0 < 64 - int(rows.min()) <= unet.architecture.reach
    assert 0 < int(rows.max()) - 64 <= unet.architecture.reach


@pytest.mark.parametrize("wrong", [{"channels": 2}, {"widths": (8, 8)}, {"blocks": (1, -1, 1)}])
def test_an_unusable_architecture_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"U-Net|match"):
        UNetArchitecture(**wrong)  # type: ignore[arg-type]


def test_an_architecture_survives_its_description() -> None:
    architecture = UNetArchitecture(1, (8, 16), (1, 2))
    assert UNetArchitecture(**architecture.as_dict()) == architecture
