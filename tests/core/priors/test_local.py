"""R(x), eq. 3: value, gradient and tiles."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from alr_cli.core.energy import Periodic
from alr_cli.core.priors.critic import Activation, Architecture, Critic
from alr_cli.core.priors.experts import Experts, ExpertsArchitecture
from alr_cli.core.priors.glimpses import Turning
from alr_cli.core.priors.local import LocalNetwork, LocalRegularizer
from alr_cli.core.priors.protocol import Regularizer
from tests.core.toys import a_critic, deep, mean_critic, seeded, smoothness_critic, some_experts


class OfEachPicture(torch.autograd.Function):
    """R with the gradient of LocalRegularizer, for gradcheck."""

    @staticmethod
    def forward(ctx: object, x: Tensor, regularizer: Regularizer) -> Tensor:
        value, gradient = regularizer.value_and_grad(x)
        ctx.save_for_backward(gradient)  # type: ignore[attr-defined]
        return value

    @staticmethod
    def backward(ctx: object, weight: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (gradient,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return weight.reshape(-1, 1, 1, 1) * gradient, None


def noise(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 7) -> Tensor:
    return torch.rand(*shape, generator=seeded(seed), dtype=dtype)


@pytest.mark.parametrize("tile", [0, 2])
@pytest.mark.parametrize("activation", ["silu", "softplus"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_gradient_is_that_of_the_value(channels: int, activation: Activation, tile: int) -> None:
    critic = a_critic(channels, width=3, depth=2, activation=activation, dtype=torch.float64)
    x = noise(2, channels, 7, 8, dtype=torch.float64).requires_grad_(True)
    assert torch.autograd.gradcheck(OfEachPicture.apply, (x, LocalRegularizer(critic, tile)), atol=1e-7)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_gradient_is_that_of_the_value_for_the_whole_critic(channels: int) -> None:
    critic = a_critic(channels, dtype=torch.float64)
    x = noise(2, channels, 19, 17, dtype=torch.float64).requires_grad_(True)
    regularizer = LocalRegularizer(critic)
    assert torch.autograd.gradcheck(OfEachPicture.apply, (x, regularizer), fast_mode=True, atol=1e-8)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_value_is_the_sum_over_all_patches(channels: int) -> None:
    critic = a_critic(channels, activation="relu", dtype=torch.float64)
    x = noise(2, channels, 18, 20, dtype=torch.float64)
    patches = x.unfold(2, 15, 1).unfold(3, 15, 1).permute(0, 2, 3, 1, 4, 5)  # (B, 4, 6, C, 15, 15)
    expected = critic(patches.reshape(-1, channels, 15, 15)).reshape(2, 4 * 6).sum(dim=1)
    value, _ = LocalRegularizer(critic).value_and_grad(x)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("stride", [2, 3])
def test_with_a_stride_it_is_still_the_sum_over_all_patches(stride: int) -> None:
    critic = a_critic(1, depth=3, stride=stride, dtype=torch.float64)
    p = critic.patch
    x = noise(2, 1, p + 5, p + 2, dtype=torch.float64).requires_grad_(True)
    patches = x.unfold(2, p, 1).unfold(3, p, 1).permute(0, 2, 3, 1, 4, 5)
    expected = critic(patches.reshape(-1, 1, p, p)).reshape(2, -1).sum(dim=1)
    (slope,) = torch.autograd.grad(expected.sum(), x)
    for tile in (0, 4):
        value, gradient = LocalRegularizer(critic, tile).value_and_grad(x.detach())
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
        torch.testing.assert_close(gradient, slope, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(("height", "width"), [(20, 21), (23, 22)])
def test_the_map_of_scores_has_no_gaps_with_a_stride(height: int, width: int) -> None:
    critic = a_critic(1, depth=3, stride=2)
    p = critic.patch
    x = noise(1, 1, height, width)
    for tile in (0, 6):
        scores = LocalRegularizer(critic, tile).scores(x)
        assert scores.shape == (1, height - p + 1, width - p + 1)
        for row, column in ((0, 0), (1, 2), (height - p, width - p)):
            alone = critic(x[:, :, row : row + p, column : column + p])
            torch.testing.assert_close(alone[0, 0, 0, 0], scores[0, row, column], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("tile", [1, 7, 16, 33, 1000])
@pytest.mark.parametrize(
    ("batch", "channels", "height", "width"),
    [(1, 1, 15, 15), (1, 3, 16, 40), (3, 1, 31, 22), (2, 3, 47, 30)],
)
def test_tiles_never_change_the_result(batch: int, channels: int, height: int, width: int, tile: int) -> None:
    critic = a_critic(channels, width=6, activation="relu")
    x = noise(batch, channels, height, width)
    value, gradient = LocalRegularizer(critic).value_and_grad(x)
    tiled_value, tiled_gradient = LocalRegularizer(critic, tile).value_and_grad(x)
    for picture in range(batch):
        assert (tiled_value - value)[picture].abs() <= 2e-6 * value[picture].abs()
        assert (tiled_gradient - gradient)[picture].norm() <= 2e-6 * gradient[picture].norm()


@pytest.mark.parametrize("tile", [16, 64, 100, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_tiles_do_not_change_experts_in_bfloat16(channels: int, tile: int) -> None:
    critic = Experts(ExpertsArchitecture(channels, fine=12, coarse=6))
    x = noise(2, channels, 170, 203)
    whole = LocalRegularizer(critic, precision=torch.bfloat16)
    tiled = LocalRegularizer(critic, tile, torch.bfloat16)
    _, rounded = LocalRegularizer(critic).on_grid(x, 1, 0)
    value, gradient = whole.on_grid(x, 1, 0)
    tiled_value, tiled_gradient = tiled.on_grid(x, 1, 0)
    assert (gradient - rounded).norm() > 1e-4 * gradient.norm()
    assert (tiled_gradient - gradient).norm() <= 2e-6 * gradient.norm()  # 0 on the processors seen so far
    torch.testing.assert_close(tiled_value, value, rtol=1e-5, atol=0)


def test_each_picture_of_a_batch_is_scored_alone() -> None:
    regularizer = LocalRegularizer(a_critic(3))
    x = noise(3, 3, 20, 24)
    value, gradient = regularizer.value_and_grad(x)
    for picture in range(3):
        alone, alone_gradient = regularizer.value_and_grad(x[picture : picture + 1])
        torch.testing.assert_close(value[picture], alone[0], rtol=1e-5, atol=1e-7)
        torch.testing.assert_close(gradient[picture], alone_gradient[0], rtol=1e-4, atol=6e-7)


@pytest.mark.parametrize("channels", [1, 3])
def test_every_pixel_far_from_the_border_lies_in_all_225_patches(channels: int) -> None:
    x = 0.1 + noise(1, channels, 40, 45, dtype=torch.float64)  # positive: the critic is linear there
    _, gradient = LocalRegularizer(mean_critic(channels)).value_and_grad(x)
    inside = gradient[..., 14:-14, 14:-14]
    torch.testing.assert_close(inside, torch.full_like(inside, 1 / channels), rtol=1e-12, atol=0)
    assert gradient[..., 0, :].max() < gradient[..., 20, 20].min() / 10


def test_bfloat16_gives_the_same_gradient_to_its_precision() -> None:
    critic = a_critic(3, width=16, activation="relu")
    x = noise(1, 3, 40, 40)
    value, gradient = LocalRegularizer(critic).value_and_grad(x)
    low_value, low_gradient = LocalRegularizer(critic, precision=torch.bfloat16).value_and_grad(x)
    assert low_value.dtype == low_gradient.dtype == torch.float32
    assert not torch.equal(low_gradient, gradient)
    assert (low_gradient - gradient).norm() < 0.1 * gradient.norm()
    assert (low_value - value).abs() < 0.02 * value.abs()


def test_the_score_map_has_the_value_as_its_sum() -> None:
    regularizer = LocalRegularizer(a_critic(3))
    x = noise(2, 3, 20, 30)
    scores = regularizer.scores(x)
    assert scores.shape == (2, 6, 16) and not scores.requires_grad
    torch.testing.assert_close(scores.sum(dim=(1, 2)), regularizer.value_and_grad(x)[0])
    tiled = LocalRegularizer(regularizer.network, tile=5).scores(x)
    torch.testing.assert_close(tiled, scores, rtol=1e-5, atol=1e-6)


def test_a_hand_made_critic_is_a_total_variation() -> None:
    x = noise(2, 3, 20, 22)
    middle = x[..., 7:-7, 7:-7]
    steps = (x[..., 7:-7, 8:-6] - middle).abs() + (x[..., 8:-6, 7:-7] - middle).abs()
    scores = LocalRegularizer(smoothness_critic(3)).scores(x)
    torch.testing.assert_close(scores, steps.sum(dim=1))


def test_the_input_is_not_changed() -> None:
    x = noise(1, 1, 20, 20).requires_grad_(True)
    before = x.detach().clone()
    value, gradient = LocalRegularizer(a_critic()).value_and_grad(x)
    assert torch.equal(x, before) and x.grad is None
    assert not value.requires_grad and not gradient.requires_grad


# --- of a picture that goes on at its opposite side ---

CRITICS: dict[str, Callable[[int], LocalNetwork]] = {
    "deep": lambda channels: a_critic(channels, depth=3, dtype=torch.float64),
    "deep of stride 2": lambda channels: a_critic(channels, depth=3, dtype=torch.float64, stride=2),
    "experts of stride 2": lambda channels: some_experts(channels, coarser=0),
    "experts of stride 4": lambda channels: some_experts(channels, coarser=3),
}


def in_float64(critic: LocalNetwork) -> LocalRegularizer:
    """A regularizer in double precision.

    A deep critic computes in the precision of its weights unless bfloat16 is requested.
    """
    precision = torch.float64 if isinstance(critic, Experts) else torch.float32
    return LocalRegularizer(critic, precision=precision)


def wrapped(x: Tensor, patch: int) -> Tensor:
    """x extended periodically, as often as necessary, so that every pixel has a patch."""
    rounds = 2 + patch // min(x.shape[-2:])
    height, width = (size + patch - 1 for size in x.shape[-2:])
    return x.repeat(1, 1, rounds, rounds)[..., :height, :width]


@pytest.mark.parametrize("name", CRITICS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(12, 8), (30, 33), (1, 5)])
def test_the_periodic_value_is_the_sum_over_patches_at_all_pixels(
    height: int, width: int, channels: int, name: str
) -> None:
    critic = CRITICS[name](channels)
    p = critic.patch
    x = noise(2, channels, height, width, dtype=torch.float64)
    patches = wrapped(x, p).unfold(2, p, 1).unfold(3, p, 1).permute(0, 2, 3, 1, 4, 5)
    assert patches.shape[:3] == (2, height, width)
    expected = critic(patches.reshape(-1, channels, p, p)).reshape(2, -1).sum(dim=1)
    value, _ = Periodic(in_float64(critic)).value_and_grad(x)
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=0)


@pytest.mark.parametrize("name", CRITICS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(8, 5), (4, 33), (1, 2)])
def test_the_periodic_gradient_is_that_of_the_value(
    height: int, width: int, channels: int, name: str
) -> None:
    regularizer = Periodic(in_float64(CRITICS[name](channels)))
    x = noise(2, channels, height, width, dtype=torch.float64).requires_grad_(True)
    assert torch.autograd.gradcheck(OfEachPicture.apply, (x, regularizer), fast_mode=True, atol=1e-8)


@pytest.mark.parametrize("name", CRITICS)
@pytest.mark.parametrize(("down", "right"), [(1, 0), (3, 7), (4, 8), (-2, 5)])
def test_a_periodic_value_does_not_depend_on_the_origin(down: int, right: int, name: str) -> None:
    regularizer = Periodic(in_float64(CRITICS[name](1)))
    x = noise(2, 1, 10, 13, dtype=torch.float64)
    value, gradient = regularizer.value_and_grad(x)
    moved_value, moved_gradient = regularizer.value_and_grad(x.roll((down, right), (-2, -1)))
    torch.testing.assert_close(moved_value, value, rtol=1e-10, atol=0)
    torch.testing.assert_close(
        moved_gradient.roll((-down, -right), (-2, -1)), gradient, rtol=1e-8, atol=1e-12
    )


@pytest.mark.parametrize("name", CRITICS)
@pytest.mark.parametrize("evaluations", [0, 1, 6])
@pytest.mark.parametrize("shift", [(1, 0), (2, 1)])
def test_on_one_grid_the_value_is_invariant_to_shifts_by_the_stride(
    shift: tuple[int, int], evaluations: int, name: str
) -> None:
    """For sides that are multiples of the stride, so that the grid is periodic as well."""
    critic = CRITICS[name](1)
    x = noise(2, 1, 8, 12, dtype=torch.float64)
    down, right = (critic.stride * steps for steps in shift)
    value, moved = (
        Periodic(Turning(in_float64(critic), evaluations)).value_and_grad(seen)[0]
        for seen in (x, x.roll((down, right), (-2, -1)))
    )
    torch.testing.assert_close(moved, value, rtol=1e-10, atol=0)


@pytest.mark.parametrize(("height", "width"), [(14, 30), (30, 14), (1, 1)])
def test_a_picture_without_a_patch_is_refused(height: int, width: int) -> None:
    with pytest.raises(ValueError, match="contains no 15 x 15 patch"):
        LocalRegularizer(a_critic()).value_and_grad(torch.zeros(1, 1, height, width))


def test_a_negative_tile_is_refused() -> None:
    with pytest.raises(ValueError, match="tile"):
        LocalRegularizer(a_critic(), tile=-1)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("width", [4, 64, 1024])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_feature_map_of_a_tile_fits_the_cache(
    precision: torch.dtype, stride: int, width: int, batch: int
) -> None:
    with torch.device("meta"):
        prior = deep(Critic(Architecture(3, width, stride=stride)))
    cpu = torch.device("cpu")
    side = prior.tile((batch, 3, 5000, 4000), cpu, precision)
    per_pixel = batch * width * precision.itemsize / stride**2
    assert side % 32 == 0 and side >= 64
    assert side == 64 or side**2 * per_pixel <= 5_000_000 < (side + 32) ** 2 * per_pixel
    small = prior.tile((batch, 3, 40, 50), cpu, precision)
    assert (small == 0) == (40 * 50 * per_pixel <= 5_000_000)
