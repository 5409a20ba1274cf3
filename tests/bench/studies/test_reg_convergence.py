"""The courses of plug and play, and the asymmetry of Jacobians."""

import pytest
import torch

from alr_cli.bench.studies import reg_convergence as study
from alr_cli.bench.studies.courses import Course
from alr_cli.bench.studies.reg_settings import BLURS
from tests.bench.studies.test_reg import CLEAN, restorer


def test_convergence_is_followed_for_all_methods() -> None:
    found = list(study.converge([("a", CLEAN)], [restorer()], 2, 0))
    assert [followed[0].blur for followed in found] == list(BLURS)
    assert [len(followed) for followed in found] == [4] * 4


def test_the_table_has_some_iterates_and_the_plot_the_courses() -> None:
    course = Course((1.0, 3.0, 2.0), (0.5, 0.25), "converged", CLEAN)
    found = [study.Followed("a", study.DRAWN, "m", course)]
    row = study.table(found, "t").rows[0]
    assert row == (study.DRAWN, "m", "3.00", *["2.00"] * 6, "3.00", "2.5e-01", "0")
    assert study.draw(found)[:4] == b"\x89PNG"


def test_a_gradient_is_symmetric_and_a_rotation_is_not() -> None:
    x = torch.randn(1, 1, 5, 5, generator=torch.Generator().manual_seed(1))
    matrix = torch.randn(25, 25, generator=torch.Generator().manual_seed(2))

    def linear(of: torch.Tensor) -> float:
        return study.asymmetry(lambda z: (z.reshape(1, 25) @ of).reshape(x.shape), x)

    assert linear(matrix + matrix.T) < 1e-6
    assert linear(matrix - matrix.T) == pytest.approx(1.0)
    assert linear(matrix) == pytest.approx(0.7, abs=0.1)


def test_the_explicit_gradient_is_symmetric_and_a_free_one_is_not() -> None:
    free, explicit = restorer(), restorer(explicit=True)
    found = [study.asymmetry_of(each, CLEAN) for each in (free, explicit)]
    assert found[0] is not None and found[0] > 0.2
    assert found[1] is not None and found[1] < 1e-3
