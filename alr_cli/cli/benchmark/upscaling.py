"""`alr benchmark upscale`: pictures are reduced by bicubic interpolation and enlarged again."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from alr_cli.bench.protocol import OURS
from alr_cli.cli.benchmark.contenders import Contenders
from alr_cli.cli.benchmark.files import Read
from alr_cli.cli.benchmark.run import Run, bar

if TYPE_CHECKING:
    from alr_cli.bench.degradations import Pixels
    from alr_cli.bench.tables.layout import Table
    from alr_cli.core.tasks import Upscaling


def upscale(run: Run, pictures: list[tuple[str, Read]], contenders: Contenders, title: str) -> Table:
    """Print a line of JSON for each picture, scale, method and mean, and return the table of the means."""
    from alr_cli.bench import upscaling
    from alr_cli.bench.tables.layout import Table

    methods: dict[str, upscaling.Enlarge] = {
        "bicubic": upscaling.bicubic,
        "tv": upscaling.total_variation,
        **{label: partial(_ours, contenders, label) for label in contenders.labels((OURS,))},
    }
    scores, read = [], ((name, read()) for name, read in pictures)
    with bar(run.report, len(pictures) * len(upscaling.SCALES) * len(methods)) as advance:
        for score in upscaling.measure(read, methods, time.perf_counter):
            run.report.event({"kind": "result", "status": "ok", **score.as_dict()})
            scores.append(score)
            advance(f"{score.picture} {score.method}", 1)
    rows = []
    for mean in upscaling.means(scores):
        run.report.event({"kind": "mean", **mean.as_dict()})
        numbers = (f"{mean.psnr:.2f}", f"{mean.luma:.2f}", f"{mean.seconds:.2f}", str(mean.pictures))
        rows.append((f"x{mean.scale}", mean.method, *numbers))
    headings = ("scale", "method", "PSNR [dB]", "PSNR of Y", "seconds", "pictures")
    what = "bicubic kernel, 8 bits, a border as wide as the scale left out"
    return Table(f"upscale: {title}; {what}", headings, tuple(rows), words=2)


def _ours(contenders: Contenders, label: str, y: Pixels, task: Upscaling) -> Pixels:
    restorer = contenders.restorer(label, y.shape[2], wide=task.wide(0.0))
    assert restorer is not None
    return restorer.restore(y, task, 0.0).pixels
