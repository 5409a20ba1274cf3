"""`alr inpaint --mask auto`: A keeps the pixels of a film scan that the infrared channel shows to be free of
dust."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from alr_cli.cli.restore.sources import Source, partner
from alr_cli.cli.restore.task import Prepared
from alr_cli.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alr_cli.core.restore import Restorer
    from alr_cli.core.tasks import Task as Degradation
    from alr_cli.files.pictures import Picture

AUTO = "auto"
ALPHA = "alpha"


@dataclass(frozen=True)
class InpaintDust:
    """Dust removal from film scans.

    Attributes:
        infrared: A file, a folder, or `alpha`.
        save: Where the mask is written, or None.
        grow: Pixels by which each marked area is enlarged on all sides.
        max_pixels: Largest infrared picture that is read.
    """

    infrared: str
    save: str | None
    grow: int
    max_pixels: int
    name: str = "inpaint"
    allow_nan: bool = True

    def prepare(self, picture: "Picture", source: Source) -> Prepared:
        import numpy as np

        from alr_cli.cli.restore import masks
        from alr_cli.files.mask_files import grown
        from alr_cli.files.pictures import Picture, encode

        unknown = masks.from_nan(picture)
        picture = replace(picture, pixels=np.where(unknown[..., None], np.float32(0), picture.pixels))
        picture, marked, notes = self._lit(picture, source)
        missing = grown(marked, self.grow) | unknown
        share = float(missing.mean())
        if share == 1:
            raise UsageError(
                f"all pixels of {source} are marked as dust: give another --infrared or a smaller --grow"
            )
        beside: tuple[tuple[str, bytes], ...] = ()
        if self.save is not None:
            white = Picture(missing[..., None].astype(np.float32), "uint8", "png")
            beside = ((self.save, encode(white, "png")),)
        said = f"{share:.2%} of the pixels are marked as dust and filled".replace("%", " %")
        return Prepared(picture, missing, (*notes, said), beside=beside)

    def degradation(self, prepared: Prepared) -> "Degradation":
        from alr_cli.core.tasks import Inpainting, Untouched

        assert prepared.missing is not None
        return Inpainting(prepared.missing) if prepared.missing.any() else Untouched()

    def strength(self, restorer: "Restorer", prepared: Prepared, sigma: float) -> float | None:
        return None

    def _lit(
        self, picture: "Picture", source: Source
    ) -> tuple["Picture", "NDArray[np.bool_]", tuple[str, ...]]:
        """The picture without half-transparent dust, a mask of opaque dust, and notes."""
        from alr_cli.core.defects.infrared import clean_by_infrared
        from alr_cli.files.pictures import read_picture

        if self.infrared == ALPHA:
            if picture.alpha is None:
                raise UsageError(f"{source} has no fourth channel: give --infrared FILE")
            plane, name = picture.alpha, "the fourth channel"
            picture = replace(picture, alpha=None)
        else:
            path = partner(Path(self.infrared), source, "--infrared")
            light = read_picture(path, max_pixels=self.max_pixels)
            if light.shape[:2] != picture.shape[:2]:
                raise UsageError(
                    f"--infrared {path} is {light.width} x {light.height} pixels and {source} is "
                    f"{picture.width} x {picture.height}: give the infrared channel of the same scan"
                )
            plane, name = light.pixels.mean(axis=2), str(path)
        try:
            found = clean_by_infrared(picture.pixels, plane)
        except UsageError as error:
            raise UsageError(f"{name}: {error}") from error
        notes = [f"{found.thinned:.2%} of the pixels lie under half-transparent dust, which is divided out"]
        if found.power == 0:
            notes = ["dust does not darken the picture (a negative?): all of it is filled"]
        if found.moved != (0, 0):
            notes.append(f"infrared was moved by {found.moved[1]} pixels to the right, {found.moved[0]} down")
        told = tuple(note.replace("%", " %") for note in notes)
        return picture.with_pixels(found.pixels), found.missing, told
