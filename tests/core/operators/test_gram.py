"""(I + t A A*)^-1: it inverts what it says, for every size and scale, and beyond a crop."""

import pytest
import torch

from alr_cli.core.operators.compose import Compose
from alr_cli.core.operators.convolution import Convolution
from alr_cli.core.operators.downsample import bicubic, box
from alr_cli.core.operators.gram import HasGram
from alr_cli.core.operators.pixels import Crop
from alr_cli.core.operators.protocol import LinearOperator
from tests.core.energies import KERNEL, noise

OPERATORS: dict[str, LinearOperator] = {
    "bicubic": bicubic((12, 20), 2),
    "bicubic, sizes that are no multiples": bicubic((13, 17), 3),
    "box": box((16, 12), 4),
    "bicubic of a crop": Compose(bicubic((12, 20), 2), Crop((16, 24), 2)),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_it_is_the_inverse(name: str) -> None:
    operator = OPERATORS[name]
    assert isinstance(operator, HasGram) and operator.solve_gram is not None
    t = torch.tensor([0.2, 900.0], dtype=torch.float64)
    y = noise(2, 3, *operator.output_shape)
    found = operator.solve_gram(y, t)
    back = found + t[:, None, None, None] * operator.forward(operator.adjoint(found))
    torch.testing.assert_close(back, y, atol=1e-10, rtol=0)


def test_it_is_unknown_after_a_blur() -> None:
    operator = Compose(bicubic((12, 20), 2), Convolution(KERNEL, (12, 20), "circular"))
    assert isinstance(operator, HasGram) and operator.solve_gram is None
