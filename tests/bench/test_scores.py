import csv
import io

import numpy as np
import pytest

from alr_cli.bench import tables
from alr_cli.bench.degradations import observe
from alr_cli.bench.runs import Benchmark, Clean, Done, Failure
from alr_cli.bench.scores import Mean, Score, judge, means
from alr_cli.errors import InputError
from tests.bench.scenes import DEBLUR, DENOISE, INPAINT, cartoon

SCORES = [
    Score("a", DENOISE, "tv", 30.0, 0.9, 1.0),
    Score("a", DENOISE, "observed", 20.0, None, None),
    Score("a", DEBLUR, "tv", 24.0, 0.7, 2.0),
    Score("b", DENOISE, "tv", 28.0, 0.8, 3.0),
    Score("b", DENOISE, "observed", 21.0, None, None),
]
MEANS = [
    Mean(DENOISE, "tv", 29.0, pytest.approx(0.85), 2.0, 2),
    Mean(DENOISE, "observed", 20.5, None, None, 2),
    Mean(DEBLUR, "tv", 24.0, 0.7, 2.0, 1),
]


def test_means_are_taken_within_a_setting_and_a_method_in_their_order() -> None:
    assert means(SCORES) == MEANS


def test_judging_times_and_measures_the_estimate() -> None:
    observation = observe(cartoon(), "a", DENOISE)
    score, estimate = judge("a", observation, "oracle", lambda each: each.clean + np.float32(0.1))
    assert score.psnr == pytest.approx(20, abs=1e-3)
    assert score.seconds is not None and 0 <= score.seconds < 1
    assert estimate.shape == observation.clean.shape
    untouched, _ = judge("a", observation, "observed", None)
    assert untouched.seconds is None and untouched.psnr == pytest.approx(20, abs=0.5)


def test_a_failure_loses_only_what_depends_on_it() -> None:
    def unreadable() -> np.ndarray:
        raise InputError("no picture")

    def method_for(name: str, channels: int):  # type: ignore[no-untyped-def]
        def fails(observation: object) -> np.ndarray:
            raise MemoryError

        return fails if name == "big" else lambda observation: observation.pixels

    work = Benchmark(
        [Clean("bad", unreadable), Clean("tiny", lambda: cartoon(4, 4)), Clean("good", cartoon)],
        {DENOISE: ("same", "big"), DEBLUR: ("same",), INPAINT: ()},
        method_for,
    )
    results = list(work.run())
    done = [(r.score.picture, r.score.setting.task, r.score.method) for r in results if isinstance(r, Done)]
    lost = [(r.picture, r.setting, r.method, r.results) for r in results if isinstance(r, Failure)]
    assert done == [
        ("tiny", "denoise", "observed"),
        ("tiny", "denoise", "same"),
        ("tiny", "inpaint", "observed"),
        ("good", "denoise", "observed"),
        ("good", "denoise", "same"),
        ("good", "deblur", "observed"),
        ("good", "deblur", "same"),
        ("good", "inpaint", "observed"),
    ]
    assert lost == [
        ("bad", None, None, 6),
        ("tiny", DENOISE, "big", 1),
        ("tiny", DEBLUR, None, 2),
        ("good", DENOISE, "big", 1),
    ]
    assert len(done) + sum(count for *_, count in lost) == work.results


def test_markdown_has_a_row_for_each_mean() -> None:
    lines = tables.markdown(means(SCORES), "two pictures").splitlines()
    assert lines[0] == "two pictures"
    assert lines[4:] == [
        "| denoise, sigma 0.1, unclipped | tv | 29.00 | 0.850 | 2.00 | 2 |",
        "| denoise, sigma 0.1, unclipped | observed | 20.50 | - | - | 2 |",
        "| deblur gaussian:5:1.5 valid, sigma 0.01, unclipped | tv | 24.00 | 0.700 | 2.00 | 1 |",
    ]


def test_csv_reads_back() -> None:
    rows = list(csv.DictReader(io.StringIO(tables.comma_separated(means(SCORES)))))
    assert [(row["task"], row["method"], float(row["psnr"])) for row in rows] == [
        ("denoise", "tv", 29.0),
        ("denoise", "observed", 20.5),
        ("deblur", "tv", 24.0),
    ]
    assert rows[1]["ssim"] == "" and rows[2]["kernel"] == "gaussian:5:1.5"


def test_a_terminal_sees_each_setting_once() -> None:
    text = tables.drawn(means(SCORES), "two pictures")
    assert text.count("denoise, sigma") == 1 and text.count("tv") == 2
