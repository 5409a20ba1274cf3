"""y = A x + eps: the degradations of a benchmark, and the methods that are compared    (eq. 1)"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Task = Literal["denoise", "deblur", "inpaint"]
Boundary = Literal["valid", "replicate", "reflect", "circular"]
Missing = float | Literal["text"]

TASKS: tuple[Task, ...] = get_args(Task)
DEFAULT_SIGMAS: dict[Task, tuple[float, ...]] = {"denoise": (0.1, 0.2), "deblur": (0.03,), "inpaint": (0.0,)}
DEFAULT_KERNEL = "gaussian:7:3"
DEFAULT_BOUNDARY: Boundary = "valid"
DEFAULT_MISSING: Missing = 0.5


@dataclass(frozen=True)
class Setting:
    """One degradation, applied to every picture with other random numbers.

    Attributes:
        task: What the methods have to do.
        sigma: Standard deviation of the noise, on [0,1].
        clip: Whether noisy pixels are clipped to [0,1], as by a camera or an 8-bit file.
        seed: Determines noise and mask together with the name of a picture.
        kernel: The blur, as in blurs.py; for deblur only.
        boundary: How the blur treats the frame; for deblur only.
        missing: The share of missing pixels, or "text" for lines of writing; for inpaint only.
    """

    task: Task
    sigma: float
    clip: bool = False
    seed: int = 0
    kernel: str | None = None
    boundary: Boundary | None = None
    missing: Missing | None = None

    def __str__(self) -> str:
        """`deblur gaussian:7:3 valid, sigma 0.03, unclipped`."""
        of_task = {"denoise": "", "deblur": f" {self.blur} {self.boundary}", "inpaint": f" {self._hole}"}
        noise = f"sigma {self.sigma:.4g}"
        return f"{self.task}{of_task[self.task]}, {noise}, {'clipped' if self.clip else 'unclipped'}"

    @property
    def blur(self) -> str | None:
        """A short name of the kernel: NAME for npz:FILE:NAME."""
        if self.kernel is not None and self.kernel.startswith("npz:"):
            return self.kernel.rpartition(":")[2]
        return self.kernel

    @property
    def _hole(self) -> str:
        return "under text" if self.missing == "text" else f"{100 * (self.missing or 0):g} % missing"

    def as_dict(self) -> dict[str, Any]:
        """All fields, for a line of JSON."""
        return asdict(self)

    @property
    def slug(self) -> str:
        """The name of a folder: `deblur-gaussian-7-3-valid-sigma-0.03-unclipped`."""
        text = str(self).replace(",", "").replace(" %", "").replace(":", "-").replace("/", "-")
        return "-".join(text.split())


@dataclass(frozen=True)
class Method:
    """A restoration method.

    Attributes:
        name: Its name in options and tables.
        tasks: The tasks it can solve.
        what: One line of description.
        code: Its modules below alr_cli. Their source code, that of everything they import and the versions of
            `distributions` together make up the version of the method.
        distributions: Packages it needs, as they are installed.
        usual: Whether it is part of a benchmark that names no methods.
        package: An optional package, as it is imported. Such a method runs only when it is asked for by name.
    """

    name: str
    tasks: tuple[Task, ...]
    what: str
    code: tuple[str, ...]
    distributions: tuple[str, ...] = ()
    usual: bool = True
    package: str | None = None


OBSERVED = "observed"  # not a method but the degraded picture itself, with missing pixels black
OURS = "ours"

_SKIMAGE = ("scikit-image",)
_BM3D = ("bm3d", "bm4d")

METHODS: tuple[Method, ...] = (
    Method(
        OURS,
        TASKS,
        "the learned regularizer of the chosen weights",
        ("bench.methods.ours", "core.priors.registry", "core.training.calibration"),
    ),
    Method(
        "tv",
        TASKS,
        "total variation of all channels jointly, in the same energy and solver as ours",
        ("bench.methods.total_variation",),
    ),
    Method(
        "chambolle",
        ("denoise",),
        "total variation of each channel, by scikit-image's implementation of Chambolle's projection",
        ("bench.methods.classical",),
        _SKIMAGE,
    ),
    Method("nlm", ("denoise",), "non-local means, scikit-image", ("bench.methods.classical",), _SKIMAGE),
    Method(
        "wavelets",
        ("denoise",),
        "wavelet thresholding averaged over shifts, scikit-image",
        ("bench.methods.classical",),
        (*_SKIMAGE, "PyWavelets"),
        usual=False,
        package="pywt",
    ),
    Method(
        "epll",
        ("denoise",),
        "expected patch log-likelihood of a Gaussian mixture",
        ("bench.methods.epll",),
        usual=False,
    ),
    Method(
        "bm3d",
        ("denoise",),
        "BM3D, applied to each channel",
        ("bench.methods.block_matching",),
        _BM3D,
        usual=False,
        package="bm3d",
    ),
    Method(
        "cbm3d",
        ("denoise",),
        "BM3D for colour",
        ("bench.methods.block_matching",),
        _BM3D,
        usual=False,
        package="bm3d",
    ),
    Method(
        "wiener",
        ("deblur",),
        "Wiener-Hunt filter with a Laplacian prior, scikit-image",
        ("bench.methods.deconvolution",),
        _SKIMAGE,
    ),
    Method(
        "richardson-lucy",
        ("deblur",),
        "Richardson-Lucy iteration stopped early, scikit-image",
        ("bench.methods.deconvolution",),
        _SKIMAGE,
    ),
    Method(
        "biharmonic",
        ("inpaint",),
        "biharmonic interpolation, scikit-image",
        ("bench.methods.classical",),
        _SKIMAGE,
    ),
)
BY_NAME = {method.name: method for method in METHODS}
