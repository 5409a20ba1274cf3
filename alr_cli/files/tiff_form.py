"""What the tags of a TIFF page say about its pixels, checked before any pixels are decoded."""

import math
import re
from collections.abc import Iterator
from itertools import chain

from alr_cli.errors import InputError
from alr_cli.files.ifd import Directory, Layout
from alr_cli.files.limits import check_size

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
FILL_ORDER, STRIPS, SAMPLES, ROWS, STRIP_BYTES, PLANAR = 266, 273, 277, 278, 279, 284
T4, T6, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES = 292, 293, 317, 322, 323, 324, 325
DESCRIPTION, COLORMAP, EXTRA, KIND, VOLUME, DNG = 270, 320, 338, 339, 32997, 50706
STACK = 33629
"""Here MetaMorph has a pair of numbers for each plane. All planes follow a single directory."""

_SHAPE = (WIDTH, HEIGHT, SAMPLES, ROWS, TILE_WIDTH, TILE_HEIGHT)
_SEGMENTS = (STRIPS, STRIP_BYTES, TILES, TILE_BYTES)
PIXEL_TAGS = frozenset(
    (*_SHAPE, *_SEGMENTS, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, PLANAR, T4, T6, PREDICTOR, EXTRA, KIND)
)
"""The tags that are needed to decode pixels."""

_FAX = (2, 3, 4)
_COMPRESSIONS = (1, *_FAX, 5, 8, 32773, 32946, 50000)  # none, fax, LZW, Deflate, PackBits, Deflate, Zstandard
_PREDICTED = (5, 8, 32946, 50000)
_CHANNELS = {0: 1, 1: 1, 2: 3, 3: 1}  # MinIsWhite, MinIsBlack, RGB, palette
_FOREIGN = {4: "a transparency mask", 5: "CMYK", 6: "YCbCr", 8: "CIE Lab", 9: "ICC Lab", 10: "ITU Lab"}
_RAW = (32803, 34892)
_KINDS = {1: "integer", 2: "signed integer", 3: "float", 5: "complex integer", 6: "complex"}


