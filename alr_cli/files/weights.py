"""Weights files: safetensors (tensors and JSON, nothing that can be executed) that describe themselves.

The metadata contain the architecture, the training recipe, the sigma range, lambda(sigma), a description of
the data, the version of the code and the SHA-256 of the tensors. A second hash covers this description, so
that every flipped bit is noticed. Every problem with a file becomes one `WeightsError`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from alr_cli import __version__
from alr_cli.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from alr_cli.core.defects.detector import Detector
    from alr_cli.core.noise.levels import LevelFinder
    from alr_cli.core.priors.protocol import Stored
    from alr_cli.core.weights import Weights

FORMAT = "alr-critic-1"
CHECKPOINT = "alr-checkpoint-1"
DETECTOR = "detector"  # the kind of what finds defects, see core/defects/detector.py
LEVELS = "noise levels"  # the kind of what sees the level of noise, see core/noise/levels.py
LEVEL_FINDER = "noise-levels"
SUFFIX = ".safetensors"
_MAX_BYTES, _MAX_HEADER = 1 << 30, 10_000_000
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, RuntimeError)


def shipped_folder() -> Path:
    """The folder of the shipped weights: beside the package in a checkout, inside it in an installation."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "weights"
    return inside if inside.is_dir() else package.parent / "weights"


def shipped_names() -> list[str]:
    return sorted(path.name.removesuffix(SUFFIX) for path in shipped_folder().glob(f"*{SUFFIX}"))


def default_name(channels: int, held: bool = False, wide: bool = False) -> str:
    """The name of the shipped prior for pictures of 1 or 3 channels.

    Args:
        channels: 1 or 3.
        held: Whether pixels are missing and the others known exactly.
        wide: Whether a wide prior is best.
    """
    kind = "wide" if wide else "holes" if held else "tuned"
    return f"{'gray' if channels == 1 else 'color'}-{kind}"


def locate(name_or_path: str) -> Path:
    """The file for a shipped name or a path. Raises WeightsError if there is none."""
    shipped = shipped_folder() / f"{name_or_path}{SUFFIX}"
    path = Path(name_or_path)
    try:
        if "/" not in name_or_path and shipped.is_file():
            return shipped
        if path.is_file():
            return path
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); check the name and rights") from error
    names = ", ".join(shipped_names()) or "none"
    near = _similar(name_or_path)
    meant = f"did you mean {near}? Otherwise give" if near else "give"
    raise WeightsError(
        f"no weights {name_or_path!r}: {meant} a .safetensors file or one of the shipped names: {names}"
    )


def check_name(name: str) -> None:
    """Raise WeightsError if there is no such file, but shipped weights with a similar name."""
    near = _similar(name)
    if near and not Path(name).exists():
        raise WeightsError(f"no file and no weights {name!r}: did you mean {near}?")


def _similar(name: str) -> str | None:
    near = get_close_matches(name.lower().removesuffix(SUFFIX), shipped_names(), 1, 0.75)
    return near[0] if near else None


def save_weights(path: Path, stored: Stored, metadata: Mapping[str, Any]) -> str:
    """Write a prior or a detector atomically, and return the SHA-256 of its tensors.

    `metadata` must consist of what JSON can represent; for a prior with `sigma_range` and `lam` (pairs
    [sigma, lambda]).
    """
    tensors = {name: value.detach().cpu() for name, value in stored.network.state_dict().items()}
    return write_tensors(path, tensors, {**metadata, "architecture": stored.description}, FORMAT)


def load_weights(name_or_path: str) -> Weights:
    """Read, verify and build a prior. Raises WeightsError."""
    from alr_cli.core.priors.registry import build
    from alr_cli.core.training.calibration import LambdaCurve
    from alr_cli.core.weights import Weights

    check_prior(name_or_path)
    path = locate(name_or_path)
    tensors, metadata = read_tensors(path, FORMAT)
    with _fitting(path):
        low, high = (float(value) for value in metadata["sigma_range"])
        if not 0 <= low <= high < math.inf:
            raise ValueError(f"sigma range {low} to {high}")
        curve = LambdaCurve(tuple((float(s), float(value)) for s, value in metadata["lam"]))
        prior = build(metadata["architecture"], (low, high), curve)
        _fill(prior.network, tensors)
    _check_finite(path, prior.network)
    return Weights(prior, metadata, metadata["sha256"], path.name.removesuffix(SUFFIX))


def load_detector(name_or_path: str) -> Detector:
    """Read, verify and build a detector of defects. Raises WeightsError, also for the weights of a prior."""
    from alr_cli.core.defects.detector import Detector

    check_detector(name_or_path)
    path = locate(name_or_path)
    tensors, metadata = read_tensors(path, FORMAT)
    with _fitting(path):
        detector = Detector.described(metadata["architecture"])
        _fill(detector.network, tensors)
    _check_finite(path, detector.network)
    return detector


@cache
def load_level_finder() -> LevelFinder:
    """The shipped network that sees the level of noise, read once for all pictures. Raises WeightsError."""
    from alr_cli.core.noise.levels import LevelFinder

    path = locate(LEVEL_FINDER)
    tensors, metadata = read_tensors(path, FORMAT)
    with _fitting(path):
        finder = LevelFinder.described(metadata["architecture"])
        _fill(finder.network, tensors)
    return finder


