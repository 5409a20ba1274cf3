"""Find dust, hairs and scratches by a network that was trained on drawn ones."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alr_cli.cli.options.common import ComputeOptions
from alr_cli.cli.restore.dust import Dust
from alr_cli.cli.restore.sources import Source
from alr_cli.cli.restore.task import TRANSPARENT
from alr_cli.errors import UsageError

if TYPE_CHECKING:
    from alr_cli.core.defects.finding import Finder
    from alr_cli.files.pictures import Picture

SHIPPED = "defects"


@dataclass(frozen=True)
class ByDetector:
    """Attributes:
    weights: The detector, by the name of its weights or as a file.
    sensitivity: Factor of the odds.
    fast: Look at one orientation of the picture.
    compute: Options of the arithmetic.
    """

    weights: str
    sensitivity: float
    fast: bool
    compute: ComputeOptions
    _loaded: "list[Finder]" = field(default_factory=list, repr=False, compare=False)

    def find(self, picture: "Picture", source: Source) -> Dust:
        """A mask of all that is marked. Transparent pixels are not."""
        hidden = None if picture.alpha is None else picture.alpha < TRANSPARENT
        if hidden is not None and hidden.all():
            raise UsageError(f"{source} is transparent everywhere: there is no picture in which to find dust")
        try:
            found = self._finder().find(picture.pixels)
        except UsageError as error:
            raise UsageError(f"{source}: {error}") from error
        return Dust(picture, found.mask if hidden is None else found.mask & ~hidden, found.below)

    def _finder(self) -> "Finder":
        """The detector, which is loaded for the first picture."""
        if not self._loaded:
            from alr_cli.core.defects.finding import Finder
            from alr_cli.core.numerics import devices
            from alr_cli.files.weights import load_detector

            devices.set_threads(self.compute.threads)
            detector, compute = load_detector(self.weights), self.compute
            self._loaded.append(
                Finder(detector, self.sensitivity, self.fast, compute.device, compute.precision)
            )
        return self._loaded[0]
