"""The numbers of the figures, and that the figures can be drawn."""

import io

import numpy as np
import pytest
import torch

from alr_cli.bench.figures import circle, patches, pictures
from alr_cli.bench.runs import Done
from alr_cli.bench.scores import Metrics, Score
from alr_cli.cli.report import energy_plot
from alr_cli.cli.report.energy_plot import Moment
from alr_cli.core.priors.critic import Architecture, Critic
from alr_cli.core.priors.local import LocalRegularizer
from alr_cli.errors import InputError
from tests.bench.scenes import DENOISE, cartoon


def shape_of(data: bytes) -> tuple[int, ...]:
    from PIL import Image

    assert data.startswith(b"\x89PNG")
    return np.asarray(Image.open(io.BytesIO(data))).shape


@pytest.fixture(scope="module")
def regularizer() -> LocalRegularizer:
    torch.manual_seed(0)
    return LocalRegularizer(Critic(Architecture(channels=1, width=4, depth=3)))


def test_fig_1_shows_a_learned_field_with_its_arrows_pointing_downhill() -> None:
    field = circle.compute(seed=0, iterations=60)
    assert field.values.min() == 0 and field.values.shape == (121, 121)
    assert len(field.grid) == len(field.arrows)
    step = field.grid[0] + 0.1 * field.arrows[0]  # a corner: the circle is towards the middle
    assert np.linalg.norm(step) < np.linalg.norm(field.grid[0])
    assert circle.table(field).rows[0][1] == f"{field.correlation:.3f}"
    assert shape_of(circle.draw(field))[1] == 960


def test_scores_are_sorted_and_belong_to_their_patches(regularizer: LocalRegularizer) -> None:
    (scored,) = patches.compute(regularizer, [cartoon(30, 40, 1)], (0.1,), 50)
    assert (np.diff(scored.scores) >= 0).all()
    shown = torch.from_numpy(scored.patches).permute(0, 3, 1, 2)
    assert regularizer.network(shown).reshape(-1).numpy() == pytest.approx(scored.scores, abs=1e-5)


def test_patches_follow_the_seed(regularizer: LocalRegularizer) -> None:
    runs = [
        patches.compute(regularizer, [cartoon(30, 40, 1)], (0.0, 0.1), 20, seed)[1].scores
        for seed in (0, 0, 1)
    ]
    assert np.array_equal(runs[0], runs[1]) and not np.array_equal(runs[0], runs[2])


def test_separation_counts_pairs() -> None:
    clean, noisy = (
        patches.Scored(sigma, np.zeros((4, 3, 3, 1), np.float32), np.array(scores, np.float32))
        for sigma, scores in ((0.0, [1, 2, 3, 4]), (0.1, [2.5, 5, 6, 7]))
    )
    assert patches.separation(clean, noisy) == (2 + 4 + 4 + 4) / 16
    table = patches.table([clean, noisy], "t")
    assert table.rows[1][0] == "0.1" and table.rows[1][-1] == "0.875"


def test_fig_2_spreads_over_all_scores_and_fig_3_has_a_row_for_each_level(
    regularizer: LocalRegularizer,
) -> None:
    scored = patches.compute(regularizer, [cartoon(30, 40, 1)], (0.0, 0.05, 0.1), 40)
    chosen = [patches.quantiles(each, 5) for each in scored]
    assert chosen[0].scores[0] == scored[0].scores[0] and chosen[0].scores[-1] == scored[0].scores[-1]
    assert shape_of(patches.draw_patches(chosen))[1] == 960
    low, high = (patches.draw_histograms(scored[:count]) for count in (1, 3))
    assert shape_of(low)[0] < shape_of(high)[0]


def test_a_critic_sees_luma_if_it_is_gray_and_nothing_if_it_is_not(regularizer: LocalRegularizer) -> None:
    assert patches.fitted(cartoon(20, 20, 3), regularizer).shape == (20, 20, 1)
    with pytest.raises(InputError, match="contains no 7 x 7 patch"):
        patches.fitted(cartoon(6, 20, 1), regularizer)
    with pytest.raises(InputError, match="gray"):
        patches.fitted(cartoon(20, 20, 1), LocalRegularizer(Critic(Architecture(3, width=4, depth=3))))


def done(picture: str, method: str, psnr: float | None, channels: int = 3) -> Done:
    clean = cartoon(20, 30, channels)
    score = Score(picture, DENOISE, method, Metrics(psnr, None, None, None))
    return Done(score, clean, clean, False, None)


def test_a_row_for_each_picture_ends_with_the_clean_one() -> None:
    rows = pictures.rows_of([done("a", "observed", 20), done("a", "tv", 25), done("b", "observed", 21, 1)])
    assert [[panel.title for panel in row] for row in rows] == [
        ["observed", "tv", "clean"],
        ["observed", "clean"],
    ]
    assert rows[0][1].psnr == 25 and rows[0][2].psnr is None
    assert shape_of(pictures.draw(rows))[1] == 960


@pytest.mark.parametrize("psnr", [None, 25.0])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_trace_of_any_length_can_be_drawn(count: int, psnr: float | None) -> None:
    moments = [Moment(n, 2.0 - n / 9, 1.0, 0.5, psnr) for n in range(count)]
    assert shape_of(energy_plot.draw_trace(moments))[1] == 960


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(20, 30), (30, 8)])
def test_maps_of_scores_can_be_drawn(shape: tuple[int, int], channels: int) -> None:
    picture = cartoon(*shape, channels)
    scores = picture.mean(axis=2)
    assert shape_of(energy_plot.draw_scores(picture, picture, scores, 0 * scores))[1] == 960


def test_figures_are_the_same_bytes_each_time() -> None:
    moments = [Moment(n, 1.0 - n / 9, 0.5, 0.1, None) for n in range(3)]
    assert energy_plot.draw_trace(moments) == energy_plot.draw_trace(moments)
