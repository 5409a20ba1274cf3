import numpy as np
import pytest
from skimage import data

from alr_cli.core.blind.estimate import estimate_kernel
from alr_cli.core.blind.free_kernel import agreement, free_kernel, trimmed
from alr_cli.core.operators.kernels import parse_kernel
from alr_cli.errors import UsageError
from tests.core.blind.scenes import SIGMA, blurred, trace


def test_a_free_kernel_is_found_without_its_size() -> None:
    found = free_kernel(blurred(trace(), side=140), SIGMA, 13)
    assert found.min() >= 0 and found.sum() == pytest.approx(1)
    assert agreement(found, trace()) > 0.85


def test_a_bent_path_is_distinguished_from_every_family() -> None:
    found = estimate_kernel(blurred(trace(), side=110)[..., None], SIGMA, size=11)
    assert found.spec == "free"
    assert found.agreement is not None and 0 < found.agreement <= 1


def test_a_family_is_kept_where_it_explains_the_picture() -> None:
    found = estimate_kernel(blurred(parse_kernel("disk:3.4"), side=110)[..., None], SIGMA, size=11)
    kind, radius = found.spec.split(":")
    assert kind == "disk" and float(radius) == pytest.approx(3.4, rel=0.1)
    assert np.array_equal(found.kernel, parse_kernel(found.spec))


@pytest.mark.parametrize("family", ["gaussian", "disk", "motion"])
def test_a_sharp_picture_is_recognised(family: str) -> None:
    sharp = blurred(np.ones((1, 1)), side=160)
    found = estimate_kernel(sharp[..., None], SIGMA, family)
    assert found.sharp and found.spec == "none"


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.full((100, 100, 1), 0.5), "no edges"),
        (np.random.default_rng(0).normal(0.5, SIGMA, (100, 100, 3)), "no edges"),
        (data.camera()[:40, :90, None] / 255, "64 per side"),
    ],
)
def test_pictures_that_determine_no_kernel_are_refused(pixels: np.ndarray, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        estimate_kernel(pixels.astype(np.float32), SIGMA)


def test_a_kernel_is_trimmed_about_its_middle() -> None:
    kernel = np.zeros((9, 9))
    kernel[4, 4], kernel[3, 6] = 0.5, 0.5
    assert trimmed(kernel).shape == (3, 5)
