"""Turn stored numbers into line integrals, and check them for mistakes, before torch is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alr_cli.errors import InputError

if TYPE_CHECKING:
    from alr_cli.cli.reconstruct.options import MeasurementOptions, MethodOptions
    from alr_cli.core.operators.geometry import Geometry
    from alr_cli.files.scans import Scan

Floats = NDArray[np.float32]

_LARGEST = 20.0  # exp(-20); a larger line integral cannot be measured
_BAD = 0.01  # share of the counts that may be unusable
_CUT = 0.1  # share of the largest value, at the ends of the row of detectors
_MASS = 0.3  # by which the sums of the rows may vary
_DARK = 0.9  # share of what the ends of the rows see; a middle below it is darker than the surroundings
_STRIPES = 0.03  # share of the largest value; larger jumps that all rows share belong to the detectors
_FEW = 16, 32  # angles and detectors; with fewer this cannot be told
_OFF, _SURE = 0.25, 4.0  # detectors and standard deviations from which on the axis counts as misplaced


def line_integrals(scan: Scan, options: MeasurementOptions) -> tuple[Floats, list[str]]:
    """Line integrals (slices, angles, detectors), and notes. Raises InputError if the file contains none."""
    from alr_cli.files.scans import read_row

    values = scan.sinograms
    if min(values.shape) < 1 or values.shape[-1] < 2:
        raise InputError(f"it has {values.shape[-2]} rows x {values.shape[-1]} columns and is not a sinogram")
    _refuse_non_finite(values)
    if not options.counts and scan.flat is None:
        _refuse_constant(values)
        return values, []
    detectors = values.shape[-1]
    flat = scan.flat if options.flat is None else read_row(options.flat, detectors, "--flat")
    dark = scan.dark if options.dark is None else read_row(options.dark, detectors, "--dark")
    if flat is None:
        raise InputError("--counts needs --flat: the counts without the object")
    return _logarithm(values, flat, np.zeros_like(flat) if dark is None else dark)


def _logarithm(values: Floats, flat: Floats, dark: Floats) -> tuple[Floats, list[str]]:
    """-log((counts - dark) / (flat - dark)). Counts that are not positive are replaced by the smallest
    positive one."""
    full = np.asarray(flat - dark, np.float64)
    if not np.isfinite(full).all() or (full <= 0).any():
        raise InputError(
            f"the flat field is not above the dark one at {int((~(full > 0)).sum())} detectors: "
            "mask or replace them first"
        )
    full = full[..., None, :] if full.ndim == 2 else full
    share = (values - (dark[..., None, :] if dark.ndim == 2 else dark)) / full
    bad = share <= 0
    notes: list[str] = []
    if bad.any():
        count = int(bad.sum())
        if count > _BAD * share.size:
            raise InputError(
                f"{count} of {share.size} counts are not above the dark field, more than {_BAD:.0%}: "
                "check --flat and --dark, or mask dead detectors first"
            )
        share[bad] = share[~bad].min()
        notes.append(
            f"{count} counts were not above the dark field; they were replaced by the smallest that is"
        )
    result = -np.log(share).astype(np.float32)
    _refuse_constant(result)
    return result, notes


def suspicions(
    sinogram: Floats, angles: NDArray[np.float64], centre: float | None, *, parallel: bool, counts: bool
) -> list[str]:
    """Sentences on what looks wrong with line integrals, each with its likely cause.

    Args:
        sinogram: (angles, detectors).
        angles: In radians.
        centre: The detector onto which the axis projects; None for the middle.
        parallel: Whether the rays are parallel.
        counts: Whether the line integrals were computed from counts.
    """
    largest = float(sinogram.max())
    if largest > _LARGEST and not counts:
        return [
            f"values go up to {largest:.5g}, but line integrals are hardly ever above {_LARGEST:g}: if they "
            "are counts, give --counts --flat FILE"
        ]
    if float(np.median(sinogram)) < 0 and float(sinogram.mean()) < 0:
        return ["most values are negative: if they are logarithms of counts, change their sign"]
    if parallel and _masses_differ(sinogram):
        return [
            "the sums of the rows differ by more than 30 %, which is impossible if the whole object is seen "
            "from all sides: the sinogram may be transposed, or lack its flat field"
        ]
    if not counts and _darker_inside(sinogram):
        return [
            "the values are lower behind the object than beside it, as intensities are: give --counts --flat "
            "FILE, which takes their logarithm"
        ]
    if _striped(sinogram):
        return [
            "neighbouring detectors differ in the same way at all angles, which gives rings in the slice: "
            "the flat field seems to be missing (--counts --flat FILE), or not to belong to this scan"
        ]
    level = float(np.quantile(np.abs(sinogram), 0.99))
    if np.abs(sinogram[:, [0, -1]]).mean(0).max() > _CUT * level:
        return [
            "the object reaches the end of the row of detectors: if it is cut off there, the slice is wrong "
            "near its edge and too bright"
        ]
    return _axis_elsewhere(sinogram, angles, centre) if parallel else []


def _darker_inside(sinogram: Floats) -> bool:
    """Whether the middle of the rows is darker than their ends, where the rays pass the object."""
    quarter = sinogram.shape[-1] // 4
    ends = float(np.median(sinogram[:, [0, 1, -2, -1]]))
    middle = float(np.median(sinogram[:, quarter : sinogram.shape[-1] - quarter]))
    return ends > 0 and middle < _DARK * ends


def _striped(sinogram: Floats) -> bool:
    """Whether every detector adds something of its own to all rows.

    Fourth differences along the detectors hardly contain the object. Those that all rows share are compared
    with what noise would leave of them in the mean over the rows.
    """
    if sinogram.shape[0] < _FEW[0] or sinogram.shape[1] < _FEW[1]:
        return False
    jumps = np.diff(sinogram.astype(np.float64), 4, axis=-1)
    shared = jumps.mean(0)
    noise = float(np.median(np.abs(jumps - shared))) / len(jumps) ** 0.5
    level = float(np.quantile(np.abs(sinogram), 0.99))
    return bool(np.median(np.abs(shared)) > max(_STRIPES * level, _SURE * noise))


def _masses_differ(sinogram: Floats) -> bool:
    """Whether the sums of the rows differ. Every parallel view of the whole object has the same sum."""
    mass = sinogram.astype(np.float64).sum(-1)
    middle = float(np.median(mass))
    return middle > 0 and float(np.quantile(np.abs(mass / middle - 1), 0.9)) > _MASS


def _axis_elsewhere(sinogram: Floats, angles: NDArray[np.float64], centre: float | None) -> list[str]:
    from alr_cli.core.noise.sinogram import estimate_centre

    found = estimate_centre(sinogram, angles)
    middle = (sinogram.shape[-1] - 1) / 2 if centre is None else centre
    if found is None or abs(found[0] - middle) <= max(_OFF, _SURE * found[1]):
        return []
    return [
        f"the rotation axis seems to project to detector {found[0]:.2f} and not to {middle:g}: try --center "
        f"auto, or --center {found[0]:.2f}"
    ]


def _refuse_non_finite(values: NDArray[Any]) -> None:
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise InputError(
            f"{bad} of its {values.size} values are NaN or infinite: mask dead detectors, or take the "
            "logarithm with --counts"
        )


def _refuse_constant(values: NDArray[Any]) -> None:
    flat = values.max((-2, -1)) == values.min((-2, -1))
    if flat.any():
        raise InputError("all its values are the same: there is nothing to reconstruct")


def unsuited(method: MethodOptions, geometry: Geometry) -> list[str]:
    """A warning if the weights are a network that was trained for another scan."""
    from alr_cli.files.weights import read_metadata

    if method.method != "ours":
        return []
    described = read_metadata(method.weights)
    recipe, side = described.get("recipe", {}), described.get("recipe", {}).get("patch")
    beams = "parallel" if geometry.fan is None else "fan"
    scan = f"{beams}:{len(geometry.angles)}"
    suits = (scan, geometry.size) == (recipe.get("geometry"), (side, side))
    if suits or described["architecture"].get("kind") != "postprocessor":
        return []
    return [
        f"{method.weights} was trained for {recipe.get('geometry')} and {side} x {side} pixels, and this "
        f"scan is {scan} with {geometry.size[1]} x {geometry.size[0]}: expect artefacts, or use ct-tuned"
    ]
