"""Weights files of flows: what is saved is loaded again in half precision, and false descriptions are refused
quickly."""

import time
from pathlib import Path
from typing import Any

import pytest
import torch

from alr_cli.core.priors.flow import FlowPrior
from alr_cli.core.training.calibration import LambdaCurve
from alr_cli.files.weights import load_weights, save_weights, tensor_hash
from tests.core.flows import TINY, a_flow, waves
from tests.files.forgery import forged, refusal

CURVE = LambdaCurve(((0.01, 1e-4), (0.2, 1e-2)))
METADATA: dict[str, Any] = {"sigma_range": [0.01, 0.2], "lam": [list(point) for point in CURVE.points]}


def test_a_flow_in_half_precision_comes_back_and_still_has_its_inverse(tmp_path: Path) -> None:
    flow = a_flow()
    save_weights(tmp_path / "flow.safetensors", FlowPrior(flow.half(), (0.01, 0.2), CURVE), METADATA)
    weights = load_weights(str(tmp_path / "flow.safetensors"))
    regularizer = weights.prior.at(0.1)
    x = waves(2, TINY, torch.Generator().manual_seed(4))
    assert torch.equal(
        regularizer.value_and_grad(x)[0],
        FlowPrior(flow.float(), (0.01, 0.2), CURVE).at(0.1).value_and_grad(x)[0],
    )
    assert weights.lam(0.01) == pytest.approx(1e-4)


LIES: dict[str, dict[str, Any]] = {
    "a size of a billion": {"size": 10**9},
    "the largest flow there is": {"size": 1024, "levels": 8, "steps": 16, "width": 4096},
    "another size": {"size": 16},
    "a size in words": {"size": "8"},
    "a fractional size": {"size": 8.5},
    "more levels than the size has halves": {"levels": 7},
    "steps without end": {"steps": 10**9},
    "four channels": {"channels": 4},
    "a volume beyond measure": {"volume": 1e300},
    "a volume that is not a number": {"volume": float("nan")},
    "a volume in words": {"volume": "all"},
    "another kind": {"kind": "deep"},
    "no kind that there is": {"kind": "__import__('os')"},
    "an unknown setting": {"stride": 2},
}


@pytest.mark.parametrize("name", LIES)
def test_a_flow_with_a_false_description_is_refused(name: str, tmp_path: Path) -> None:
    prior = FlowPrior(a_flow(), (0.01, 0.2), CURVE)
    tensors = prior.network.state_dict()
    lie = METADATA | {"architecture": prior.description | LIES[name], "sha256": tensor_hash(tensors)}
    started = time.process_time()
    refusal(forged(tmp_path / "lie.safetensors", tensors, lie))
    assert time.process_time() - started < 5


def test_non_finite_numbers_are_refused(tmp_path: Path) -> None:
    flow = a_flow()
    with torch.no_grad():
        flow.mean[0, 0, 0] = torch.nan
    path = tmp_path / "nan.safetensors"
    save_weights(path, FlowPrior(flow, (0.01, 0.2), CURVE), METADATA)
    assert "non-finite" in refusal(path)
