from dataclasses import replace

import pytest

from alr_cli.bench.methods.baselines import BASELINES
from alr_cli.bench.protocol import METHODS, OURS, TASKS, Setting
from tests.bench.scenes import DEBLUR, DENOISE, INPAINT


@pytest.mark.parametrize(
    ("setting", "text", "slug"),
    [
        (DENOISE, "denoise, sigma 0.1, unclipped", "denoise-sigma-0.1-unclipped"),
        (
            replace(DEBLUR, clip=True),
            "deblur gaussian:5:1.5 valid, sigma 0.01, clipped",
            "deblur-gaussian-5-1.5-valid-sigma-0.01-clipped",
        ),
        (INPAINT, "inpaint 50 % missing, sigma 0, unclipped", "inpaint-50-missing-sigma-0-unclipped"),
    ],
)
def test_a_setting_says_what_it_is_and_whether_it_clips(setting: Setting, text: str, slug: str) -> None:
    assert (str(setting), setting.slug) == (text, slug)


def test_a_kernel_from_a_file_makes_no_folders() -> None:
    assert "/" not in replace(DEBLUR, kernel="file:blurs/a.png").slug


def test_every_method_but_ours_has_its_function() -> None:
    assert {method.name for method in METHODS} - {OURS} == set(BASELINES)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_usual_baseline(task: str) -> None:
    assert [m.name for m in METHODS if m.usual and task in m.tasks][:2] == ["ours", "tv"]
