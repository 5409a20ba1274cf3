"""Weights files: what comes back, and everything that is refused with one sentence and nothing executed."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import Tensor

from alr_cli import __version__
from alr_cli.core.critic import Architecture, Critic
from alr_cli.errors import OutputError, WeightsError
from alr_cli.files import weights as module
from alr_cli.files.weights import (
    CHECKPOINT,
    FORMAT,
    load_weights,
    read_metadata,
    read_tensors,
    save_weights,
    tensor_hash,
    write_tensors,
)

ARCHITECTURE = Architecture(channels=1, width=3, depth=2, activation="silu")
METADATA: dict[str, Any] = {
    "sigma_range": [0.05, 0.3],
    "lam": [[0.05, 0.01], [0.3, 0.2]],
    "data": {"clean": "Bildnöte"},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good file."""
    save_weights(tmp_path / "good.safetensors", Critic(ARCHITECTURE), METADATA)
    return tmp_path / "good.safetensors"


def refusal(path: Path) -> str:
    """The one sentence with which a file is refused. Its header may still be in order."""
    with pytest.raises(WeightsError) as caught:
        load_weights(str(path))
    sentence = str(caught.value)
    assert str(path) in sentence and sentence.isprintable() and len(sentence) < 400
    return sentence


def forged(path: Path, tensors: dict[str, Tensor], metadata: object, **fields: str) -> Path:
    """A file by someone who computes every hash right."""
    text = metadata if isinstance(metadata, str) else json.dumps(metadata)
    hashed = hashlib.sha256(text.encode()).hexdigest()
    path.write_bytes(save(tensors, {"format": FORMAT, "alr": text, "alr_sha256": hashed} | fields))
    return path


