"""Weights files: what is written is read again, and errors are one sentence."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from alr_cli import __version__
from alr_cli.core.priors.critic import Architecture, Critic
from alr_cli.errors import OutputError, WeightsError
from alr_cli.files import weights as module
from alr_cli.files.weights import (
    CHECKPOINT,
    load_weights,
    read_metadata,
    read_tensors,
    save_weights,
    tensor_hash,
    write_tensors,
)
from tests.core.toys import deep
from tests.files.forgery import ARCHITECTURE, METADATA, parts, refusal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A valid file."""
    save_weights(tmp_path / "good.safetensors", deep(Critic(ARCHITECTURE)), METADATA)
    return tmp_path / "good.safetensors"


# --- what is written comes back ---


@pytest.mark.parametrize(
    "architecture", [Architecture(), Architecture(1, 5, 3, "softplus"), Architecture(3, 1, 2, "leaky_relu")]
)
def test_a_critic_comes_back_bit_for_bit(architecture: Architecture, tmp_path: Path) -> None:
    critic = Critic(architecture)
    next(critic.parameters()).data.flatten()[0] = -0.0
    digest = save_weights(tmp_path / "mine.safetensors", deep(critic), METADATA)
    loaded = load_weights(str(tmp_path / "mine.safetensors"))
    assert (
        loaded.prior.description == {"kind": "deep", **architecture.as_dict()}
        and loaded.channels == architecture.channels
    )
    for (name, value), (other_name, other) in zip(
        critic.state_dict().items(), loaded.prior.network.state_dict().items(), strict=True
    ):
        assert name == other_name and value.numpy().tobytes() == other.numpy().tobytes()
    assert loaded.sha256 == digest == tensor_hash(critic.state_dict())
    assert (loaded.name, loaded.sigma_range) == ("mine", (0.05, 0.3))
    assert loaded.lam(0.05) == pytest.approx(0.01) and loaded.lam(0.3) == pytest.approx(0.2)
    assert loaded.metadata["data"] == METADATA["data"] and loaded.metadata["version"] == __version__
    assert not loaded.prior.network.training


def test_the_same_critic_gives_the_same_bytes(tmp_path: Path) -> None:
    critic = Critic(ARCHITECTURE)
    for name in ("a", "b"):
        save_weights(tmp_path / name, deep(critic), METADATA)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_layout_in_memory_does_not_matter(tmp_path: Path) -> None:
    critic = Critic(Architecture(3, 4, 3))
    expected = save_weights(tmp_path / "a", deep(critic), METADATA)
    channels_last = critic.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert save_weights(tmp_path / "b", deep(channels_last), METADATA) == expected
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_tensors_of_every_type_come_back(tmp_path: Path) -> None:
    tensors = {
        "step": torch.tensor(7),
        "generator": torch.Generator().manual_seed(1).get_state(),
        "empty": torch.zeros(0, 3),
        "bfloat16": torch.randn(3, 2).bfloat16(),
        "bool": torch.tensor([True, False]),
        "double": torch.randn(4, dtype=torch.float64),
    }
    digest = write_tensors(tmp_path / "state", tensors, {"note": "hello"}, CHECKPOINT)
    found, metadata = read_tensors(tmp_path / "state", CHECKPOINT)
    assert found.keys() == tensors.keys()
    for name, value in tensors.items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value)
    assert metadata["note"] == "hello" and metadata["sha256"] == digest


