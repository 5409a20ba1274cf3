"""`alr benchmark reg`, `reg-convergence`, `reg-unrolled` and `reg-ablation`: plug and play with a gradient
network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alr_cli.bench.protocol import OURS
from alr_cli.bench.targets import Target
from alr_cli.cli.benchmark.files import Read, write
from alr_cli.cli.benchmark.run import Run, bar
from alr_cli.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from alr_cli.bench.degradations import Pixels
    from alr_cli.bench.tables.layout import Table
    from alr_cli.core.restore import Restorer

STEPS = 1000  # of reg-convergence
TRAINING_STEPS = {"reg-unrolled": 150, "reg-ablation": 300}
DEFAULT_WEIGHTS = {"reg-unrolled": "color-reg,color-wide", "reg-ablation": "color-wide"}
TASK = "upscale:2"  # of reg-unrolled
SHOWN_ITERATIONS = 300  # of reg-ablation


@dataclass(frozen=True)
class Asked:
    """What the options ask for.

    Attributes:
        pictures: The pictures to measure on.
        title: What they are, for the table.
        seed: Random seed.
        steps: Number of iterations, or of training steps; None for the usual number.
        train_dir: Folder of pictures to train on.
        task: Task of reg-unrolled.
        plot: The file of the plot; None for no plot.
    """

    pictures: list[tuple[str, Read]]
    title: str
    seed: int
    steps: int | None = None
    train_dir: str | None = None
    task: str | None = None
    plot: Path | None = None

    @property
    def clean(self) -> list[tuple[str, Pixels]]:
        """The pixels. Raises UsageError for gray pictures."""
        return [(name, _colour(name, read())) for name, read in self.pictures]

    def draw(self, picture: Callable[[], bytes]) -> None:
        """Write the plot if there should be one."""
        if self.plot is not None:
            write(self.plot, picture())


def check(target: Target | None, train_dir: str | None, task: str | None) -> None:
    """Raise UsageError if a target has nothing to train on, or for an impossible task."""
    if target in TRAINING_STEPS and train_dir is None:
        raise UsageError(f"{target} trains networks: give --train-dir a folder of clean pictures")
    if task is not None:
        from alr_cli.core.task_names import parse_task

        parse_task(task)


def reg(run: Run, asked: Asked) -> Table:
    """Restore by all methods. Reports a line of JSON for each result, as the other targets do."""
    from alr_cli.bench.studies import reg, reg_settings

    restorers, scores = _restorers(run), list[reg.Score]()
    with bar(run.report, len(asked.pictures) * len(reg_settings.settings(asked.seed))) as advance:
        for found in reg.measure(asked.clean, restorers, asked.seed, asked.steps):
            for score in found:
                run.report.event({"kind": "result", "status": "ok", **score.as_dict()})
            advance(f"{found[0].picture} {found[0].setting}", 1)
            scores += found
    asked.draw(lambda: reg.draw(scores))
    return reg.table(scores, asked.title)


def convergence(run: Run, asked: Asked) -> Table:
    """Follow every iteration. Raises UsageError for weights without a plug-and-play method."""
    from alr_cli.bench.studies import reg_convergence as study
    from alr_cli.bench.studies.reg_settings import BLURS

    restorers, clean, followed = _restorers(run), asked.clean, list[study.Followed]()
    with bar(run.report, len(clean) * len(BLURS)) as advance:
        for found in study.converge(clean, restorers, asked.steps or STEPS, asked.seed):
            for each in found:
                course = each.course
                run.report.event(
                    {"kind": "course", "picture": each.picture, "blur": each.blur, "method": each.method}
                    | {"stop": course.stop, "psnr": list(course.psnr), "changes": list(course.changes)}
                )
            if not found:
                raise UsageError("none of these weights denoise in one step: name some with -w")
            advance(f"{found[0].picture} {found[0].blur}", 1)
            followed += found
    for restorer in restorers:
        apart = study.asymmetry_of(restorer, clean[0][1])
        if apart is not None:
            name = restorer.weights.name
            run.report.event({"kind": "asymmetry", "weights": name, "value": apart})
            run.report.say(
                f"{name}: the Jacobian of G is asymmetric by {apart:.2f}, between 0 for "
                "the gradient of an energy and 0.7 for an arbitrary map"
            )
    asked.draw(lambda: study.draw(followed))
    return study.table(followed, asked.title)


def unrolled(run: Run, asked: Asked) -> Table:
    """Train from each of the weights and from nothing. Raises UsageError for weights without a gradient."""
    from alr_cli.bench.studies import reg_unrolled as study
    from alr_cli.core.priors.slope import HasSlope

    restorers = _restorers(run)
    starts = {}
    for restorer in restorers:
        if not isinstance(restorer.prior, HasSlope):
            raise UsageError(f"{restorer.weights.name} has no gradient network: leave it out of -w")
        starts[restorer.weights.name] = restorer.prior.slope
    starts[study.NOTHING] = study.random_like(next(iter(starts.values())), asked.seed)
    steps, task = asked.steps or TRAINING_STEPS["reg-unrolled"], asked.task or TASK
    recipe = study.recipe_of(task, steps, _bfloat16(restorers[0]), asked.seed)
    training, points = _training(run, asked.train_dir, recipe.patch), list[study.Point]()
    clean = study.middles([pixels for _, pixels in asked.clean])
    with bar(run.report, steps * len(starts)) as advance:
        for point in study.learn(starts, recipe, training, clean):
            run.report.event({"kind": "point", **point.as_dict()})
            advance(f"from {point.start}", point.step - (points[-1].step if points and point.step else 0))
            points.append(point)
    asked.draw(lambda: study.draw(points))
    return study.table(points, f"{asked.title}; {task}")


def ablation(run: Run, asked: Asked) -> Table:
    """Train G with D updated and with D fixed, and D without G. Raises UsageError for weights that are no
    potential."""
    import torch

    from alr_cli.bench.studies import reg_ablation as study
    from alr_cli.core.priors.gradient_network import GradientNetwork
    from alr_cli.core.priors.unet import UNet
    from alr_cli.core.training.denoising import CropSource

    restorer = _restorers(run)[0]
    unet, steps = restorer.prior.network, asked.steps or TRAINING_STEPS["reg-ablation"]
    if not isinstance(unet, UNet):
        raise UsageError(f"{restorer.weights.name} is no potential: give -w color-wide, or one of your own")
    recipe = study.recipe_of(steps, _bfloat16(restorer), asked.seed)
    random = torch.Generator().manual_seed(asked.seed)
    network = GradientNetwork(unet, UNet(unet.architecture, random))
    source = CropSource([_training(run, asked.train_dir, recipe.patch)], recipe.patch)
    clean, results = asked.clean, list[study.Result]()
    with bar(run.report, recipe.plain + 3 * (steps - recipe.plain)) as advance:
        for training, prior in study.train(network, recipe, source, lambda name: advance(name, 1)):
            found = study.restore(training, prior, clean, restorer.settings, SHOWN_ITERATIONS, asked.seed)
            for each in found:
                run.report.event(
                    {"kind": "course", "picture": each.picture, "method": each.method}
                    | {"training": training, "last": each.course.last, "best": each.course.best}
                )
                results.append(each)
    asked.draw(lambda: study.draw(results))
    return study.table(results, f"{asked.title}; {steps} training steps")


TARGETS: dict[Target | None, Callable[[Run, Asked], Table]] = {
    "reg": reg,
    "reg-convergence": convergence,
    "reg-unrolled": unrolled,
    "reg-ablation": ablation,
}


def _restorers(run: Run) -> list[Restorer]:
    found = [run.contenders.restorer(label, 3, wide=True) for label in run.contenders.labels((OURS,))]
    return [restorer for restorer in found if restorer is not None]


def _bfloat16(restorer: Restorer) -> bool:
    from alr_cli.core.numerics import devices

    return devices.precision_name(restorer.precision) == "bfloat16"


def _training(run: Run, folder: str | None, side: int) -> list[np.ndarray]:
    """The pictures to train on. Files that are left out are reported. Raises InputError."""
    from alr_cli.files.folders import load_folder

    found = load_folder(Path(folder or "."), 3, side)
    for sentence in found.skipped:
        run.report.warn(f"left out: {sentence}")
    return list(found.pictures)


def _colour(name: str, pixels: Pixels) -> Pixels:
    if pixels.shape[2] != 3:
        raise UsageError(f"{name} is gray, and reg is for colour pictures: leave it out")
    return pixels