class Form:
    """The size, sample type and arrangement of one page."""

    def __init__(self, tags: Directory, layout: Layout, alone: bool = False) -> None:
        """`alone` says that the page is the only one, so that further planes in its description follow it."""

        def numbers(code: int, *default: int) -> tuple[int, ...]:
            return (tags[code].numbers(layout) if code in tags else ()) or default

        self.height, self.width = numbers(HEIGHT, 0)[0], numbers(WIDTH, 0)[0]
        self.photometric = numbers(PHOTOMETRIC, -1)[0]
        self.samples = numbers(SAMPLES, 1)[0]
        self.all_bits, self.all_kinds = numbers(BITS, 1), numbers(KIND, 1)
        self.bits, self.kind = self.all_bits[0], self.all_kinds[0]
        self.compression, self.predictor = numbers(COMPRESSION, 1)[0], numbers(PREDICTOR, 1)[0]
        self.planar = numbers(PLANAR, 1)[0] == 2
        self.extra = numbers(EXTRA)
        self.tiled = TILE_WIDTH in tags
        rows = min(numbers(ROWS, 2**32 - 1)[0], self.height)
        self.tile = (
            (numbers(TILE_HEIGHT, 0)[0], numbers(TILE_WIDTH, 0)[0]) if self.tiled else (rows, self.width)
        )
        self.offsets = numbers(TILES if self.tiled else STRIPS)
        self.lengths = numbers(TILE_BYTES if self.tiled else STRIP_BYTES)
        self.raw = DNG in tags or self.photometric in _RAW
        description = tags[DESCRIPTION].value if DESCRIPTION in tags else b""
        stacked = re.match(rb"ImageJ=[^\0]*?\nimages=(\d{1,9})", description)
        behind = int(stacked.group(1)) if stacked and alone else 1
        self.planes = numbers(VOLUME, 1)[0] * behind * (tags[STACK].length if STACK in tags else 1)

    @property
    def alpha(self) -> bool:
        return self.samples > _CHANNELS[self.photometric]

    @property
    def is_float(self) -> bool:
        return self.kind == 3

    @property
    def kind_of_pixels(self) -> tuple[object, ...]:
        """A value that is equal for pages that can be planes of one stack."""
        alike = (self.height, self.width, self.samples, self.photometric)
        return (*alike, self.all_bits, self.all_kinds, self.extra)

    def __str__(self) -> str:
        colours = "gray" if _CHANNELS.get(self.photometric) == 1 else "colour"
        return f"{self.width} x {self.height} {colours} of {self.bits} bits"

    def check(self, stored: int, max_pixels: int) -> None:
        """Refuse what is not supported (by name), what is damaged, and bombs (InputError).

        `stored` is the number of bytes of the file.
        """
        # lazily, because each check relies on the previous ones
        for reason in chain(self._foreign(), self._odd_samples()):
            raise InputError(reason)
        sample_bytes = self.samples * math.ceil(self.bits / 8)
        check_size(self.width, self.height, sample_bytes, stored, max_pixels)
        height, width = self.tile
        if height <= 0 or width <= 0:
            raise InputError("its strips or tiles have no size; get an undamaged copy")
        across, down = math.ceil(self.width / width), math.ceil(self.height / height)
        if self.tiled:  # the padding of the last tiles is decoded as well
            check_size(across * width, down * height, sample_bytes, stored, max_pixels)
        count = across * down * (self.samples if self.planar else 1)
        if len(self.offsets) != count or len(self.lengths) != count:
            raise InputError(
                f"it lists {len(self.offsets)} of {count} strips or tiles; get an undamaged copy"
            )
        if 0 in self.lengths and 0 in self.offsets:
            raise InputError(
                "it is a sparse TIFF, with tiles that are left out, which is not supported; "
                "convert it with GDAL first: gdal_translate -co SPARSE_OK=FALSE in.tif out.tif"
            )
        ends = [offset + length for offset, length in zip(self.offsets, self.lengths, strict=True)]
        if max(ends) > stored or min(self.lengths) == 0 or min(self.offsets) < 8:
            raise InputError("some of its strips or tiles lie outside the file; get a complete copy")

    def _foreign(self) -> Iterator[str]:
        if self.raw:
            yield "it is a camera RAW file; develop it to a 16-bit TIFF first"
        if self.photometric not in _CHANNELS:
            name = _FOREIGN.get(self.photometric, f"photometric interpretation {self.photometric}")
            yield f"it is a TIFF in {name}; convert it to RGB or gray first"
        if self.planes != 1:
            yield "it is a volume or stack of pictures; split it into single pages first"
        if self.predictor != 1 and self.compression not in _PREDICTED:
            yield "it has a predictor that its compression does not know; save it with Deflate or LZW"
        if self.compression not in _COMPRESSIONS:
            yield f"its TIFF compression {self.compression} is not supported; save it with Deflate or LZW"

    def _odd_samples(self) -> Iterator[str]:
        extra = self.samples - _CHANNELS[self.photometric]
        if extra < 0:
            yield "it has fewer channels than its colours need; get an undamaged copy"
        if extra > 1:
            yield f"it has {extra} channels beside its colours; keep one at most, marked as alpha"
        if extra == 1 and (self.photometric == 3 or self.extra not in ((1,), (2,))):
            yield "it has a channel beside its colours that is not marked as alpha; mark or remove it"
        if len(set(self.all_bits)) != 1 or len(set(self.all_kinds)) != 1:
            yield "its channels have different sample types; save it with one type for all"
        if not (1 <= self.bits <= 16 if self.kind == 1 else self.is_float and self.bits in (16, 32, 64)):
            named = _KINDS.get(self.kind, "of unknown type")
            yield f"its samples are {self.bits}-bit {named}; save it as 8-bit, 16-bit or 32-bit float"
        if self.compression in _FAX and (self.bits, self.samples) != (1, 1):
            yield f"its fax compression holds {self.bits}-bit samples; get an undamaged copy"
        if self.photometric == 3 and self.bits > 8:
            yield f"its palette has {self.bits}-bit indices; save it as RGB"
        if self.photometric == 0 and self.is_float:
            yield "it is a float TIFF whose smallest value is white; invert it and save it as MinIsBlack"
