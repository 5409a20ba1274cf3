"""`alr benchmark reg` and `reg-convergence`: plug and play with a gradient network, and other priors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from alr_cli.bench.protocol import OURS
from alr_cli.cli.benchmark.files import Read
from alr_cli.cli.benchmark.run import Run, bar
from alr_cli.errors import UsageError

if TYPE_CHECKING:
    from alr_cli.bench.degradations import Pixels
    from alr_cli.bench.tables.layout import Table
    from alr_cli.core.restore import Restorer

STEPS = 1000  # of reg-convergence


def gradient(
    target: Literal["reg", "reg-convergence"],
    run: Run,
    pictures: list[tuple[str, Read]],
    title: str,
    seed: int,
) -> Table:
    """Print a line of JSON for each result, and return the table. Raises UsageError for gray pictures."""
    from alr_cli.bench.studies import reg

    restorers = [_restorer(run, label) for label in run.contenders.labels((OURS,))]
    clean = [(name, _colour(name, read())) for name, read in pictures]
    with bar(run.report, len(clean)) as advance:
        if target == "reg-convergence":
            found = reg.converge(clean, restorers, STEPS, seed)
            for method, courses in found.items():
                for (name, _), course in zip(clean, courses, strict=True):
                    run.report.event(
                        {"kind": "course", "picture": name, "method": method, "stop": course.stop}
                        | {"psnr": list(course.psnr), "changes": list(course.changes)}
                    )
            if not found:
                raise UsageError("none of these weights have a gradient network: name some with -w")
            for each in restorers:
                apart = reg.asymmetry_of(each, clean[0][1])
                if apart is not None:
                    run.report.event({"kind": "asymmetry", "weights": each.weights.name, "value": apart})
                    run.report.say(
                        f"{each.weights.name}: the Jacobian of G is asymmetric by {apart:.2f}, between 0 for "
                        "the gradient of an energy and 0.7 for an arbitrary map"
                    )
            blur, sigma = reg.CONVERGENCE
            return reg.convergence_table(found, f"{title}; {blur}, sigma {sigma:g}")
        scores: list[reg.Score] = []
        for score in reg.measure(clean, restorers, seed):
            run.report.event({"kind": "result", "status": "ok", **score.as_dict()})
            advance(
                f"{score.picture} {score.setting}", int(bool(scores) and scores[-1].picture != score.picture)
            )
            scores.append(score)
    return reg.table(scores, title)


def _restorer(run: Run, label: str) -> Restorer:
    restorer = run.contenders.restorer(label, 3, wide=True)
    assert restorer is not None
    return restorer


def _colour(name: str, pixels: Pixels) -> Pixels:
    if pixels.shape[2] != 3:
        raise UsageError(f"{name} is gray, and reg is for colour pictures: leave it out")
    return pixels
