"""Weights files: safetensors (tensors and JSON, nothing that executes) that describe themselves.

The metadata carries the architecture, the training recipe, the sigma range, lambda(sigma), a description of
the data, the version of the code and the SHA-256 of the tensors. Whatever is wrong with a file is one
`WeightsError`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alr_cli import __version__
from alr_cli.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

    from alr_cli.core.critic import Critic

FORMAT = "alr-critic-1"
CHECKPOINT = "alr-checkpoint-1"
SUFFIX = ".safetensors"
_MAX_BYTES = 1 << 30


@dataclass(frozen=True)
class Weights:
    """A critic ready to use, and what is known of it.

    sigma_range: the noise levels it was trained for.  lam: sigma -> lambda, fitted (see calibration).
    """

    critic: Critic
    channels: int
    sigma_range: tuple[float, float]
    lam: Callable[[float], float]
    metadata: dict[str, Any]
    sha256: str
    name: str


def shipped_folder() -> Path:
    """Where the shipped weights are: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "weights"
    return inside if inside.is_dir() else package.parent / "weights"


def shipped_names() -> list[str]:
    return sorted(path.name.removesuffix(SUFFIX) for path in shipped_folder().glob(f"*{SUFFIX}"))


def default_name(channels: int) -> str:
    """The shipped critic for pictures of 1 or 3 channels."""
    return "gray-paper" if channels == 1 else "color-paper"


def locate(name_or_path: str) -> Path:
    """A shipped name or a path -> the file. Raises WeightsError if there is none."""
    shipped = shipped_folder() / f"{name_or_path}{SUFFIX}"
    if "/" not in name_or_path and shipped.is_file():
        return shipped
    path = Path(name_or_path)
    if path.is_file():
        return path
    names = ", ".join(shipped_names()) or "none"
    raise WeightsError(
        f"no weights {name_or_path!r}: give a .safetensors file or one of the shipped names: {names}"
    )


def save_weights(path: Path, critic: Critic, metadata: Mapping[str, Any]) -> str:
    """Write a critic atomically; returns the SHA-256 of its tensors. `metadata` must be JSON-able and carry
    `sigma_range` and `lam` (pairs [sigma, lambda])."""
    tensors = {name: value.detach().cpu() for name, value in critic.state_dict().items()}
    return write_tensors(path, tensors, {**metadata, "architecture": critic.architecture.as_dict()}, FORMAT)


def load_weights(name_or_path: str) -> Weights:
    """Read, verify and build. Raises WeightsError."""
    import torch

    from alr_cli.core.calibration import LambdaCurve
    from alr_cli.core.critic import Architecture, Critic

    path = locate(name_or_path)
    tensors, metadata = read_tensors(path, FORMAT)
    try:
        architecture = Architecture(**metadata["architecture"])
        with torch.device("meta"):
            critic = Critic(architecture)
        critic.load_state_dict(tensors, strict=True, assign=True)
        low, high = (float(value) for value in metadata["sigma_range"])
        curve = LambdaCurve(tuple((float(s), float(value)) for s, value in metadata["lam"]))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{path}: the weights do not fit their description; get a fresh copy ({error})"
        ) from error
    critic = critic.float().eval()
    if not all(bool(torch.isfinite(value).all()) for value in critic.state_dict().values()):
        raise WeightsError(f"{path}: the weights hold non-finite numbers; get a fresh copy")
    name = path.name.removesuffix(SUFFIX)
    return Weights(critic, architecture.channels, (low, high), curve, metadata, metadata["sha256"], name)


def read_metadata(name_or_path: str) -> dict[str, Any]:
    """The description alone, without torch and without reading the tensors. Raises WeightsError."""
    path = locate(name_or_path)
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= 10_000_000:
                raise ValueError("no safetensors header")
            header = json.loads(file.read(length))
        return _metadata(header["__metadata__"], FORMAT)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError(f"{path}: not a readable alr weights file; get a fresh copy ({error})") from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], kind: str) -> str:
    """Tensors and JSON-able metadata -> one safetensors file, atomically. Returns the hash."""
    from safetensors.torch import save

    from alr_cli.files.pictures import write_atomic

    tensors = {name: value.contiguous() for name, value in tensors.items()}
    digest = tensor_hash(tensors)
    described = {**metadata, "sha256": digest, "version": __version__}
    data = save(
        dict(tensors), {"format": kind, "alr": json.dumps(described, sort_keys=True, allow_nan=False)}
    )
    write_atomic(path, data)
    return digest


def read_tensors(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The inverse of `write_tensors`, verified against the hash. Raises WeightsError."""
    from safetensors import SafetensorError, safe_open

    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError("it is larger than 1 GiB")
        with safe_open(path, framework="pt") as file:
            metadata = _metadata(file.metadata() or {}, kind)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
        raise WeightsError(f"{path}: not a readable alr weights file; get a fresh copy ({error})") from error
    if tensor_hash(tensors) != metadata.get("sha256"):
        raise WeightsError(
            f"{path}: the weights are damaged (their SHA-256 does not match); get a fresh copy"
        )
    return tensors, metadata


def tensor_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}:{value.dtype}:{tuple(value.shape)};".encode())
        digest.update(np.ascontiguousarray(value.reshape(-1).numpy()).tobytes())
    return digest.hexdigest()


def _metadata(fields: Mapping[str, str], kind: str) -> dict[str, Any]:
    if fields.get("format") != kind:
        raise ValueError(f"its format is {fields.get('format')!r}, not {kind!r}")
    metadata = json.loads(fields["alr"])
    if not isinstance(metadata, dict):
        raise ValueError("its description is not a table")
    return metadata
