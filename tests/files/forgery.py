"""Valid weights files, and forged ones with correct hashes."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save
from torch import Tensor

from alr_cli.core.priors.critic import Architecture, Critic
from alr_cli.errors import WeightsError
from alr_cli.files.weights import FORMAT, load_weights, tensor_hash

ARCHITECTURE = Architecture(channels=1, width=3, depth=2, activation="silu")
METADATA: dict[str, Any] = {
    "sigma_range": [0.05, 0.3],
    "lam": [[0.05, 0.01], [0.3, 0.2]],
    "data": {"clean": "Bildnöte"},
}


def refusal(path: Path) -> str:
    """The sentence with which a file is refused. Its header may still be valid."""
    with pytest.raises(WeightsError) as caught:
        load_weights(str(path))
    sentence = str(caught.value)
    assert str(path) in sentence and sentence.isprintable() and len(sentence) < 400
    return sentence


def forged(path: Path, tensors: dict[str, Tensor], metadata: object, **fields: str) -> Path:
    """A forged file with correct hashes."""
    text = metadata if isinstance(metadata, str) else json.dumps(metadata)
    hashed = hashlib.sha256(text.encode()).hexdigest()
    path.write_bytes(save(tensors, {"format": FORMAT, "alr": text, "alr_sha256": hashed} | fields))
    return path


def parts() -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the description of a valid file, to be changed before they are written."""
    tensors = {name: value.detach().clone() for name, value in Critic(ARCHITECTURE).state_dict().items()}
    return tensors, {**METADATA, "architecture": ARCHITECTURE.as_dict(), "sha256": tensor_hash(tensors)}


def raw(header: bytes, body: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header + body
