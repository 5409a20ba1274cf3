"""Summarise weights in a few lines for people. The JSON has all numbers."""

from pathlib import Path
from typing import Any

from alr_cli.files.weights import DETECTOR

Facts = dict[str, Any]
_TOLD = ("iterations", "batch_size", "lr", "holes", "start")
"""The parts of a recipe that are shown."""


def purpose(path: Path, metadata: Facts) -> str:
    """What weights are for, from their card, or else from their own description."""
    from alr_cli.files.cards import purpose_of

    written = purpose_of(path)
    if written is not None:
        return written
    if metadata["architecture"].get("kind") == DETECTOR:
        return "finding dust, hairs and scratches in scans (alr inpaint --mask auto)"
    kind, task = _pictures(metadata), metadata["architecture"].get("task")
    if task is not None:
        return f"{kind} for {task} alone, with {_noise(metadata)}"
    if metadata.get("recipe", {}).get("holes"):
        return f"{kind} with missing pixels"
    return f"{kind} with {_noise(metadata)}"


def summary(name: str, path: Path, metadata: Facts) -> str:
    """One fact per line."""
    low, high = metadata["sigma_range"]
    recipe = metadata.get("recipe") or {}
    facts = {
        "weights": name,
        "for": purpose(path, metadata),
        "pictures": _pictures(metadata),
        "noise": f"{_noise(metadata)}, sigma {low:.3g} to {high:.3g}",
        "regularizer": _listed(metadata["architecture"]),
        "trained on": _data(metadata.get("data") or {}),
        "recipe": _listed({key: value for key, value in recipe.items() if key in _TOLD}) or "not recorded",
        "lambda": _at({f"{sigma:g}": value for sigma, value in metadata["lam"]}, ".3g", ""),
        "on its validation pictures": _at(metadata.get("validation_psnr") or {}, ".2f", " dB"),
        "file": str(path),
        "made with": f"alr {metadata.get('version', 'of an unknown version')}",
        "sha256": metadata["sha256"],
        "all numbers": f"alr info {name} --json",
    }
    return "\n".join(f"{label}: {fact}" for label, fact in facts.items())


def _pictures(metadata: Facts) -> str:
    return "gray pictures" if metadata["architecture"].get("channels") == 1 else "colour pictures"


def _noise(metadata: Facts) -> str:
    if metadata.get("noise") is None:
        return "white noise"
    from alr_cli.core.noise.model import NoiseModel

    model = NoiseModel.from_dict(metadata["noise"])
    if not model.correlated:
        return "white noise as found in noisy pictures"
    return f"noise whose neighbours correlate by {model.neighbours:.2g}"


def _data(data: Facts) -> str:
    named = [
        f"{data[side]} ({data.get(f'{side}_pictures', '?')} pictures)"
        for side in ("clean", "noisy")
        if data.get(side) is not None
    ]
    return " and ".join(named) or "not recorded"


def _listed(facts: Facts) -> str:
    shown = {
        key: value
        for key, value in facts.items()
        if value not in (None, False) and not key.endswith("sha256")
    }
    return ", ".join(f"{key} {_short(value)}" for key, value in shown.items())


def _short(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " to ".join(map(_short, value)) if len(value) == 2 else f"({len(value)} values)"
    return f"{value:.4g}" if isinstance(value, float) else "yes" if value is True else str(value)


def _at(values: dict[str, float], form: str, unit: str) -> str:
    """For example `35.41 dB at sigma 0.064`, for at most three of the keys."""
    chosen = list(values)[:: max(1, (len(values) + 1) // 3)][:3]
    return (
        ", ".join(f"{values[key]:{form}}{unit} at {key if ' ' in key else f'sigma {key}'}" for key in chosen)
        or "not recorded"
    )
