"""G trained with a D that is updated, with a D that is fixed, and D trained as long without G

All three continue from the same D, and G from the same random numbers. The third has the weight 0 of the
equation between D and G. G is judged by PnP-GD, D by PnP-ADMM.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import mean

from alr_cli.bench.studies.courses import Course
from alr_cli.bench.studies.reg import courses
from alr_cli.bench.studies.reg_settings import BLURS, gaussian, observe
from alr_cli.bench.tables.layout import Table
from alr_cli.core.priors.gradient_network import GradientNetwork, GradientPrior
from alr_cli.core.restore import Restorer
from alr_cli.core.settings import Settings
from alr_cli.core.tasks import Deblurring, Floats
from alr_cli.core.training.denoising import CropSource
from alr_cli.core.training.joint import JointRecipe, JointTrainer
from alr_cli.core.weights import Weights

BLUR, SIGMA = "blur 2.0", 0.01
ALONE = "D without G"
_PLAIN = 1 / 3  # share of the steps that train a plain denoiser, before the three differ


@dataclass(frozen=True)
class Result:
    """One picture, restored by one method with what one training gave."""

    training: str
    method: str
    picture: str
    course: Course


def recipe_of(steps: int, bfloat16: bool, seed: int) -> JointRecipe:
    """A short training."""
    plain = round(_PLAIN * steps)
    return JointRecipe(
        iterations=steps,
        plain=plain,
        warm_up=max(1, steps // 20),
        fall=(steps - plain) // 2,
        ema=0.99,
        bfloat16=bfloat16,
        seed=seed,
    )


def train(
    start: GradientNetwork,
    recipe: JointRecipe,
    source: CropSource,
    watch: Callable[[str], None] = lambda training: None,
) -> Iterator[tuple[str, GradientPrior]]:
    """The prior of each training. `watch` is called after each step with its name."""
    first = JointTrainer(start, recipe, source)
    while first.plain and not first.done:
        first.step()
        watch("before")
    state = first.state()
    for name, change in {
        "D updated": recipe,
        "D fixed": replace(recipe, update=False),
        ALONE: replace(recipe, weight=0.0),
    }.items():
        trainer = JointTrainer(start, change, source)
        trainer.restore_state(state)
        while not trainer.done:
            trainer.step()
            watch(name)
        yield name, trainer.trained()


def restore(
    training: str,
    prior: GradientPrior,
    pictures: Sequence[tuple[str, Floats]],
    settings: Settings,
    steps: int | None,
    seed: int,
) -> Iterator[Result]:
    """Every picture (H, W, 3), deblurred by all methods."""
    restorer = Restorer(Weights(prior, {}, "", training), settings)
    task = Deblurring(gaussian(BLURS[BLUR]), "circular")
    for number, (picture, clean) in enumerate(pictures):
        y = observe(task, clean, SIGMA, seed + number)
        for method, course in courses(restorer, task, y, SIGMA, clean, steps):
            untrained = training == ALONE and ", G" in method
            if method != training and not untrained:
                yield Result(training, method.replace(f" of {training}", ""), picture, course)


def table(results: Sequence[Result], title: str) -> Table:
    """A row for each training and method."""
    groups: dict[tuple[str, str], list[Course]] = {}
    for each in results:
        groups.setdefault((each.method, each.training), []).append(each.course)
    rows = []
    for (method, training), group in sorted(groups.items()):
        last, best = (f"{mean(getattr(c, what) for c in group):.2f}" for what in ("last", "best"))
        diverged = sum(c.stop == "diverged" for c in group)
        change = f"{mean(c.changes[-1] for c in group):.1e}"
        rows.append((method, training, last, best, change, str(diverged)))
    headings = ("method", "training", "last [dB]", "best [dB]", "squared step", "diverged")
    return Table(f"reg-ablation: {title}; {BLUR}, sigma {SIGMA:g}", headings, tuple(rows), words=2)


def draw(results: Sequence[Result]) -> bytes:
    """PSNR against the iterations for the first picture. Returns a PNG."""
    from alr_cli import drawing

    figure = drawing.new(6.4, 5.0)
    axes = figure.subplots()
    for each in results:
        if each.picture == results[0].picture:
            axes.plot(each.course.psnr, label=f"{each.method}, {each.training}")
    axes.set_xlabel("iteration")
    axes.set_ylabel("PSNR [dB]")
    axes.legend(fontsize="x-small")
    return drawing.png(figure)
