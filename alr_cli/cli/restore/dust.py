"""`alr inpaint --mask auto`: A keeps the pixels of a scan on which no dust and no scratches were found."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from alr_cli.cli.restore.sources import Source
from alr_cli.cli.restore.task import Prepared
from alr_cli.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alr_cli.core.restore import Restorer
    from alr_cli.core.tasks import Guess
    from alr_cli.core.tasks import Task as Degradation
    from alr_cli.files.pictures import Picture

AUTO = "auto"


@dataclass(frozen=True)
class Dust:
    """The dust of a picture.

    Attributes:
        picture: The picture, without the dust that could be removed without filling it in.
        missing: (H, W), True where dust hides the picture.
        below: What is known of the picture below the dust, or None.
        notes: What to tell the user.
    """

    picture: "Picture"
    missing: "NDArray[np.bool_]"
    below: "Guess | None" = None
    notes: tuple[str, ...] = ()


class FindsDust(Protocol):
    """A way to find dust."""

    def find(self, picture: "Picture", source: Source) -> Dust:
        """The dust of a picture. Raises UsageError or WeightsError."""


@dataclass(frozen=True)
class InpaintDust:
    """Removal of dust and scratches.

    Attributes:
        finder: How they are found.
        save: Where the mask is written, or None.
        grow: Pixels by which each marked area is enlarged on all sides.
    """

    finder: FindsDust
    save: str | None
    grow: int
    name: str = "inpaint"
    allow_nan: bool = True

    def prepare(self, picture: "Picture", source: Source) -> Prepared:
        import numpy as np

        from alr_cli.cli.restore import masks
        from alr_cli.files.mask_files import grown
        from alr_cli.files.pictures import Picture, encode

        unknown = masks.from_nan(picture)
        picture = replace(picture, pixels=np.where(unknown[..., None], np.float32(0), picture.pixels))
        dust = self.finder.find(picture, source)
        picture, missing = dust.picture, grown(dust.missing, self.grow) | unknown
        share = float(missing.mean())
        if share == 1:
            raise UsageError(
                f"all pixels of {source} are marked as dust: give another mask or a smaller --grow"
            )
        guess = dust.below
        if guess is not None:
            guess = replace(guess, deviation=np.where(unknown, np.float32(np.inf), guess.deviation))
        beside: tuple[tuple[str, bytes], ...] = ()
        if self.save is not None:
            white = Picture(missing[..., None].astype(np.float32), "uint8", "png")
            beside = ((self.save, encode(white, "png")),)
        said = f"{share:.2%} of the pixels are marked as dust and repaired".replace("%", " %")
        if not missing.any():
            said = "no dust was found, so that nothing is repaired"
        return Prepared(picture, missing, (*dust.notes, said), beside=beside, guess=guess)

    def degradation(self, prepared: Prepared) -> "Degradation":
        from alr_cli.core.tasks import Inpainting, Untouched

        assert prepared.missing is not None
        if not prepared.missing.any():
            return Untouched()
        return Inpainting(prepared.missing, prepared.guess)

    def strength(self, restorer: "Restorer", prepared: Prepared, sigma: float) -> float | None:
        return None
