"""The settings and methods of each table and figure of `alr benchmark TARGET`"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, get_args

from alr_cli.bench.protocol import BY_NAME, DEFAULT_SIGMAS, METHODS, OURS, Method, Task

Target = Literal[
    "denoise",
    "deblur",
    "inpaint",
    "upscale",
    "table1",
    "table2",
    "lunz1",
    "lunz2",
    "fig1",
    "fig2",
    "fig3",
    "fig4",
    "fig5",
    "speed",
    "oberlin",
    "reg",
    "reg-convergence",
    "reg-unrolled",
    "reg-ablation",
]
TARGETS: tuple[Target, ...] = get_args(Target)
LUNZ1_SIDE = 128  # pixels; the central part of each picture is used
FIGURES: tuple[Target, ...] = ("fig1", "fig2", "fig3", "fig4", "fig5")
# Tables that -o draws, too.
PLOTS: tuple[Target, ...] = ("reg", "reg-convergence", "reg-unrolled", "reg-ablation")


@dataclass(frozen=True)
class Plan:
    """What a target measures.

    Attributes:
        tasks: Its degradations.
        options: Those options of the command that apply to it.
        sigmas: Noise levels. None takes the defaults of each task.
        clips: Whether noisy pixels are clipped. Two entries make two settings.
        methods: Names of methods. None takes the usual ones.
        limit: Number of pictures, unless another is given.
    """

    tasks: tuple[Task, ...]
    options: frozenset[str]
    sigmas: tuple[float, ...] | None = None
    clips: tuple[bool, ...] = (False,)
    methods: tuple[str, ...] | None = None
    limit: int | None = None

    def sigmas_of(self, task: Task) -> tuple[float, ...]:
        return DEFAULT_SIGMAS[task] if self.sigmas is None else self.sigmas

    def methods_for(self, task: Task) -> tuple[str, ...]:
        if self.methods is not None:
            return tuple(name for name in self.methods if task in BY_NAME[name].tasks)
        return tuple(method.name for method in METHODS if method.usual and task in method.tasks)


_DATA = frozenset({"--data", "--limit"})
_NOISE = _DATA | {"--sigmas", "--clip"}
_RUN = _NOISE | {"--methods"}
_BLUR = frozenset({"--kernel", "--boundary"})

PLANS: dict[Target | None, Plan] = {
    None: Plan(("denoise", "deblur", "inpaint"), _RUN | _BLUR | {"--missing"}),
    "denoise": Plan(("denoise",), _RUN),
    "deblur": Plan(("deblur",), _RUN | _BLUR | {"--kernels"}),
    "inpaint": Plan(("inpaint",), _RUN | {"--missing"}),
    # Its scales and kernel are defined in upscaling.py.
    "upscale": Plan((), _DATA),
    # The paper's noisy pictures are clipped. Its lambdas belong to its own critics; ours are fitted.
    "table1": Plan(("denoise",), _NOISE, (0.05, 0.1, 0.2, 0.3, 0.4), (True,), (OURS,)),
    "table2": Plan(
        ("denoise",),
        _RUN,
        (0.1, 0.2, 0.4),
        (True, False),
        (OURS, "bm3d", "cbm3d", "epll", "tv", "nlm", "wavelets"),
    ),
    # Lunz, Oktem and Schoenlieb (2018): their noise is not clipped.
    "lunz1": Plan(("denoise",), _DATA | {"--methods"}, (0.1,), (False,), (OURS, "tv", "cbm3d")),
    "lunz2": Plan((), _DATA),
    "fig1": Plan((), frozenset()),
    "fig2": Plan((), _DATA, limit=16),
    "fig3": Plan((), _DATA, limit=16),
    "fig4": Plan(("denoise",), _RUN, (0.1,), (True,), ("bm3d", "epll", OURS), limit=2),
    "fig5": Plan(("deblur",), _RUN | _BLUR, (0.03,), (False,), ("tv", OURS), limit=2),
    # Its tasks are defined in studies/oberlin_tasks.py.
    "oberlin": Plan((), _DATA, limit=15),
    # Their tasks are defined in studies/reg_settings.py.
    "reg": Plan((), _DATA | {"--crop", "--steps"}),
    "reg-convergence": Plan((), _DATA | {"--crop", "--steps"}, limit=2),
    "reg-unrolled": Plan((), _DATA | {"--steps", "--train-dir", "--task"}),
    "reg-ablation": Plan((), _DATA | {"--crop", "--steps", "--train-dir"}, limit=2),
    "speed": Plan(("denoise",), frozenset({"--data", "--methods", "--sides"})),
}


def owners(option: str) -> str:
    """The targets that an option applies to: `deblur or fig5`."""
    names = [target for target, plan in PLANS.items() if target is not None and option in plan.options]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def saves_pictures(target: Target | None) -> bool:
    """Whether a target produces restored pictures."""
    return target not in (*FIGURES, *PLOTS, "speed", "lunz2", "oberlin", "upscale")


def undrawable(target: Target | None) -> str | None:
    """A sentence that says why a figure cannot be drawn, or None."""
    if target in (*FIGURES, *PLOTS) and find_spec("matplotlib") is None:
        return f"{target} needs the package matplotlib: pip install matplotlib"
    return None


def lacking(method: Method) -> str | None:
    """A sentence that says what has to be installed before a method can run, or None."""
    if method.package is not None and find_spec(method.package) is None:
        licence = " (mind its licence, it is not for commercial use)" if method.package == "bm3d" else ""
        package = method.distributions[-1 if method.package == "pywt" else 0]
        return f"{method.name} needs the package {package}: pip install {package}{licence}"
    return None
