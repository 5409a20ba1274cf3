"""Determine the noise of one picture from --noise and --sigma, and describe it in a sentence."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alr_cli.cli.options.noise import NoiseChoice
from alr_cli.errors import InputError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alr_cli.core.jpeg import Coefficients
    from alr_cli.core.noise.finding import Found
    from alr_cli.core.noise.model import NoiseModel
    from alr_cli.files.ranges import Choice

QUICK = 2000  # patches of a quick estimate
NOISE_FLOOR = 1 / 255  # below one 8-bit level, a factor between two sigmas means nothing


@dataclass(frozen=True)
class Noise:
    """The noise of one picture.

    Attributes:
        sigma: Its level on [0,1], or None if it cannot be determined.
        estimate: The level estimated from the picture, or None.
        model: Its model, or None for white noise of one level.
        note: A sentence on what was found.
        doubt: A sentence on why the given sigma may be wrong, or None.
    """

    sigma: float | None
    estimate: float | None
    model: "NoiseModel | None" = None
    note: str | None = None
    doubt: str | None = None


def noise_of(
    choice: NoiseChoice,
    sigma: float | None,
    pixels: "NDArray[np.float32]",
    missing: "NDArray[np.bool_] | None",
    range: "Choice" = "usual",
) -> Noise:
    """The noise of a picture (H, W, C).

    Args:
        choice: The value of --noise.
        sigma: The value of --sigma, or None.
        pixels: The picture.
        missing: (H, W), True where nothing is known, or None.
        range: Range of the picture, in which a picture of noise is read.

    Raises:
        UsageError: The choice does not fit the picture.
        InputError: A file or picture cannot be used as the source of a noise model.
    """
    from alr_cli.core.gray import white_level
    from alr_cli.core.noise.finding import Found, Kind, find_noise, noise_of_kind
    from alr_cli.files.weights import load_level_finder

    if sigma is not None and choice.name in ("white", "auto"):
        return _doubted(sigma, pixels, missing, finds=choice.name == "auto")
    if choice.name == "white":
        return _white(None, noise_of_kind(Kind.WHITE, pixels, missing, white_level(pixels, missing)))
    if choice.name == "auto":
        found = find_noise(pixels, missing, load_level_finder())
        if found.kind is Kind.NONE and math.isfinite(found.sigma):
            return Noise(0.0, found.sigma, note=f"{sentence(found)}, and it stays as it is")
        return _as_found(found, None)
    if choice.name == "correlated":
        found = noise_of_kind(Kind.CORRELATED, pixels, missing)
    elif choice.name == "poisson" and choice.numbers is None:
        found = noise_of_kind(Kind.UNEVEN, pixels, missing)
    else:
        model = _given(choice, pixels.shape[2], range)
        kind = Kind.CORRELATED if model.correlated else Kind.UNEVEN
        found = Found(kind, model.level(pixels), model)
    return _as_found(found, sigma)


def _doubted(
    sigma: float, pixels: "NDArray[np.float32]", missing: "NDArray[np.bool_] | None", *, finds: bool
) -> Noise:
    """White noise of a given level, with a doubt if the picture seems to have another level.

    A quick estimate suffices if it agrees. `finds` says whether the kind of noise would be determined without
    a sigma.
    """
    from alr_cli.core.gray import white_level
    from alr_cli.core.noise.finding import find_noise
    from alr_cli.core.noise.white import estimate_sigma
    from alr_cli.files.weights import load_level_finder

    if sigma == 0 or _alike(sigma, estimate_sigma(pixels, missing, QUICK)):  # 0 is a decision, not a guess
        return Noise(sigma, None)
    estimate = white_level(pixels, missing)
    if not math.isfinite(estimate) or _alike(sigma, estimate):
        return Noise(sigma, estimate if math.isfinite(estimate) else None)
    found = find_noise(pixels, missing, load_level_finder()) if finds else None
    if found is not None and math.isfinite(found.sigma):
        estimate = found.sigma
    if _alike(sigma, estimate):
        doubt = "its noise is correlated between neighbours: omit --sigma, or give --noise correlated as well"
    elif estimate < NOISE_FLOOR:
        doubt = f"sigma is {sigma:.3g}, but the picture looks like {estimate:.3g}: details may be lost"
    else:
        doubt = f"sigma is {sigma:.3g}, but the picture looks like {estimate:.3g}: omit --sigma"
    return Noise(sigma, estimate, doubt=doubt)


def _alike(sigma: float, estimate: float) -> bool:
    """Whether two levels are within a factor of two, if both are large enough to compare."""
    ratio = max(sigma, NOISE_FLOOR) / max(estimate, NOISE_FLOOR)
    return 0.5 <= ratio <= 2


def of_rounding(coefficients: "Coefficients") -> Noise:
    """The noise of a JPEG file, which is the rounding of its coefficients."""
    level = coefficients.level()
    return Noise(level, None, note=f"rounded by JPEG, as noise of {255 * level:.2g} levels of 255")


def sentence(found: "Found") -> str:
    """A sentence on what was found."""
    from alr_cli.core.noise.finding import Kind

    if math.isnan(found.sigma):
        return "the picture is too small to estimate its noise"
    if found.drawing:
        return "this is no photograph (text, a drawing or a dither), and no noise was found in it"
    if found.model is None:
        return f"sigma {found.sigma:.3g} (estimated): there is little noise"
    if found.kind is Kind.WHITE:
        return f"sigma {found.sigma:.3g} (estimated)" + (
            ": there is little noise" if found.sigma < NOISE_FLOOR else ""
        )
    words = [f"noise of {255 * found.sigma:.2g} levels of 255 (sigma {found.sigma:.3g}, estimated)"]
    reach = _reach(found.model)
    words.append(f"alike over {reach} pixels" if reach > 1 else "not alike between neighbours")
    low, high = (found.model.sigma[:, part].mean() for part in (slice(1, 5), slice(-5, -1)))
    if max(low, high) > 1.5 * min(low, high):
        words.append(f"stronger in the {'dark' if low > high else 'bright'}")
    if found.confidence < 1:
        words.append(f"{100 * found.confidence:.0f} % sure, and that share of it is removed")
    return ", ".join(words)


def _reach(model: "NoiseModel") -> int:
    """The distance in pixels at which the correlation has become small."""
    along = (model.correlation[..., 0, :] + model.correlation[..., :, 0]).diagonal().mean(axis=1) / 2
    below = along < 0.2
    return int(below.argmax()) if below.any() else len(along)


def _white(sigma: float | None, found: "Found") -> Noise:
    estimate = found.sigma if math.isfinite(found.sigma) else None
    return Noise(sigma, estimate) if sigma is not None else Noise(estimate, estimate, note=_said(found))


def _as_found(found: "Found", sigma: float | None) -> Noise:
    from alr_cli.core.noise.finding import Kind

    if found.model is None or found.kind is Kind.WHITE or found.sigma == 0:
        return _white(sigma, found)
    model = found.model
    return Noise(found.sigma if sigma is None else sigma, found.sigma, model, _said(found))


def _said(found: "Found") -> str | None:
    return sentence(found) if math.isfinite(found.sigma) else None


def _given(choice: NoiseChoice, channels: int, range: "Choice") -> "NoiseModel":
    from alr_cli.core.noise.finding import Kind, noise_of_kind
    from alr_cli.core.noise.model import NoiseModel

    if choice.numbers is not None:
        return NoiseModel.poisson(*choice.numbers, channels)
    path = str(choice.path)
    if choice.name == "like":
        from alr_cli.files.pictures import read_picture

        model = noise_of_kind(Kind.CORRELATED, read_picture(path, range=range).pixels).model
        if model is None:
            raise InputError(
                f"no noise was found in {path}: give a larger picture that shows nothing but noise"
            )
    else:
        model = _from_file(path)
    if model.channels != channels:
        raise UsageError(
            f"--noise {path} describes {model.channels} channels and the picture has {channels}: "
            "give a model with as many channels"
        )
    return model


def _from_file(path: str) -> "NoiseModel":
    from alr_cli.core.noise.model import NoiseModel

    try:
        facts = json.loads(Path(path).read_text(encoding="utf-8"))
        return NoiseModel.from_dict(facts["noise"]["model"] if "noise" in facts else facts)
    except OSError as error:
        raise InputError(f"cannot read --noise {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"--noise {path} contains no noise model: write one with alr info PICTURE --json > {path}"
        ) from error
