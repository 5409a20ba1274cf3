"""y = A x + eps, as a benchmark sets it: which A, how much eps    (eq. 1)"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Task = Literal["denoise", "deblur", "inpaint"]
Boundary = Literal["valid", "replicate", "reflect", "circular"]

TASKS: tuple[Task, ...] = get_args(Task)
DEFAULT_SIGMAS: dict[Task, tuple[float, ...]] = {"denoise": (0.1, 0.2), "deblur": (0.03,), "inpaint": (0.0,)}
DEFAULT_KERNEL = "gaussian:7:3"
DEFAULT_BOUNDARY: Boundary = "valid"
DEFAULT_MISSING = 0.5


@dataclass(frozen=True)
class Setting:
    """One degradation, the same for every picture but for its random numbers.

    sigma: of the noise, on [0,1].  clip: clip the noisy pixels to [0,1], as a camera or an 8-bit file does.
    seed: with the name of a picture it decides noise and mask.  kernel, boundary: deblur's alone.
    missing: the share of pixels that inpaint has to fill.
    """

    task: Task
    sigma: float
    clip: bool = False
    seed: int = 0
    kernel: str | None = None
    boundary: Boundary | None = None
    missing: float | None = None

    def __str__(self) -> str:
        """`deblur gaussian:7:3 valid, sigma 0.03, unclipped`."""
        of_task = {
            "denoise": "",
            "deblur": f" {self.kernel} {self.boundary}",
            "inpaint": f" {100 * (self.missing or 0):g} % missing",
        }
        noise = f"sigma {self.sigma:.4g}"
        return f"{self.task}{of_task[self.task]}, {noise}, {'clipped' if self.clip else 'unclipped'}"

    def as_dict(self) -> dict[str, Any]:
        """Flat, for a line of JSON."""
        return asdict(self)

    @property
    def slug(self) -> str:
        """As the name of a folder: `deblur-gaussian-7-3-valid-sigma-0.03-unclipped`."""
        text = str(self).replace(",", "").replace(" %", "").replace(":", "-").replace("/", "-")
        return "-".join(text.split())


@dataclass(frozen=True)
class Method:
    """A way to restore. tasks: what it can do.  usual: part of a benchmark that names no methods.
    package: what it needs beyond the dependencies, imported only when it is asked for by name."""

    name: str
    tasks: tuple[Task, ...]
    what: str
    usual: bool = True
    package: str | None = None


OBSERVED = "observed"  # beside the methods: the degraded picture itself, missing pixels black
OURS = "ours"

METHODS: tuple[Method, ...] = (
    Method(OURS, TASKS, "the learned regularizer of the chosen weights"),
    Method("tv", TASKS, "total variation of all channels jointly, in the same energy and solver as ours"),
    Method("chambolle", ("denoise",), "total variation channel by channel, scikit-image's projection"),
    Method("wiener", ("deblur",), "Wiener-Hunt filter with a Laplacian prior, scikit-image"),
    Method("biharmonic", ("inpaint",), "biharmonic interpolation, scikit-image"),
    Method("bm3d", ("denoise",), "BM3D channel by channel", usual=False, package="bm3d"),
    Method("cbm3d", ("denoise",), "BM3D for colour", usual=False, package="bm3d"),
)
