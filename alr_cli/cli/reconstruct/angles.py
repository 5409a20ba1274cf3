"""The angles of a scan in radians: from START:STOP:COUNT, from a file, or from the file of the sinogram."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from alr_cli.errors import InputError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alr_cli.cli.reconstruct.options import ScanOptions

_MOST = 100_000
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_STEPS = re.compile(rf"({_NUMBER}):({_NUMBER}):(\d{{1,6}})")
_ENDLESS = 7.0  # in radians, more than one turn
_GAP, _WIDER = 30.0, 4.0  # degrees without a view, and how many times the usual distance they must be


def check_angles(text: str) -> None:
    """Refuse a text that is neither START:STOP:COUNT nor a file. Raises UsageError."""
    from alr_cli.cli.restore.contents import kind_of

    if _STEPS.fullmatch(text):
        start, stop, count = _steps(text)
        if not 1 <= count <= _MOST or start == stop or not math.isfinite(start) or not math.isfinite(stop):
            raise UsageError(f"--angles {text} is not a range: write START:STOP:COUNT, for example 0:180:30")
    elif kind_of(Path(text)) == "missing":
        raise UsageError(
            f"--angles {text} is neither START:STOP:COUNT, for example 0:180:30, nor a file that exists"
        )


def angles_of(
    options: ScanOptions, stored: NDArray[np.float64] | None, shape: tuple[int, int]
) -> tuple[NDArray[np.float64], list[str]]:
    """The angles of a sinogram, and warnings.

    Args:
        options: The options about the scan.
        stored: The angles in the file of the sinogram, in degrees, or None.
        shape: (angles, detectors) of the sinogram.

    Returns:
        The angles in radians, counterclockwise, and sentences on what looks wrong with them.

    Raises:
        UsageError: There are no angles.
        InputError: They do not fit the sinogram.
    """
    import numpy as np

    angles: NDArray[np.float64]
    if options.angles is None:
        if stored is None:
            raise UsageError("the angles are not in the file: give --angles, for example --angles 0:180:30")
        angles, unit = stored, "deg"
    elif _STEPS.fullmatch(options.angles):
        start, stop, count = _steps(options.angles)
        angles, unit = start + (stop - start) / count * np.arange(count, dtype=np.float64), options.unit
    else:
        from alr_cli.files.scans import read_angles

        angles, unit = read_angles(options.angles), options.unit
    if len(angles) != shape[0]:
        hint = (
            "it looks transposed: turn it so that each row is an angle"
            if len(angles) == shape[1]
            else "each row of a sinogram is an angle"
        )
        raise InputError(
            f"there are {len(angles)} angles and the sinogram has {shape[0]} rows x {shape[1]} columns; "
            f"{hint}"
        )
    warnings = _suspicions(angles, unit)
    radians = np.radians(angles) if unit == "deg" else np.asarray(angles, np.float64)
    _refuse_doubles(radians)
    if options.fan is None:
        warnings = warnings or _gaps(np.degrees(radians))
    return (-radians if options.clockwise else radians), warnings


def _steps(text: str) -> tuple[float, float, int]:
    start, stop, count = text.split(":")
    return float(start), float(stop), int(count)


def _suspicions(angles: NDArray[np.float64], unit: str) -> list[str]:
    largest = float(abs(angles).max())
    if unit == "deg" and largest <= _ENDLESS and len(angles) >= 16:
        return [f"all angles lie within {largest:.3g} degrees: if they are radians, give --unit rad"]
    if unit == "rad" and largest > 2 * _ENDLESS:
        return [f"the angles go up to {largest:.4g} radians: if they are degrees, give --unit deg"]
    return []


def _gaps(degrees: NDArray[np.float64]) -> list[str]:
    """A sentence on the widest gap between the angles of parallel rays, which see the same from both
    sides."""
    import numpy as np

    sides = np.sort(np.mod(degrees, 180.0))
    gaps = np.diff(np.append(sides, sides[0] + 180.0))
    widest, usual = int(gaps.argmax()), float(np.median(gaps))
    if len(sides) < 4 or gaps[widest] <= max(_GAP, _WIDER * usual):
        return []
    start = float(sides[widest])
    return [
        f"there is no view between {start:.4g} and {start + gaps[widest]:.4g} degrees: edges in these "
        "directions cannot be reconstructed; check --angles if the scan covers half a turn"
    ]


def _refuse_doubles(radians: NDArray[np.float64]) -> None:
    """Refuse angles that occur twice: the file was joined badly, or the angles are wrong."""
    import numpy as np

    turns = np.round(np.mod(radians, 2 * math.pi) / 1e-7).astype(np.int64) % round(2 * math.pi / 1e-7)
    found, counts = np.unique(turns, return_counts=True)
    if counts.max() > 1:
        double = math.degrees(float(found[counts.argmax()]) * 1e-7)
        raise InputError(
            f"{int((counts - 1).sum())} of the {len(radians)} angles occur twice, {double:.5g} degrees "
            "for one; give each row its own angle, and leave out the last view where it repeats the first"
        )