def test_the_description_is_read_without_torch(path: Path) -> None:
    program = (
        "import sys; from alr_cli.files.weights import read_metadata; "
        f"assert read_metadata({str(path)!r})['sigma_range'] == [0.05, 0.3]; "
        "assert not {'torch', 'numpy', 'safetensors'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_loaded_weights_do_not_depend_on_the_file(path: Path) -> None:
    loaded = load_weights(str(path))
    before = tensor_hash(loaded.prior.network.state_dict())
    path.write_bytes(b"")
    assert tensor_hash(loaded.prior.network.state_dict()) == before


def test_a_name_without_a_slash_may_be_shipped_or_a_file_here(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "shipped_folder", lambda: tmp_path / "shipped")
    assert module.shipped_names() == []
    assert load_weights("good.safetensors").name == "good"
    with pytest.raises(WeightsError, match="no weights 'good'"):
        load_weights("good")
    (tmp_path / "shipped").mkdir()
    save_weights(tmp_path / "shipped" / "good.safetensors", deep(Critic(Architecture(3, 2, 2))), METADATA)
    assert module.shipped_names() == ["good"] and load_weights("good").channels == 3
    assert load_weights("./good.safetensors").channels == 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_json_cannot_store_are_not_written(bad: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        save_weights(tmp_path / "bad", deep(Critic(ARCHITECTURE)), METADATA | {"psnr": bad})
    assert not (tmp_path / "bad").exists()


def test_a_folder_that_is_missing_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        save_weights(tmp_path / "nowhere" / "mine", deep(Critic(ARCHITECTURE)), METADATA)


# --- files that cannot be read ---


def test_a_checkpoint_is_not_a_critic_and_a_critic_no_checkpoint(path: Path) -> None:
    with pytest.raises(WeightsError, match="alr-checkpoint-1"):
        read_tensors(path, CHECKPOINT)
    write_tensors(path, parts()[0], parts()[1], CHECKPOINT)
    assert "alr-critic-1" in refusal(path)


@pytest.mark.parametrize(
    "name", ["missing.safetensors", "no/such/folder.safetensors", "", "x" * 5000, "a\0b"]
)
def test_a_missing_file_is_refused_with_the_existing_names(name: str, tmp_path: Path) -> None:
    for read in (load_weights, read_metadata):
        with pytest.raises(WeightsError, match=r"safetensors|cannot be read"):
            read(str(tmp_path / name) if name else "")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    refusal(tmp_path)


@contextmanager
def without_rights(path: Path) -> Iterator[None]:
    """Make the file unreadable. The superuser, who can read it anyway, becomes another user."""
    path.chmod(0)
    superuser = os.geteuid() == 0
    if superuser:
        os.seteuid(65534)
    try:
        yield
    finally:
        if superuser:
            os.seteuid(0)
        path.chmod(0o600)


def test_a_file_without_the_right_to_read_it_is_refused(path: Path) -> None:
    for folder in (path.parent, path.parent.parent, path.parent.parent.parent):
        folder.chmod(0o755)
    load_weights(str(path))  # everything is imported now
    for read in (load_weights, read_metadata):
        with without_rights(path), pytest.raises(WeightsError, match="ermission denied"):
            read(str(path))


def test_a_folder_without_the_right_to_enter_it_is_refused(path: Path) -> None:
    load_weights(str(path))
    with without_rights(path.parent), pytest.raises(WeightsError, match="ermission denied"):
        load_weights(str(path))
    path.parent.chmod(0o700)


def test_a_file_of_more_than_a_gigabyte_is_not_even_read(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate((1 << 30) + 1)  # sparse
    assert "larger than 1 GiB" in refusal(path)


def test_hashes_see_names_types_shapes_and_bits() -> None:
    base = {"a": torch.zeros(2, 3), "b": torch.ones(4)}
    others: list[dict[str, Tensor]] = [
        {"a": torch.zeros(3, 2), "b": torch.ones(4)},
        {"a": torch.zeros(2, 3), "c": torch.ones(4)},
        {"a": torch.zeros(2, 3).double(), "b": torch.ones(4)},
        {"a": -torch.zeros(2, 3), "b": torch.ones(4)},
        {"a": torch.zeros(2, 3)},
    ]
    digests = [tensor_hash(tensors) for tensors in (base, *others)]
    assert len(set(digests)) == len(digests)
    assert tensor_hash(dict(reversed(base.items()))) == digests[0]
    assert np.unique([len(digest) for digest in digests]).tolist() == [64]
