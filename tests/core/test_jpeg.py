"""A JPEG file as an observation: its intervals hold the picture that it was made from."""

import numpy as np
import pytest
import torch

from alr_cli.core.data_terms import RoundedOff, SquaredError
from alr_cli.core.jpeg import HALF_STEP
from alr_cli.core.problems import coded
from alr_cli.core.tasks import Decoding
from alr_cli.errors import UsageError
from alr_cli.files.jpeg_coefficients import read_coefficients
from tests.core.toys import seeded
from tests.files.coded import a_photograph, jpeg_of

SHARING = [0, 1, 2]


def batch(picture: object) -> torch.Tensor:
    pixels = np.asarray(picture, np.float32) / 255
    return torch.from_numpy(pixels if pixels.ndim == 3 else pixels[..., None]).permute(2, 0, 1)[None]


@pytest.mark.parametrize("sharing", SHARING)
@pytest.mark.parametrize("quality", [5, 30, 75])
@pytest.mark.parametrize("gray", [False, True])
def test_the_picture_lies_within_half_a_step_of_its_coefficients(
    gray: bool, quality: int, sharing: int
) -> None:
    picture = a_photograph(64, 96, gray)
    coefficients = read_coefficients(jpeg_of(picture, quality, sharing), "a file")
    operator, y = coefficients.observation(0.05)
    away = (operator.forward(batch(picture)) - y).abs()
    # Encoders round samples to whole levels before they transform them, which moves a coefficient a little.
    level_of_255 = 1.5 / 255 * operator._weights
    assert bool((away <= HALF_STEP * 0.05 + level_of_255).all())
    assert float(away.max()) > 0.5 * HALF_STEP * 0.05  # it says something


def test_blocks_beyond_the_frame_are_part_of_the_problem_and_not_of_the_picture() -> None:
    picture = a_photograph(75, 101)
    coefficients = read_coefficients(jpeg_of(picture, subsampling=2), "a file")
    problem = coded(coefficients, margin=3, level=0.05)
    assert coefficients.whole == (80, 112)
    assert problem.crop(problem.start).shape == (1, 3, 75, 101)
    decoded = coefficients.decoded()[..., :75, :101]
    torch.testing.assert_close(problem.crop(problem.start), decoded)
    away = problem.operator.forward(problem.start) - problem.y
    luma = away[:, 0]
    assert float(luma.abs().max()) < 1e-4  # a decoded picture has exactly the coefficients of its file


@pytest.mark.parametrize("gray", [False, True])
def test_the_level_follows_the_error(gray: bool) -> None:
    picture = a_photograph(160, 160, gray)
    before = 1.0
    for quality in (10, 30, 60):
        coefficients = read_coefficients(jpeg_of(picture, quality), "a file")
        error = (coefficients.decoded() - batch(picture)).square().mean().sqrt()
        assert coefficients.level() < before
        assert 0.4 < coefficients.level() / float(error) < 1.6
        before = coefficients.level()


def test_rounding_costs_more_beyond_half_a_step() -> None:
    y = torch.zeros(1, 1, 1, 2, dtype=torch.float64)
    z = torch.tensor([[[[0.5, 3.0]]]], dtype=torch.float64)
    value, _ = RoundedOff(y, half=1.0, beyond=4.0).value_and_grad(z)
    assert float(value) == pytest.approx(0.25 + 9 + 4 * 4)


def test_the_gradient_of_rounding_is_exact() -> None:
    y = torch.rand(2, 3, 6, 5, generator=seeded(1), dtype=torch.float64)
    z = torch.rand(y.shape, generator=seeded(2), dtype=torch.float64)
    term = RoundedOff(y, half=0.2)
    value, found = term.value_and_grad(z)
    step = 1e-6 * torch.randn(z.shape, generator=seeded(3), dtype=torch.float64)
    moved = (term.value_and_grad(z + step)[0] - term.value_and_grad(z - step)[0]).sum()
    assert float(moved / 2) == pytest.approx(float((found * step).sum()), rel=1e-6)
    assert bool((value > SquaredError(y).value_and_grad(z)[0]).all())


@pytest.mark.parametrize(
    ("shape", "said"), [((1, 3, 64, 95), "whole picture"), ((3, 1, 64, 96), "colour prior")]
)
def test_what_does_not_fit_the_file_is_refused(shape: tuple[int, ...], said: str) -> None:
    coefficients = read_coefficients(jpeg_of(a_photograph(64, 96)), "a file")
    with pytest.raises(UsageError, match=said):
        Decoding(coefficients).problem(torch.zeros(shape), 0, 0.05)


def test_gray_pictures_in_colour_files_are_restored_from_their_luma() -> None:
    coefficients = read_coefficients(jpeg_of(a_photograph(64, 96, gray=True).convert("RGB")), "a file")
    problem = Decoding(coefficients).problem(torch.zeros(1, 1, 64, 96), 0, 0.05)
    assert problem.y.shape[1] == 1