def check_prior(name_or_path: str) -> None:
    """Raise WeightsError for weights of another kind, by the header alone and without torch."""
    kind = _kind_of(read_metadata(name_or_path))
    if kind == DETECTOR:
        raise WeightsError(
            f"{name_or_path} finds defects and is no prior: give it to alr inpaint as --detector"
        )
    if kind == LEVELS:
        raise WeightsError(f"{name_or_path} sees the level of noise and is no prior: omit -w")


def is_detector(name_or_path: str) -> bool:
    """Whether these are weights of a detector, by the header alone and without torch. Raises WeightsError."""
    return _kind_of(read_metadata(name_or_path)) == DETECTOR


def check_detector(name_or_path: str) -> None:
    """Raise WeightsError for weights of another kind, by the header alone and without torch."""
    if not is_detector(name_or_path):
        raise WeightsError(
            f"{name_or_path} finds no defects: give weights of alr train --recipe defects, or omit --detector"
        )


def _kind_of(metadata: Mapping[str, Any]) -> object:
    architecture = metadata.get("architecture")
    return architecture.get("kind") if isinstance(architecture, dict) else None


@contextmanager
def _fitting(path: Path) -> Iterator[None]:
    """Turn the errors of a description that is wrong into a WeightsError."""
    try:
        yield
    except (KeyError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise WeightsError(
            f"{path}: the weights do not fit their description; get a fresh copy ({_briefly(error)})"
        ) from error


def _fill(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a network its numbers. Raises ValueError or RuntimeError if they do not fit."""
    import torch

    if not all(value.dtype in (torch.float32, torch.float16) for value in tensors.values()):
        raise ValueError("the tensors are neither float32 nor float16")
    whole = {name: value.float() for name, value in tensors.items()}
    network.load_state_dict(whole, strict=True, assign=True)
    network.eval()


def _check_finite(path: Path, network: nn.Module) -> None:
    if not all(bool(value.isfinite().all()) for value in network.state_dict().values()):
        raise WeightsError(f"{path}: the weights contain non-finite numbers; get a fresh copy")


def read_metadata(name_or_path: str) -> dict[str, Any]:
    """The description alone, without torch and without reading the tensors. Raises WeightsError."""
    path = locate(name_or_path)
    try:
        with path.open("rb") as file:
            return _metadata(file, FORMAT)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], kind: str) -> str:
    """Write tensors and metadata into one safetensors file, atomically. Returns the hash."""
    from safetensors.torch import save

    from alr_cli.files.atomic import write_atomic

    tensors = {name: value.contiguous() for name, value in tensors.items()}
    digest = tensor_hash(tensors)
    described = {**metadata, "sha256": digest, "version": __version__}
    text = json.dumps(described, sort_keys=True, allow_nan=False)
    fields = {"format": kind, "alr": text, "alr_sha256": _text_hash(text)}
    write_atomic(path, _sorted_header(save(tensors, fields)))
    return digest


def read_tensors(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The inverse of `write_tensors`, verified by the hash. Raises WeightsError.

    The file is read once and not mapped, so that later changes to it have no effect.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError("it is larger than 1 GiB")
        data = path.read_bytes()
        metadata = _metadata(BytesIO(data), kind)
        tensors = load(data)
        digest = tensor_hash(tensors)
    except (*_UNREADABLE, SafetensorError) as error:
        raise _unreadable(path, error) from error
    if digest != metadata.get("sha256"):
        raise WeightsError(
            f"{path}: the weights are damaged (their SHA-256 does not match); get a fresh copy"
        )
    return tensors, metadata


def tensor_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes, in the order of the names."""
    import torch

    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}:{value.dtype}:{tuple(value.shape)};".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())  # NumPy has no bfloat16
    return digest.hexdigest()


def _sorted_header(data: bytes) -> bytes:
    """The same file with its header in alphabetical order. safetensors writes another order every time."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # the tensors stay aligned
    return len(header).to_bytes(8, "little") + header + data[end:]


def _metadata(file: BinaryIO, kind: str) -> dict[str, Any]:
    """The description in the header of an open file, which is a length of 8 bytes and then JSON."""
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= _MAX_HEADER:
        raise ValueError("no safetensors header")
    fields = json.loads(file.read(length))["__metadata__"]
    if not isinstance(fields, dict) or fields.get("format") != kind:
        raise ValueError(f"it is not {kind}")
    text = fields["alr"]
    if not isinstance(text, str) or _text_hash(text) != fields["alr_sha256"]:
        raise ValueError("its description is damaged")
    metadata = json.loads(text)
    if not isinstance(metadata, dict):
        raise ValueError("its description is not a table")
    return metadata


def _text_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _unreadable(path: Path, error: Exception) -> WeightsError:
    if isinstance(error, PermissionError):
        return WeightsError(f"{path}: cannot be read (permission denied); check its access rights")
    return WeightsError(f"{path}: not a readable alr weights file; get a fresh copy ({_briefly(error)})")


def _briefly(error: Exception) -> str:
    """The beginning of a library's message, without control characters that it may quote from the file."""
    text = f"it lacks {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
    return "".join(character if character.isprintable() else " " for character in text[:160])
