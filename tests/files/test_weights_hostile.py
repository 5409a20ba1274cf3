"""Damaged or false weights files are refused with one sentence, and nothing in them is executed."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from alr_cli.core.priors.critic import Critic
from alr_cli.errors import WeightsError
from alr_cli.files.weights import FORMAT, read_metadata, save_weights, tensor_hash
from tests.core.toys import deep
from tests.files.forgery import ARCHITECTURE, METADATA, forged, parts, raw, refusal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A valid file."""
    save_weights(tmp_path / "good.safetensors", deep(Critic(ARCHITECTURE)), METADATA)
    return tmp_path / "good.safetensors"


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
def test_a_false_description_is_refused(name: str, tmp_path: Path) -> None:
    tensors, metadata = parts()
    refusal(forged(tmp_path / "lie.safetensors", tensors, metadata | LIES[name]))


@pytest.mark.parametrize("missing", ["architecture", "sigma_range", "lam", "sha256"])
def test_an_incomplete_description_is_refused(missing: str, tmp_path: Path) -> None:
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
def test_tensors_of_no_known_critic_are_refused(name: str, tmp_path: Path) -> None:
    tensors, metadata = parts()
    changed = CHANGES[name](tensors)
    hostile = forged(tmp_path / "lie.safetensors", changed, metadata | {"sha256": tensor_hash(changed)})
    assert "damaged" not in refusal(hostile)


def test_a_huge_width_costs_no_memory(tmp_path: Path) -> None:
    tensors, metadata = parts()
    hostile = forged(tmp_path / "lie.safetensors", tensors, metadata | LIES["the largest critic there is"])
    program = (
        "import resource, sys; import torch; "
        "from alr_cli.core.priors import registry; from alr_cli.files.weights import load_weights\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: load_weights(sys.argv[1])\n"
        "except Exception as error: assert type(error).__name__ == 'WeightsError', error\n"
        "assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000"
    )  # in KB; it would be 40 GB
    subprocess.run([sys.executable, "-c", program, str(hostile)], check=True, timeout=60)
