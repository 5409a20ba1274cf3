"""`alr inpaint`: A keeps the observed pixels."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alr_cli.cli.options.common import (
    RESTORATION,
    ComputeOptions,
    ModelOptions,
    ReportOptions,
    Sigma,
    expand_options,
)
from alr_cli.cli.options.files import FileOptions, Inputs
from alr_cli.cli.options.values import number, whole
from alr_cli.cli.restore.dust import AUTO
from alr_cli.cli.restore.dust_command import DustOptions, inpaint_dust
from alr_cli.cli.restore.task import Prepared
from alr_cli.errors import InputError, UsageError

if TYPE_CHECKING:
    from alr_cli.cli.restore.sources import Source
    from alr_cli.core.restore import Restorer
    from alr_cli.core.tasks import Task as Degradation
    from alr_cli.files.mask_files import Marked
    from alr_cli.files.pictures import Picture


BESIDE = 32
"""Distance in pixels within which other pixels affect a hole; more than the size of a patch."""


@dataclass(frozen=True)
class Inpaint:
    """y = x + noise where pixels were observed.

    Attributes:
        mask: A file, a folder, `alpha` or `nan`; None if pixels are dropped at random.
        missing: Share of the pixels that are dropped at random, or None.
        seed: Random seed for `missing`.
        invert: Whether black marks missing pixels.
        max_pixels: Largest mask that is read.
        grow: Pixels by which each marked area is enlarged on all sides.
    """

    mask: str | None
    missing: float | None
    seed: int
    invert: bool
    max_pixels: int
    grow: int = 0
    name: str = "inpaint"
    allow_nan: bool = True

    def prepare(self, picture: "Picture", source: "Source") -> Prepared:
        import numpy as np

        from alr_cli.cli.restore import masks
        from alr_cli.files.mask_files import grown

        mask = self._mask(picture, source)
        unknown = masks.from_nan(picture)  # a NaN was never observed, whatever the mask says
        missing = grown(mask.repaired, self.grow) | unknown
        share = float(missing.mean())
        if share in (0, 1):
            raise UsageError(
                f"{'all' if share else 'no'} pixels of {source} are to be filled: {self._remedy()}"
            )
        notes = [*mask.notes, f"{share:.1%} of pixels to fill".replace("%", " %")]
        if self.mask == "alpha" and picture.alpha is not None:
            picture = replace(picture, alpha=None)
            notes.append("its transparency was the mask; the result is opaque")
        picture = replace(picture, pixels=np.where(unknown[..., None], np.float32(0), picture.pixels))
        return Prepared(picture, missing, tuple(notes), (masks.SOFT,) if mask.soft else ())

    def degradation(self, prepared: Prepared) -> "Degradation":
        from alr_cli.core.tasks import Inpainting
        from alr_cli.files.mask_files import grown

        missing, hidden = prepared.missing, prepared.hidden
        assert missing is not None
        if hidden is not None:  # transparent pixels near a hole are as unknown as the hole
            missing = missing | (hidden & grown(missing, BESIDE))
        return Inpainting(missing)

    def strength(self, restorer: "Restorer", prepared: Prepared, sigma: float) -> float | None:
        return None

    def _remedy(self) -> str:
        """What to do about a mask that selects all pixels or none."""
        if self.missing is not None:
            return "give another --missing or --seed"
        if self.mask == "nan":
            return "NaN means repair"
        what = "what is transparent is" if self.mask == "alpha" else "white means"
        return f"{what} repair{'ed' * (self.mask == 'alpha')}, try --invert-mask"

    def _mask(self, picture: "Picture", source: "Source") -> "Marked":
        from alr_cli.cli.restore import masks
        from alr_cli.files.mask_files import Marked

        if self.missing is not None:
            return Marked(masks.at_random(picture, source, self.missing, self.seed))
        if self.mask == "alpha":
            return masks.from_alpha(picture, source, invert=self.invert)
        if self.mask == "nan":
            return Marked(masks.from_nan(picture))
        assert self.mask is not None
        return masks.from_file(Path(self.mask), picture, source, self.max_pixels, invert=self.invert)


@expand_options
def inpaint(
    ctx: typer.Context,
    inputs: Inputs,
    *,
    mask: Annotated[
        str | None,
        typer.Option(
            "-m",
            "--mask",
            metavar="MASK",
            rich_help_panel=RESTORATION,
            help="Picture whose white pixels, even partly white ones, mark what is repaired; or a "
            "folder of such pictures with the same names as the inputs. alpha: the transparent "
            "pixels. nan: the NaN of a float TIFF, which are always repaired. auto: dust, hairs and "
            "scratches, found by a network or by --infrared.",
        ),
    ] = None,
    dust: DustOptions,
    invert_mask: Annotated[
        bool,
        typer.Option(
            "--invert-mask",
            rich_help_panel=RESTORATION,
            help="Repair what is black in the mask instead of what is white.",
        ),
    ] = False,
    grow: Annotated[
        int,
        typer.Option(
            "--grow",
            metavar="N",
            parser=whole("--grow", least=0),
            rich_help_panel=RESTORATION,
            help="Enlarge each marked area by N pixels on all sides, for instance if the brush was too thin.",
        ),
    ] = 0,
    missing: Annotated[
        float | None,
        typer.Option(
            "--missing",
            metavar="SHARE",
            parser=number("--missing", above=0, below=1),
            rich_help_panel=RESTORATION,
            help="For experiments: drop this share of the pixels at random, instead of using a mask.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            parser=whole("--seed", least=0),
            rich_help_panel=RESTORATION,
            help="Random seed for --missing, 0 by default. The dropped pixels depend only on it and "
            "on the name of the picture.",
        ),
    ] = None,
    sigma: Sigma = None,
    files: FileOptions,
    model: ModelOptions,
    compute: ComputeOptions,
    reports: ReportOptions,
) -> None:
    """Fill in missing pixels of pictures.

    Examples:

      alr inpaint scratched.png -o whole.png --mask scratches.png --sigma 0
      alr inpaint scan.tif -o clean.tif --mask auto --save-mask marked.png
      alr inpaint scan.tif -o clean.tif --mask auto --infrared scan-ir.tif
      alr inpaint logo.png -o filled.png --mask alpha
      alr inpaint a.png -o test.png --missing 0.5 --reference a.png

    Solves, for the observed pixels y, with M x the pixels of x that were observed,

      x = argmin  mean((M x - y)^2) + lambda(sigma) R(x)

    where R is a learned regularizer, which scores all small patches of x.
    lambda(sigma) was fitted for the weights; --strength multiplies it. With
    --sigma 0 the observed pixels are kept exactly. With --mask auto they are
    kept exactly unless --sigma is given.
    """
    if (mask is None) == (missing is None):
        raise UsageError(
            "give exactly one description of what to repair: --mask FILE, --mask alpha, --mask nan,"
            " --mask auto or --missing 0.5"
        )
    if mask == AUTO:
        if invert_mask or missing is not None:
            raise UsageError(
                "--mask auto determines itself what to repair: leave --invert-mask and --missing out"
            )
        inpaint_dust(dust, grow, inputs, sigma, ctx.obj, files, model, compute, reports)
        return
    dust.refuse()
    if seed is not None and missing is None:
        raise UsageError("--seed belongs to --missing: leave it out, or give --missing 0.5")
    if missing is not None and (grow or invert_mask):
        raise UsageError("--missing drops single pixels: leave --grow and --invert-mask out")
    if mask == "nan" and invert_mask:
        raise UsageError("--invert-mask would keep the NaN: leave it out")
    from_file = mask is not None and mask not in ("alpha", "nan")
    if from_file and not Path(mask or "").exists():
        raise InputError(f"--mask {mask} does not exist: check the path")
    from alr_cli.cli.restore.run import restore_all

    task = Inpaint(mask, missing, seed or 0, invert_mask, files.max_pixels, grow)
    reads = (mask if from_file else None,)
    restore_all(task, inputs, sigma, ctx.obj, files, model, compute, reports, reads=reads)
