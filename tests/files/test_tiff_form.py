"""TIFFs that are not supported or damaged are refused by name."""

import struct

import numpy as np
import pytest

from alr_cli.errors import InputError
from alr_cli.files.ifd import Entry, open_tiff, read_directory
from alr_cli.files.pictures import decode
from alr_cli.files.tiff import _with_directory
from tests.files.seeds import ramp, seed_files, tiff


def entries(**changes: int) -> dict[int, Entry]:
    """Tags by number, such as t259=7, as SHORT or LONG."""
    return {int(name[1:]): Entry(4, struct.pack("<I", value)) for name, value in changes.items()}


def changed(data: bytes, **changes: int) -> bytes:
    layout, first = open_tiff(data)
    return _with_directory(data, layout, read_directory(data, layout, first) | entries(**changes))


def with_tag(data: bytes, code: int, entry: Entry) -> bytes:
    layout, first = open_tiff(data)
    return _with_directory(data, layout, read_directory(data, layout, first) | {code: entry})


def overlapping(data: bytes) -> bytes:
    """Three tags that each claim the whole file as their value."""
    first = open_tiff(data)[1]
    count = struct.unpack_from("<H", data, first)[0]
    old = data[first + 2 : first + 2 + 12 * count]
    large = b"".join(struct.pack("<HHII", 65000 + each, 7, len(data), 8) for each in range(3))
    return (
        data[:4]
        + struct.pack("<I", len(data))
        + data[8:]
        + struct.pack("<H", count + 3)
        + old
        + large
        + bytes(4)
    )


def endless(data: bytes) -> bytes:
    """The TIFF with its first page pointing back at itself as the next."""
    first = open_tiff(data)[1]
    end = first + 2 + 12 * struct.unpack_from("<H", data, first)[0]
    return data[:end] + struct.pack("<I", first) + data[end + 4 :]


GRAY, RGB = tiff(ramp(1)[..., 0], photometric="minisblack"), tiff(ramp(3), photometric="rgb")
REFUSED = {
    "TIFF in CMYK": tiff(ramp(4), photometric="separated"),
    "TIFF in CIE Lab": tiff(ramp(3), photometric="cielab"),
    "TIFF in YCbCr": changed(RGB, t262=6),
    "camera RAW": tiff(ramp(1)[..., 0], photometric="cfa"),
    "camera RAW file; develop": changed(RGB, t50706=1),
    "opens with a preview": changed(RGB, t254=1),
    "photometric interpretation": changed(RGB, t262=77),
    "TIFF compression 7 ": changed(RGB, t259=7),
    "TIFF compression 34887 ": changed(RGB, t259=34887),
    "8-bit signed integer": tiff(ramp(3).astype(np.int8), photometric="rgb"),
    "32-bit integer": tiff(ramp(1).astype(np.uint32)[..., 0], photometric="minisblack"),
    "32-bit signed": tiff(ramp(1).astype(np.int32)[..., 0], photometric="minisblack"),
    "64-bit complex": tiff(ramp(1).astype(np.complex64)[..., 0], photometric="minisblack"),
    "not marked as alpha": tiff(ramp(4), photometric="rgb", extrasamples=["unspecified"]),
    "2 channels beside": tiff(
        np.concatenate([ramp(4), ramp(1)], -1), photometric="rgb", extrasamples=["unassalpha", "unspecified"]
    ),
    "fewer channels": changed(GRAY, t262=2),
    "float TIFF whose smallest": tiff(ramp(1, "float32")[..., 0], photometric="miniswhite"),
    "volume or stack": tiff(
        np.stack([ramp(1)[..., 0]] * 16), photometric="minisblack", volumetric=True, tile=(16, 16, 16)
    ),
    "stack of pictures": changed(
        tiff(ramp(1)[..., 0], photometric="minisblack", description="ImageJ=1.53\nimages=5\n")
    ),
    "palette is missing": changed(GRAY, t262=3),
    "predictor that": changed(GRAY, t317=2),
    "holds 3 pages": seed_files()["tiff-pages"],
    "strips or tiles have no size": changed(tiff(ramp(3), photometric="rgb", tile=(16, 16)), t322=0),
    "sparse TIFF, with tiles that are left out, which is not supported": changed(GRAY, t273=0, t279=0),
    "lists 1 of 24": changed(GRAY, t278=1),
    "0 x 24 pixels": changed(GRAY, t256=0),
    "strips or tiles lie outside the file": GRAY[:-40],
    "directory lies outside the file": GRAY[:100],
    "list of pages never ends": endless(GRAY),
    "holds no page": GRAY[:4] + bytes(4) + GRAY[8:],
    "TIFF header is damaged": b"MM\0+\0\7\0\0" + bytes(40),
    "different sample types": with_tag(RGB, 258, Entry(3, struct.pack("<3H", 8, 8, 16))),
    "fax compression holds 8-bit": changed(GRAY, t259=4),
    "16-bit indices": changed(tiff(ramp(1, "uint16")[..., 0], photometric="minisblack"), t262=3),
    "TIFF tags overlap": overlapping(GRAY),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_not_supported_is_refused_by_its_name(reason: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError) as caught:
        decode(REFUSED[reason], "x.tif")
    assert reason in str(caught.value)
    assert str(caught.value).startswith("cannot read x.tif: ") and "; " in str(caught.value)
    assert capfd.readouterr() == ("", "")