def parts() -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the description of a good file, to be changed before they are written."""
    tensors = {name: value.detach().clone() for name, value in Critic(ARCHITECTURE).state_dict().items()}
    return tensors, {**METADATA, "architecture": ARCHITECTURE.as_dict(), "sha256": tensor_hash(tensors)}


def raw(header: bytes, body: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header + body


# --- what is written comes back ---


@pytest.mark.parametrize(
    "architecture", [Architecture(), Architecture(1, 5, 3, "softplus"), Architecture(3, 1, 2, "leaky_relu")]
)
def test_a_critic_comes_back_bit_for_bit(architecture: Architecture, tmp_path: Path) -> None:
    critic = Critic(architecture)
    next(critic.parameters()).data.flatten()[0] = -0.0
    digest = save_weights(tmp_path / "mine.safetensors", critic, METADATA)
    loaded = load_weights(str(tmp_path / "mine.safetensors"))
    assert loaded.critic.architecture == architecture and loaded.channels == architecture.channels
    for (name, value), (other_name, other) in zip(
        critic.state_dict().items(), loaded.critic.state_dict().items(), strict=True
    ):
        assert name == other_name and value.numpy().tobytes() == other.numpy().tobytes()
    assert loaded.sha256 == digest == tensor_hash(critic.state_dict())
    assert (loaded.name, loaded.sigma_range) == ("mine", (0.05, 0.3))
    assert loaded.lam(0.05) == pytest.approx(0.01) and loaded.lam(0.3) == pytest.approx(0.2)
    assert loaded.metadata["data"] == METADATA["data"] and loaded.metadata["version"] == __version__
    assert not loaded.critic.training


def test_the_same_critic_gives_the_same_bytes(tmp_path: Path) -> None:
    critic = Critic(ARCHITECTURE)
    for name in ("a", "b"):
        save_weights(tmp_path / name, critic, METADATA)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_layout_in_memory_does_not_matter(tmp_path: Path) -> None:
    critic = Critic(Architecture(3, 4, 3))
    expected = save_weights(tmp_path / "a", critic, METADATA)
    channels_last = critic.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert save_weights(tmp_path / "b", channels_last, METADATA) == expected
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


def test_loaded_weights_do_not_hang_on_the_file(path: Path) -> None:
    loaded = load_weights(str(path))
    before = tensor_hash(loaded.critic.state_dict())
    path.write_bytes(b"")
    assert tensor_hash(loaded.critic.state_dict()) == before


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
    save_weights(tmp_path / "shipped" / "good.safetensors", Critic(Architecture(3, 2, 2)), METADATA)
    assert module.shipped_names() == ["good"] and load_weights("good").channels == 3
    assert load_weights("./good.safetensors").channels == 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_json_cannot_hold_are_not_written(bad: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        save_weights(tmp_path / "bad", Critic(ARCHITECTURE), METADATA | {"psnr": bad})
    assert not (tmp_path / "bad").exists()


def test_a_folder_that_is_missing_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        save_weights(tmp_path / "nowhere" / "mine", Critic(ARCHITECTURE), METADATA)


# --- damage ---


@pytest.mark.parametrize("mask", [0xFF, 0x01, 0x80])
def test_no_flipped_byte_goes_unnoticed(path: Path, mask: int) -> None:
    good = path.read_bytes()
    header = int.from_bytes(good[:8], "little") + 8
    places = {*range(10), *range(10, header, max(1, header // 70)), header - 1, header, len(good) - 1}
    for place in sorted(places | set(range(header, len(good), 97))):
        damaged = bytearray(good)
        damaged[place] ^= mask
        path.write_bytes(damaged)
        refusal(path)


def test_no_number_of_the_description_changes_unnoticed(path: Path) -> None:
    good = path.read_bytes()
    for before, after in ((b"0.05", b"0.04"), (b"silu", b"relu"), (b"0.2", b"0.9")):
        assert before in good
        path.write_bytes(good.replace(before, after))
        assert "damaged" in refusal(path)
        with pytest.raises(WeightsError):
            read_metadata(str(path))


def test_a_file_that_ends_too_early_or_too_late_is_refused(path: Path) -> None:
    good = path.read_bytes()
    for length in [*range(0, 20), *range(20, len(good), len(good) // 50), len(good) - 1]:
        path.write_bytes(good[:length])
        refusal(path)
    path.write_bytes(good + b"\0")
    refusal(path)


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("how", ["pickle", "torch.save", "pickle behind a header"])
def test_nothing_in_a_file_is_executed(how: str, tmp_path: Path) -> None:
    mark, hostile = tmp_path / "executed", tmp_path / "hostile.safetensors"
    pickle.loads(pickle.dumps(Bomb(mark)))  # it works
    mark.rmdir()
    if how == "torch.save":
        torch.save(Bomb(mark), hostile)
    else:
        data = pickle.dumps(Bomb(mark))
        hostile.write_bytes(raw(b'{"__metadata__":{}}', data) if "header" in how else data)
    refusal(hostile)
    with pytest.raises(WeightsError):
        read_metadata(str(hostile))
    assert not mark.exists()


ONE = b'"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
HEADERS: dict[str, bytes] = {
    "no header": b"",
    "a length and nothing else": (100).to_bytes(8, "little"),
    "a length of all memory": (2**64 - 1).to_bytes(8, "little") + b"{}",
    "a length beyond the end": (9_000_000).to_bytes(8, "little") + b"{}",
    "not JSON": raw(b"PK\x03\x04" + bytes(60)),
    "not UTF-8": raw(b'{"\xff\xfe":1}'),
    "a list": raw(b"[1, 2, 3]"),
    "a number": raw(b"12345678"),
    "a number of many digits": raw(b"1" * 100_000),
    "deep nesting": raw(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "deep lists": raw(b"[" * 500_000),
    "no description": raw(b"{" + ONE + b"}", bytes(4)),
    "a description that is a word": raw(b'{"__metadata__":"alr",' + ONE + b"}", bytes(4)),
    "a description that is a list": raw(b'{"__metadata__":["format"],' + ONE + b"}", bytes(4)),
    "a description of numbers": raw(
        b'{"__metadata__":{"format":1,"alr":2,"alr_sha256":3},' + ONE + b"}", bytes(4)
    ),
    "another format": raw(b'{"__metadata__":{"format":"pt"},' + ONE + b"}", bytes(4)),
    "control characters": raw(b'{"__metadata__":{"format":"\\u001b[31mred"},' + ONE + b"}", bytes(4)),
    "a text file": b"A critic is a network.\n" * 50,
    "a PNG": b"\x89PNG\r\n\x1a\n" + bytes(100),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_hostile_header_is_refused(name: str, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile.safetensors"
    hostile.write_bytes(HEADERS[name])
    refusal(hostile)
    with pytest.raises(WeightsError, match=r"hostile\.safetensors"):
        read_metadata(str(hostile))


TENSORS: dict[str, bytes] = {
    "offsets beyond the end": b'"t":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}',
    "a shape that overflows": b'"t":{"dtype":"F32","shape":[9223372036854775807,4],"data_offsets":[0,4]}',
    "a shape that does not fit": b'"t":{"dtype":"F32","shape":[3],"data_offsets":[0,4]}',
    "negative offsets": b'"t":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}',
    "an unknown type": b'"t":{"dtype":"PICKLE","shape":[1],"data_offsets":[0,4]}',
    "a type of half bytes": b'"t":{"dtype":"F4","shape":[8],"data_offsets":[0,4]}',
    "overlapping tensors": ONE + b',"u":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}',
}


@pytest.mark.parametrize("name", TENSORS)
def test_hostile_tensors_are_refused(name: str, tmp_path: Path) -> None:
    text = json.dumps(parts()[1])
    fields = {"format": FORMAT, "alr": text, "alr_sha256": hashlib.sha256(text.encode()).hexdigest()}
    header = b'{"__metadata__":' + json.dumps(fields).encode() + b"," + TENSORS[name] + b"}"
    hostile = tmp_path / "hostile.safetensors"
    hostile.write_bytes(raw(header, bytes(4)))
    refusal(hostile)


# --- descriptions that lie, with the right hashes ---

LIES: dict[str, dict[str, Any]] = {
    "no architecture": {"architecture": None},
    "another width": {"architecture": ARCHITECTURE.as_dict() | {"width": 4}},
    "a width of a billion": {"architecture": ARCHITECTURE.as_dict() | {"width": 10**9}},
    "the largest critic there is": {"architecture": ARCHITECTURE.as_dict() | {"width": 4096, "depth": 64}},
    "a negative width": {"architecture": ARCHITECTURE.as_dict() | {"width": -3}},
    "a fractional width": {"architecture": ARCHITECTURE.as_dict() | {"width": 3.5}},
    "a width in words": {"architecture": ARCHITECTURE.as_dict() | {"width": "3"}},
    "a depth too large": {"architecture": ARCHITECTURE.as_dict() | {"depth": 10**9}},
    "four channels": {"architecture": ARCHITECTURE.as_dict() | {"channels": 4}},
    "another number of channels": {"architecture": ARCHITECTURE.as_dict() | {"channels": 3}},
    "an unknown activation": {"architecture": ARCHITECTURE.as_dict() | {"activation": "__import__('os')"}},
    "an activation that is a list": {"architecture": ARCHITECTURE.as_dict() | {"activation": ["silu"]}},
    "an unknown setting": {"architecture": ARCHITECTURE.as_dict() | {"stride": 2}},
    "an architecture that is a list": {"architecture": [1, 3, 2, "silu"]},
    "no noise range": {"sigma_range": None},
    "a noise range of one": {"sigma_range": [0.1]},
    "a noise range the wrong way round": {"sigma_range": [0.3, 0.1]},
    "a noise range that is not a number": {"sigma_range": [float("nan"), 0.1]},
    "an infinite noise range": {"sigma_range": [0.1, float("inf")]},
    "a noise range too large for a float": {"sigma_range": [0, 10**400]},
    "no lambda": {"lam": []},
    "a lambda that is a number": {"lam": 0.1},
    "a negative lambda": {"lam": [[0.1, -1.0]]},
    "a lambda that is not a number": {"lam": [[0.1, float("nan")]]},
    "lambda points out of order": {"lam": [[0.2, 1.0], [0.1, 1.0]]},
    "lambda points of three": {"lam": [[0.1, 1.0, 2.0]]},
    "a wrong hash": {"sha256": "0" * 64},
    "a hash that is a number": {"sha256": 0},
    "control characters in a name": {"architecture": ARCHITECTURE.as_dict() | {"activation": "\x1b[31m\n\n"}},
}


@pytest.mark.parametrize("name", LIES)
def test_a_description_that_lies_is_refused(name: str, tmp_path: Path) -> None:
    tensors, metadata = parts()
    refusal(forged(tmp_path / "lie.safetensors", tensors, metadata | LIES[name]))


@pytest.mark.parametrize("missing", ["architecture", "sigma_range", "lam", "sha256"])
def test_a_description_that_lacks_something_is_refused(missing: str, tmp_path: Path) -> None:
    tensors, metadata = parts()
    del metadata[missing]
    refusal(forged(tmp_path / "lie.safetensors", tensors, metadata))


@pytest.mark.parametrize("text", ["", "[]", "1", "null", "{", "[" * 100_000, '{"a":' * 100_000])
def test_a_description_that_is_no_table_is_refused(text: str, tmp_path: Path) -> None:
    hostile = forged(tmp_path / "lie.safetensors", parts()[0], text)
    refusal(hostile)
    with pytest.raises(WeightsError):
        read_metadata(str(hostile))


Change = Callable[[dict[str, Tensor]], dict[str, Tensor]]
CHANGES: dict[str, Change] = {
    "one too few": lambda tensors: {k: v for k, v in tensors.items() if k != "layers.0.bias"},
    "none": lambda tensors: {},
    "one too many": lambda tensors: tensors | {"layers.1.weight": torch.zeros(1)},
    "one renamed": lambda tensors: {k.replace("0.bias", "0.Bias"): v for k, v in tensors.items()},
    "a wrong shape": lambda tensors: tensors | {"layers.0.bias": torch.zeros(4)},
    "not a number": lambda tensors: tensors | {"layers.0.bias": torch.full((3,), torch.nan)},
    "infinite": lambda tensors: tensors | {"layers.2.bias": torch.full((1,), torch.inf)},
    "whole numbers": lambda tensors: {k: v.to(torch.int32) for k, v in tensors.items()},
    "complex numbers": lambda tensors: {k: v.to(torch.complex64) for k, v in tensors.items()},
    "other precisions": lambda tensors: tensors | {"layers.0.bias": torch.zeros(3, dtype=torch.bfloat16)},
}


@pytest.mark.parametrize("name", CHANGES)
def test_tensors_that_do_not_make_a_critic_are_refused(name: str, tmp_path: Path) -> None:
    tensors, metadata = parts()
    changed = CHANGES[name](tensors)
    hostile = forged(tmp_path / "lie.safetensors", changed, metadata | {"sha256": tensor_hash(changed)})
    assert "damaged" not in refusal(hostile)


def test_a_huge_width_costs_no_memory(tmp_path: Path) -> None:
    tensors, metadata = parts()
    hostile = forged(tmp_path / "lie.safetensors", tensors, metadata | LIES["the largest critic there is"])
    program = (
        "import resource, sys; import torch; "
        "from alr_cli.core import calibration, critic; from alr_cli.files.weights import load_weights\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: load_weights(sys.argv[1])\n"
        "except Exception as error: assert type(error).__name__ == 'WeightsError', error\n"
        "assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000"
    )  # in KB; it would be 40 GB
    subprocess.run([sys.executable, "-c", program, str(hostile)], check=True, timeout=60)


# --- files that cannot be read ---


def test_a_checkpoint_is_not_a_critic_and_a_critic_no_checkpoint(path: Path) -> None:
    with pytest.raises(WeightsError, match="alr-checkpoint-1"):
        read_tensors(path, CHECKPOINT)
    write_tensors(path, parts()[0], parts()[1], CHECKPOINT)
    assert "alr-critic-1" in refusal(path)


@pytest.mark.parametrize(
    "name", ["missing.safetensors", "no/such/folder.safetensors", "", "x" * 5000, "a\0b"]
)
def test_a_missing_file_is_refused_with_the_names_there_are(name: str, tmp_path: Path) -> None:
    for read in (load_weights, read_metadata):
        with pytest.raises(WeightsError, match=r"safetensors|cannot be read"):
            read(str(tmp_path / name) if name else "")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    refusal(tmp_path)


@contextmanager
def without_rights(path: Path) -> Iterator[None]:
    """Nobody may read the file; the superuser, who may anyhow, becomes someone else."""
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
