"""From odds to a mask: the share of defects is counted, and decides about detail that is in doubt."""

from itertools import pairwise

import numpy as np
import pytest

from alr_cli.core.defects.detector import TRAINED_SHARE
from alr_cli.core.defects.marking import LARGEST_SHARE, LEAST_SHARE, marked, share_of
from alr_cli.core.defects.scores import Scores


def drawn(share: float, distance: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    """Defective pixels with this share, and the odds of an ideal detector that sees Gaussian evidence."""
    rng = np.random.default_rng(0)
    defective = rng.random((200, 200)) < share
    evidence = rng.normal(np.where(defective, distance / 2, -distance / 2), 1)
    return defective, distance * evidence + np.log(TRAINED_SHARE / (1 - TRAINED_SHARE))


def test_the_share_of_defects_is_counted_within_bounds() -> None:
    shares = (0.0, 0.001, 0.004, 0.016, 0.9)
    none, *between, all_ = (share_of(drawn(share, 6.0)[1]) for share in shares)
    assert (none, all_) == (LEAST_SHARE, LARGEST_SHARE)
    for (share, found), (other, twice) in pairwise(zip(shares[1:-1], between, strict=True)):
        assert twice / found == pytest.approx(other / share, rel=0.3)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1])
def test_more_is_marked_where_more_is_defective(share: float) -> None:
    defective, odds = drawn(share, 6.0)
    mask = marked(odds)
    assert mask[defective].mean() > 0.9 if share else not mask.any()
    assert mask[~defective].mean() < 0.1 * share + 0.001


def test_doubtful_detail_is_marked_beside_dust_and_not_alone() -> None:
    odds = np.full((60, 60), -12.0)
    odds[5:9, 5:9] = 1.0  # a little like dust
    assert not marked(odds).any()
    odds[30:50, 30:50] = 9.0
    mask = marked(odds)
    assert mask[30:50, 30:50].all() and mask[5:9, 5:9].all() and mask.sum() == 416


def test_gray_pictures_have_more_defects_than_are_certain() -> None:
    _, odds = drawn(0.05, 3.0)
    assert share_of(odds, gray=True) > share_of(odds) > LEAST_SHARE
    assert marked(odds, gray=True).sum() > marked(odds).sum()


def test_sensitivity_marks_more() -> None:
    _, odds = drawn(0.05, 3.0)
    sizes = [int(marked(odds, sensitivity).sum()) for sensitivity in (0.1, 1.0, 10.0)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[1] < sizes[2]


def test_scores_add_up() -> None:
    defective = np.zeros((4, 5), bool)
    defective[0] = True
    mask = defective.copy()
    mask[0, 0], mask[1, :2] = False, True
    one = Scores.of(defective, mask, ~mask & defective)
    assert (one.recall, one.precision, one.false_share) == (0.8, pytest.approx(4 / 6), 0.05)
    assert (one + one).as_dict() == one.as_dict()
    nothing = Scores.of(defective, np.zeros_like(mask), np.zeros_like(mask))
    assert (nothing.recall, nothing.precision) == (0.0, 1.0)
    assert "0.000 % of clean pixels" in str(nothing)
