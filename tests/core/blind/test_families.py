import numpy as np
import pytest

from alr_cli.core.blind.families import FAMILIES, fit
from alr_cli.core.blind.spectrum import evidence, spectrum, transfer_of
from alr_cli.core.operators.kernels import parse_kernel
from tests.core.blind.scenes import SIGMA, blurred


@pytest.mark.parametrize(
    ("name", "spec", "parameters"),
    [
        ("gaussian", "gaussian:9:1.2", (1.2,)),
        ("gaussian", "gaussian:15:2.4", (2.4,)),
        ("disk", "disk:2.3", (2.3,)),
        ("disk", "disk:4.6", (4.6,)),
        ("motion", "motion:7:30", (7, 30)),
        ("motion", "motion:21:140", (21, 140)),
    ],
)
def test_the_parameters_of_a_blur_are_found(name: str, spec: str, parameters: tuple[float, ...]) -> None:
    y = spectrum(blurred(parse_kernel(spec), side=200), SIGMA)
    found = fit(FAMILIES[name], y, 61)
    assert found.parameters[0] == pytest.approx(parameters[0], rel=0.15)
    assert found.parameters[1:] == pytest.approx(parameters[1:], abs=6)
    assert found.between[0] < found.parameters[0] < found.between[1]


@pytest.mark.parametrize(("spec", "name"), [("gaussian:13:2", "gaussian"), ("disk:3.3", "disk")])
def test_the_true_family_explains_a_blur_best(spec: str, name: str) -> None:
    y = spectrum(blurred(parse_kernel(spec)), SIGMA)
    costs = {each: fit(FAMILIES[each], y, 61).cost for each in ("gaussian", "disk")}
    assert min(costs, key=lambda each: costs[each]) == name


@pytest.mark.parametrize(
    ("name", "parameters", "spec"),
    [
        ("gaussian", (2.0,), "gaussian:13:2"),
        ("disk", (3.5,), "disk:3.5"),
        ("motion", (12.0, 35.0), "motion:12:35"),
    ],
)
def test_formulas_agree_with_the_kernels_that_are_used(
    name: str, parameters: tuple[float, ...], spec: str
) -> None:
    y = spectrum(np.zeros((128, 128)), SIGMA)
    exact = transfer_of(parse_kernel(spec), y)
    assert FAMILIES[name].power(parameters, y) == pytest.approx(exact, abs=0.03)


def test_a_kernel_that_did_not_blur_is_less_likely_than_the_one_that_did() -> None:
    true = parse_kernel("motion:9:60")
    y = spectrum(blurred(true), SIGMA)
    costs = [
        evidence(y, transfer_of(parse_kernel(s), y)).cost for s in ("motion:9:60", "motion:9:150", "disk:1")
    ]
    assert costs[0] == min(costs)


def test_pure_noise_determines_no_kernel() -> None:
    noise = np.random.default_rng(0).normal(0.5, SIGMA, (128, 128))
    y = spectrum(noise, SIGMA)
    told = evidence(y, np.ones(y.power.shape)).telling
    assert told < 0.004 * y.power.size
