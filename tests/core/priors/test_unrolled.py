"""The prior of an unrolled descent: descriptions, and problems that it refuses."""

import pytest
import torch

from alr_cli.core import problems
from alr_cli.core.defaults import choose
from alr_cli.core.operators.kernels import parse_kernel
from alr_cli.core.priors.slope import Slope
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.core.priors.unrolled import UnrolledNetwork, UnrolledPrior
from alr_cli.core.solver_options import SolverOptions
from alr_cli.core.solvers.unrolled import Unrolls
from alr_cli.core.tasks import Upscaling
from alr_cli.errors import UsageError

SMALL = UNetArchitecture(1, (4, 8), (1, 1))


def prior(task: str = "upscale:2", steps: int = 3, explicit: bool = False) -> UnrolledPrior:
    random = torch.Generator().manual_seed(0)
    network = UnrolledNetwork(Slope(UNet(SMALL, random), explicit, 0.1), steps)
    network.log_sizes.data.uniform_(-0.5, 1.0, generator=random)
    network.log_weights.data.uniform_(-2.0, 0.0, generator=random)
    return UnrolledPrior(network, task, (0.01, 0.01), lambda sigma: 2.0)


@pytest.mark.parametrize("explicit", [False, True])
def test_a_prior_is_what_its_description_says(explicit: bool) -> None:
    one = prior(explicit=explicit)
    fields = dict(one.description)
    assert fields.pop("kind") == UnrolledPrior.kind
    built = UnrolledPrior.described(fields, one.sigma_range, one.lam)
    assert all(parameter.is_meta for parameter in built.network.parameters())
    built.network.load_state_dict(one.network.state_dict(), assign=True)
    y = torch.rand(1, 1, 8, 8)
    problem = Upscaling(2).problem(y, 0, 0.0)
    assert torch.equal(one.network.restored(problem), built.network.restored(problem))
    assert built.task == one.task and built.at(0.1).pace == one.at(0.5).pace


GOOD = {key: value for key, value in prior().description.items() if key != "kind"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"task": "denoise"},
        {"task": 2},
        {"steps": 0},
        {"steps": 1000},
        {"steps": "3"},
        {"scale": 0.0},
        {"explicit": 1},
        {"channels": 3},
        {"gradient": {**SMALL.as_dict(), "widths": [10**9, 8]}},
        {"another": 1},
    ],
)
def test_invalid_descriptions_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError, UsageError)):
        UnrolledPrior.described({**GOOD, **wrong}, (0.01, 0.01), lambda sigma: sigma)


@pytest.mark.parametrize("part", list(GOOD))
def test_a_description_without_a_part_is_refused(part: str) -> None:
    with pytest.raises(KeyError):
        UnrolledPrior.described(
            {name: value for name, value in GOOD.items() if name != part}, (0.01, 0.01), lambda sigma: sigma
        )


@pytest.mark.parametrize("solver", ["default", "unrolled", "pnp-gd", "adam"])
def test_another_task_is_refused_whatever_the_solver(solver: str) -> None:
    regularizer, y = prior().at(0.01), torch.rand(1, 1, 16, 16)
    assert isinstance(regularizer, Unrolls)
    for problem in (
        problems.denoising(y, 0),
        problems.deblurring(y, parse_kernel("gaussian:5:1"), 0),
        Upscaling(3).problem(y, 0, 0.0),
    ):
        with pytest.raises(UsageError, match="trained for upscale:2 and nothing else"):
            choose(regularizer, problem, 2.0, 0.01, SolverOptions(solver))
    assert choose(regularizer, Upscaling(2).problem(y, 0, 0.0), 2.0, 0.01).name == "unrolled"
