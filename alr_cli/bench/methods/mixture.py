"""p(x) = sum_k w_k N(x; 0, S_k), a Gaussian mixture of 8 x 8 patches minus their means  (Zoran and Weiss
2011)

    python -m alr_cli.bench.methods.mixture FOLDER [--iterations N]

fits the mixture to luma patches of the pictures in FOLDER with scikit-learn, and stores it in the cache
folder. The method `epll` prefers it to the shipped mixture. A second call continues the fit.
"""

from __future__ import annotations

import io
import sys
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray

from alr_cli.bench.cache import default_folder
from alr_cli.core.numerics.cosine_matrix import cosine_matrix
from alr_cli.errors import InputError

SIDE = 8
COMPONENTS = 200
PATCHES = 100_000
ITERATIONS = 30
AT_ONCE = 5  # iterations between two saves
NAME = "epll-mixture.npz"
FLOOR = 1e-6  # added to every variance (a quarter of a gray level), so that no component collapses to a point

_SIZE = SIDE**2 - 1
_LOWER = np.tril_indices(_SIZE)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Mixture:
    """A Gaussian mixture with zero means.

    Attributes:
        weights: (K,), sum 1.
        covariances: (K, 63, 63), of the coefficients in `basis`.
    """

    weights: Floats
    covariances: Floats

    @cached_property
    def spectra(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The eigenvalues (K, 63), the largest first, and eigenvectors (K, 63, 63) of the covariances."""
        variances, vectors = np.linalg.eigh(self.covariances.astype(np.float64))
        return np.maximum(variances[:, ::-1], 0), vectors[:, :, ::-1]


def fitted_path() -> Path:
    """Where a mixture that the user fitted is stored."""
    return default_folder() / NAME


def mixture_path() -> Path:
    """The mixture that `epll` uses: the user's own, else the shipped one."""
    from alr_cli.files.weights import shipped_folder

    own = fitted_path()
    return own if own.is_file() else shipped_folder() / NAME


def basis() -> Floats:
    """(64, 63), orthonormal columns: the cosine transform of a patch in row-major order, without its mean."""
    cosines = cosine_matrix(SIDE)
    return np.asarray(np.kron(cosines, cosines)[1:].T, np.float32)


def sample(pictures: list[NDArray[np.floating]], count: int, seed: int = 0) -> Floats:
    """Coefficients (count, 63) of random patches, equally many from each picture (H, W)."""
    generator = np.random.default_rng(seed)
    transform, found = basis(), []
    for number, picture in enumerate(pictures):
        share = count * (number + 1) // len(pictures) - count * number // len(pictures)
        windows = np.lib.stride_tricks.sliding_window_view(picture, (SIDE, SIDE))
        rows = generator.integers(0, windows.shape[0], share)
        columns = generator.integers(0, windows.shape[1], share)
        patches = windows[rows, columns].reshape(share, -1).astype(np.float32) @ transform
        found.append(patches * generator.choice(np.array([-1, 1], np.float32), (share, 1)))
    return np.concatenate(found)


def first_guess(patches: Floats, components: int, seed: int = 0) -> Mixture:
    """Clusters of patches with similar distributions of energy.

    As all means are 0, a patch and its negative belong to the same component.
    """
    from sklearn.cluster import KMeans

    energy = np.sqrt(np.abs(patches))
    labels = KMeans(components, n_init=1, max_iter=30, random_state=seed).fit_predict(energy)
    counts = np.bincount(labels, minlength=components)
    floor = FLOOR * np.eye(patches.shape[1], dtype=np.float32)
    everything = patches.T @ patches / len(patches)
    covariances = []
    for index, count in enumerate(counts):
        group = patches[labels == index]
        share = count / (count + patches.shape[1])  # few patches determine 63 x 63 numbers poorly
        own = group.T @ group / max(count, 1)
        covariances.append(share * own + (1 - share) * 0.1 * everything + floor)
    weights = (counts + 1) / (counts + 1).sum()
    return Mixture(weights.astype(np.float32), np.stack(covariances).astype(np.float32))


def improve(mixture: Mixture, patches: Floats, iterations: int) -> tuple[Mixture, float]:
    """Steps of expectation-maximisation.

    scikit-learn also fits means. They start at 0 and stay small, since patches are negated at random. They
    are merged into the covariances as S + m m^T, which is the maximum under means of 0.

    Returns:
        The mixture, and the mean log-likelihood of the patches.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(
        len(mixture.weights),
        max_iter=iterations,
        tol=0.0,
        reg_covar=FLOOR,
        weights_init=mixture.weights / mixture.weights.sum(),
        means_init=np.zeros(mixture.covariances.shape[:2], np.float32),
        precisions_init=_inverse(mixture.covariances),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of steps is chosen, not convergence
        model.fit(patches)
    means = model.means_
    covariances = model.covariances_ + means[:, :, None] * means[:, None, :]
    found = Mixture(model.weights_.astype(np.float32), covariances.astype(np.float32))
    return found, float(model.lower_bound_)


def _inverse(covariances: Floats) -> Floats:
    inverse = np.linalg.inv(covariances.astype(np.float64))
    return np.asarray((inverse + inverse.transpose(0, 2, 1)) / 2, np.float32)


def save(mixture: Mixture, path: Path) -> None:
    """Write a mixture atomically.

    The Cholesky factors are stored in half precision (0.8 MB for 200 components), which preserves small
    variances beside large ones. Raises OutputError.
    """
    from alr_cli.files.atomic import write_atomic

    data = io.BytesIO()
    factors = np.linalg.cholesky(mixture.covariances.astype(np.float64))
    np.savez_compressed(data, weights=mixture.weights, factors=factors[:, *_LOWER].astype(np.float16))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, data.getvalue())


def load(path: Path) -> Mixture:
    """The mixture of a file. Raises InputError if the file is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            weights, packed = stored["weights"], stored["factors"]
        if packed.shape != (len(weights), len(_LOWER[0])):
            raise ValueError(f"factors of shape {packed.shape}")
        factors = np.zeros((len(weights), _SIZE, _SIZE), np.float32)
        factors[:, *_LOWER] = packed
    except Exception as error:  # a damaged archive can raise many errors
        raise InputError(
            f"the mixture of patches {path} cannot be read ({error}): delete it, and "
            "make epll-mixture DATA=FOLDER fits it to a folder of clean pictures"
        ) from error
    return Mixture(weights, factors @ factors.transpose(0, 2, 1))


def main(folder: Path, iterations: int = ITERATIONS) -> None:
    """Fit a mixture and save it every few iterations, so that an interrupted fit can be continued."""
    from alr_cli.files.folders import load_folder

    pictures = load_folder(folder, 1, SIDE).pictures
    patches = sample([picture[..., 0].astype(np.float32) / 255 for picture in pictures], PATCHES)
    path = fitted_path()
    mixture = load(path) if path.is_file() else first_guess(patches, COMPONENTS)
    for done in range(0, iterations, AT_ONCE):
        steps = min(AT_ONCE, iterations - done)
        mixture, likelihood = improve(mixture, patches, steps)
        save(mixture, path)
        sys.stdout.write(f"step {done + steps} of {iterations}: log-likelihood {likelihood:.3f}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    typer.run(main)
