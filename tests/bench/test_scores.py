import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from alr_cli.bench.cache import Cache
from alr_cli.bench.degradations import Observation, observe
from alr_cli.bench.runs import Benchmark, Clean, Contender, Done, Failure
from alr_cli.bench.scores import Mean, Metrics, Score, judge, means
from alr_cli.bench.tables import layout
from alr_cli.errors import InputError
from tests.bench.scenes import DEBLUR, DENOISE, INPAINT, cartoon

SCORES = [
    Score("a", DENOISE, "tv", Metrics(30.0, 0.9, 0.2, 1.0)),
    Score("a", DENOISE, "observed", Metrics(20.0, None, None, None)),
    Score("a", DEBLUR, "tv", Metrics(24.0, 0.7, None, 2.0)),
    Score("b", DENOISE, "tv", Metrics(28.0, 0.8, 0.4, 3.0)),
    Score("b", DENOISE, "observed", Metrics(21.0, None, None, None)),
]
MEANS = [
    Mean(DENOISE, "tv", Metrics(29.0, pytest.approx(0.85), pytest.approx(0.3), 2.0), 2),
    Mean(DENOISE, "observed", Metrics(20.5, None, None, None), 2),
    Mean(DEBLUR, "tv", Metrics(24.0, 0.7, None, 2.0), 1),
]


def test_means_are_taken_within_a_setting_and_a_method_in_their_order() -> None:
    assert means(SCORES) == MEANS


def test_judging_times_and_measures_the_estimate() -> None:
    observation = observe(cartoon(), "a", DENOISE)
    metrics, estimate = judge(observation, lambda each: each.clean + np.float32(0.1), lambda x, z: 0.3)
    assert metrics.psnr == pytest.approx(20, abs=1e-3) and metrics.lpips == 0.3
    assert metrics.seconds is not None and 0 <= metrics.seconds < 1
    assert estimate.shape == observation.clean.shape
    untouched, _ = judge(observation, None)
    assert untouched.seconds is None and untouched.lpips is None
    assert untouched.psnr == pytest.approx(20, abs=0.5)


def test_a_failure_affects_only_results_that_depend_on_it() -> None:
    def unreadable() -> np.ndarray:
        raise InputError("no picture")

    def contender(name: str, observation: Observation) -> Contender:
        def fails(observation: object) -> np.ndarray:
            raise MemoryError

        return Contender(fails if name == "big" else lambda observation: observation.pixels, name)

    work = Benchmark(
        [Clean("bad", unreadable), Clean("tiny", lambda: cartoon(4, 4)), Clean("good", cartoon)],
        {DENOISE: ("same", "big"), DEBLUR: ("same",), INPAINT: ()},
        contender,
        Cache(None),
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
    lines = layout.markdown(layout.by_setting(means(SCORES), "two pictures")).splitlines()
    assert lines[0] == "two pictures"
    assert lines[2:] == [
        "| setting | method | PSNR [dB] | SSIM | LPIPS | seconds | pictures |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
        "| denoise, sigma 0.1, unclipped | tv | 29.00 | 0.850 | 0.300 | 2.00 | 2 |",
        "| denoise, sigma 0.1, unclipped | observed | 20.50 | - | - | - | 2 |",
        "| deblur gaussian:5:1.5 valid, sigma 0.01, unclipped | tv | 24.00 | 0.700 | - | 2.00 | 1 |",
    ]


def test_lpips_has_a_column_only_if_it_was_measured() -> None:
    table = layout.by_setting(means(SCORES)[1:], "")
    assert "LPIPS" not in table.headings
    assert all(len(row) == len(table.headings) for row in table.rows)


def test_levels_are_columns_and_other_settings_are_averaged() -> None:
    others = [replace(DEBLUR, kernel="box:3"), replace(DEBLUR, sigma=0.05)]
    found = means([*SCORES, *(Score("a", each, "tv", Metrics(22.0, 0.5, None, 1.0)) for each in others)])
    table = layout.by_level([mean for mean in found if mean.setting.task == "deblur"], "blurs")
    assert table.headings == ("PSNR [dB] / SSIM", "sigma 2.55/255", "sigma 12.75/255")
    assert table.rows == (("tv", "23.00 / 0.600", "22.00 / 0.500"),)


def test_csv_reads_back() -> None:
    rows = list(csv.DictReader(io.StringIO(layout.comma_separated(means(SCORES)))))
    assert [(row["task"], row["method"], float(row["psnr"])) for row in rows] == [
        ("denoise", "tv", 29.0),
        ("denoise", "observed", 20.5),
        ("deblur", "tv", 24.0),
    ]
    assert rows[1]["ssim"] == "" and rows[2]["kernel"] == "gaussian:5:1.5"


def test_a_table_is_csv_too() -> None:
    table = layout.Table("t", ("a", "b"), (("x, y", "1"),))
    assert list(csv.reader(io.StringIO(layout.cells(table)))) == [["a", "b"], ["x, y", "1"]]


def test_a_terminal_table_names_each_setting_once() -> None:
    text = layout.drawn(layout.by_setting(means(SCORES), "two pictures"))
    assert text.count("denoise, sigma") == 1 and text.count("tv") == 2
