"""Find the dust of a film scan by its infrared channel, and divide out what is half transparent."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from alr_cli.cli.restore.dust import Dust
from alr_cli.cli.restore.sources import Source, partner
from alr_cli.errors import UsageError

if TYPE_CHECKING:
    from alr_cli.files.pictures import Picture

ALPHA = "alpha"


@dataclass(frozen=True)
class ByInfrared:
    """Attributes:
    infrared: A file, a folder, or `alpha`.
    max_pixels: Largest infrared picture that is read.
    """

    infrared: str
    max_pixels: int

    def find(self, picture: "Picture", source: Source) -> Dust:
        """The picture without half-transparent dust, and a mask of opaque dust."""
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
        return Dust(picture.with_pixels(found.pixels), found.missing, notes=told)
