"""The library: arrays in, arrays of the same kind and shape out, and user-defined priors and operators."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage
import torch
from PIL import Image
from torch import Tensor

import alr_cli as alr
from alr_cli.core.metrics import psnr
from alr_cli.core.priors.protocol import Regularizer
from alr_cli.core.problems import Problem
from alr_cli.core.settings import Settings
from alr_cli.errors import InputError, UsageError
from tests.conftest import scene
from tests.core.noise.test_estimation import photograph, with_noise
from tests.core.noise.test_model import a_model

ROOT = Path(__file__).parents[1]
FEW = Settings(device="cpu", precision="float32", max_iter=2)
NOISY = scene(40, 44, sigma=0.1)


# --- a prior of one's own ---


class Flat:
    """R(x) = 1/2 ||x - mean(x)||^2 of each channel, of the whole picture: no margin."""

    channels, margin = 3, 0

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        away = x - x.mean((2, 3), keepdim=True)
        return 0.5 * away.square().sum((1, 2, 3)), away


class Gradient:
    """The same regularizer, of which only the gradient is known."""

    channels, margin = 3, 0

    def value_and_grad(self, x: Tensor) -> tuple[None, Tensor]:
        return None, Flat().value_and_grad(x)[1]


class SumOfRows:
    """A x = the sums over the rows of each plane, (H, W) -> (W,): a user-defined operator."""

    def __init__(self, height: int, width: int) -> None:
        self.input_shape, self.output_shape, self.norm = (height, width), (width,), height**0.5

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(-2)

    def adjoint(self, y: Tensor) -> Tensor:
        return y.unsqueeze(-2).expand(*y.shape[:-1], *self.input_shape).contiguous()

    def power(self, shape: tuple[int, ...]) -> None:
        return None


def y_and_solution(lam: float) -> tuple[Tensor, Tensor]:
    """min ||x - y||^2 / 3 + lam R(x): differences from the mean shrink by 1 / (1 + 1.5 lam)."""
    y = torch.rand(1, 3, 12, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mean = y.mean((2, 3), keepdim=True)
    return y, mean + (y - mean) / (1 + 1.5 * lam)


@pytest.mark.parametrize(
    ("regularizer", "solver", "apart"),
    [
        (Flat(), alr.solvers.Nmapg(iterations=100, tol=1e-9), 1e-6),
        (Flat(), alr.solvers.GradientDescent(iterations=100, tol=1e-9), 1e-6),
        (Flat(), alr.solvers.Adam(iterations=300), 1e-3),
        (Gradient(), alr.solvers.Adam(iterations=300), 1e-3),
    ],
)
def test_a_prior_of_ten_lines_is_minimised(regularizer: Regularizer, solver: Any, apart: float) -> None:
    y, expected = y_and_solution(lam=2.0)
    problem = alr.problems.denoising(y, regularizer.margin)
    solution = alr.solve(alr.Energy.of(problem, regularizer, 2.0), problem.start, solver)
    assert (solution.x - expected).abs().max() < apart


def test_a_solver_that_compares_energies_needs_one() -> None:
    y, _ = y_and_solution(1.0)
    problem = alr.problems.denoising(y, 0)
    with pytest.raises(UsageError, match="choose the solver adam"):
        alr.solve(alr.Energy.of(problem, Gradient(), 1.0), problem.start, alr.solvers.Nmapg())


def test_an_operator_with_another_output_shape_is_inverted_as_far_as_the_prior_goes() -> None:
    """The sums are given. Among all pictures with these sums, the flattest has equal pixels in each
    column."""
    y = torch.tensor([[[6.0, 12.0]]], dtype=torch.float64).expand(1, 3, 2)
    problem = Problem(SumOfRows(6, 2), y, lambda: torch.zeros(1, 3, 6, 2, dtype=torch.float64), (6, 2))
    energy = alr.Energy.of(problem, Flat(), 1e-6)
    x = alr.solve(energy, problem.start, alr.solvers.Nmapg(iterations=400, tol=0.0)).x
    expected = torch.tensor([1.0, 2.0], dtype=torch.float64).expand(1, 3, 6, 2)
    assert (x - expected).abs().max() < 1e-3


# --- arrays ---

LAYOUTS: dict[str, Any] = {
    "(H, W)": NOISY[..., 0],
    "(H, W, 1)": NOISY[..., :1],
    "(H, W, 3)": np.repeat(NOISY, 3, 2)[..., :3],
    "(2, H, W, 1)": np.stack([NOISY[..., :1], NOISY[::-1, :, :1]]),
    "float64": NOISY[..., 0].astype(np.float64),
    "tensor (H, W)": torch.from_numpy(NOISY[..., 0].copy()),
    "tensor (1, H, W)": torch.from_numpy(NOISY[..., :1].transpose(2, 0, 1).copy()),
    "tensor (2, 3, H, W)": torch.from_numpy(NOISY[..., 0].copy()).expand(2, 3, 40, 44),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_result_has_the_kind_and_shape_of_the_input(name: str) -> None:
    pixels = LAYOUTS[name]
    restored = alr.denoise(pixels, 0.1, settings=FEW)
    assert type(restored.pixels) is type(pixels)
    assert restored.pixels.shape == pixels.shape and restored.pixels.dtype == pixels.dtype
    assert len(restored.details) == (pixels.shape[0] if pixels.ndim == 4 else 1)


def test_correlated_noise_is_found_and_removed() -> None:
    clean = photograph()[:128, :160]
    noisy = with_noise(clean, a_model()).clip(0, 1)
    [details] = alr.denoise(noisy).details
    assert details.sigma == pytest.approx(a_model().level(clean), rel=0.3)
    assert psnr(clean, details.pixels) > psnr(clean, noisy) + 1


@pytest.mark.parametrize("weights", [None, "color-tuned"])
@pytest.mark.parametrize("task", ["denoise", "deblur", "inpaint"])
def test_three_equal_channels_are_gray(task: str, weights: str | None) -> None:
    gray = NOISY[..., :1]
    more: dict[str, tuple[Any, ...]] = {"deblur": ("box:3",), "inpaint": (gray[..., 0] > 0.6,)}
    one, three = (
        getattr(alr, task)(pixels, *more.get(task, ()), weights=weights, settings=FEW)
        for pixels in (gray, gray.repeat(3, axis=2))
    )
    assert np.array_equal(three.pixels, one.pixels.repeat(3, axis=2))
    assert three.details[0].sigma == one.details[0].sigma > 0.05


@pytest.mark.parametrize("weights", ["color-tuned", "color-wide"])
def test_a_prior_of_colours_restores_a_gray_picture_nearly_as_well_as_one_of_gray(weights: str) -> None:
    clean = photograph()[:72, :72, 1:2]
    y = clean + np.random.default_rng(0).normal(0, 0.1, clean.shape).astype(np.float32)
    colour, gray = (
        psnr(clean, alr.denoise(y, 0.1, weights=name).pixels) or 0.0 for name in (weights, "gray-tuned")
    )
    assert colour > gray - 1.5


SHARP = photograph()[:48, :48]


@pytest.mark.parametrize("weights", ["color-tuned", "gray-tuned", "color-wide"])
@pytest.mark.parametrize("levels", [0.01, 0.1, 0.3, 0.49])
def test_below_half_a_level_of_8_bits_nothing_observed_moves_by_more_than_one(
    levels: float, weights: str
) -> None:
    mask = np.arange(48 * 48).reshape(48, 48) % 7 == 0
    for pixels in (SHARP, SHARP.round()):
        denoised = alr.denoise(pixels, levels / 255, weights=weights)
        assert np.abs(denoised.pixels - pixels).max() <= 1.001 / 255
    few = Settings(max_iter=5)
    filled = alr.inpaint(SHARP, mask, levels / 255, weights=weights, settings=few)
    assert np.abs(filled.pixels - SHARP)[~mask].max() <= 1.001 / 255


def test_a_batch_gives_what_each_picture_gives() -> None:
    batch = LAYOUTS["(2, H, W, 1)"]
    together = alr.denoise(batch, settings=FEW).pixels
    assert np.array_equal(together[1], alr.denoise(batch[1], settings=FEW).pixels)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: alr.denoise((255 * NOISY).astype(np.uint8), 0.1), "divide them by 255"),
        (lambda: alr.denoise(NOISY, -1), "outside"),
        (lambda: alr.denoise(NOISY, float("nan")), "outside"),
        (lambda: alr.denoise([[0.5]], 0.1), "NumPy array"),
        (lambda: alr.denoise(np.full((8, 8), np.nan), 0.1), "not finite"),
        (lambda: alr.denoise(np.zeros((8, 8, 4)), 0.1), "is not one of"),
        (lambda: alr.inpaint(NOISY, np.zeros((3, 3), bool), 0.1), "give a mask of equal size"),
        (lambda: alr.inpaint(NOISY, np.full((40, 44), 7), 0.1), "0 and 255"),
        (lambda: alr.deblur(NOISY, np.zeros((3, 3)), 0.1), "kernel"),
    ],
)
def test_invalid_arguments_are_refused_in_a_sentence(call: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        call()


def test_a_kernel_is_divided_by_its_sum_and_a_mask_may_be_of_255() -> None:
    small = alr.deblur(NOISY, np.full((3, 3), 25.0), 0.1, settings=FEW).pixels
    assert np.array_equal(small, alr.deblur(NOISY, "box:3", 0.1, settings=FEW).pixels)
    holes = np.zeros((40, 44), np.uint8)
    holes[5:9, 5:9] = 255
    filled = alr.inpaint(NOISY, holes, 0, settings=FEW).pixels
    assert np.array_equal(filled[holes == 0], NOISY[holes == 0])


def test_a_jpeg_file_is_decoded_as_by_the_command(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    pytest.importorskip("jpeglib")
    coded, plain = tmp_path / "coded.jpg", tmp_path / "plain.png"
    Image.fromarray(skimage.data.astronaut()[100:148, 200:264]).save(coded, quality=20)
    Image.open(coded).save(plain)
    command = request.getfixturevalue("alr")
    assert command("denoise", coded, "-o", tmp_path / "out.tif", "--jpeg").code == 0
    expected = alr.read(tmp_path / "out.tif").pixels
    decoded = alr.decode(alr.read(coded)).pixels.clip(0, 1)  # the file is clipped and rounded
    np.testing.assert_allclose(decoded, expected, atol=0.51 / 255)
    with pytest.raises(InputError, match="not a JPEG"):
        alr.decode(alr.read(plain))


# --- names ---


@pytest.mark.parametrize("name", [name for name in dir(alr) if not name.startswith("__")])
def test_every_public_name_exists_and_is_documented(name: str) -> None:
    assert getattr(alr, name).__doc__


def test_importing_the_library_imports_no_torch() -> None:
    program = "import sys, alr_cli; alr_cli.__version__; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_readmes_snippet_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "README.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "clean.png").stat().st_size > 1000


@pytest.mark.parametrize("sigma", [1e-30, 1e-12, 1e-6, 1e-4])
def test_very_little_noise_is_handled(sigma: float) -> None:
    clipped = (1.5 * SHARP[:24, :24]).clip(0, 1)
    mask = np.zeros((24, 24), bool)
    mask[4:9, 4:9] = True
    for restored in (
        alr.denoise(clipped, sigma, settings=FEW),
        alr.deblur(clipped, "box:3", sigma, settings=Settings(max_iter=10)),
        alr.inpaint(clipped, mask, sigma, settings=FEW),
    ):
        assert np.isfinite(restored.pixels).all()
        assert np.abs(restored.pixels - clipped).mean() < 0.2
