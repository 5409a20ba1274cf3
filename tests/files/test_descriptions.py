"""Descriptions of structure are kept if they are true of the picture, and otherwise left out with a note."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from alr_cli.errors import InputError
from alr_cli.files.descriptions import without_parts
from alr_cli.files.exif import with_size
from alr_cli.files.ifd import Entry
from alr_cli.files.pictures import Depth, check_encodable, decode, encode
from tests.files.seeds import pil, ramp, save, tiff
from tests.files.test_tiff_form import with_tag

GRAY, PLANES = ramp(1, "uint16")[..., 0], np.stack([ramp(1, "uint16")[..., 0] >> each for each in range(4)])
OME: dict[str, Any] = {"ome": True, "metadata": {"PhysicalSizeX": 0.1}}
IMAGEJ: dict[str, Any] = {"imagej": True, "metadata": {"min": 0.0, "max": 4095.0, "Labels": ["a"] * 4}}
SHAPE: dict[str, Any] = {"metadata": {"note": "x"}, "photometric": "minisblack"}
DIALECTS = {"OME": OME, "ImageJ": IMAGEJ, "shape": SHAPE}


def described(samples: np.ndarray, dialect: str, **more: Any) -> bytes:
    return tiff(samples, **{**DIALECTS[dialect], **more})


@pytest.mark.parametrize("page", [1, 3])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_page_of_a_stack_is_written_as_one_picture(dialect: str, page: int) -> None:
    picture = decode(described(PLANES, dialect), page=page)
    losses = check_encodable(picture, "tiff")
    assert len(losses) == (page == 1)  # only the first page carries the description
    assert all("4" in each and "does not fit what is written" in each for each in losses)
    with tifffile.TiffFile(io.BytesIO(encode(picture, "tiff"))) as file:
        assert [series.shape for series in file.series] == [(24, 37)]
        assert np.array_equal(file.asarray(), PLANES[page - 1])
        assert not {270, 50838, 50839} & set(file.pages[0].tags.keys())


@pytest.mark.parametrize("target", ["png", "tiff"])
@pytest.mark.parametrize("depth", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_description_of_one_picture_is_kept_if_it_is_true(dialect: str, depth: Depth, target: str) -> None:
    if (target, depth) == ("png", "float32"):
        return
    picture = decode(described(GRAY, dialect))
    true = depth == "uint16" or dialect == "shape"  # a shape says nothing of a type
    losses = check_encodable(picture, target, depth=depth)  # type: ignore[arg-type]
    assert any("does not fit" in each for each in losses) != true
    written = decode(encode(picture, target, depth=depth))  # type: ignore[arg-type]
    assert (written.exif == picture.exif) == true
    assert (b"ImageJ=" in (written.exif or b"") or b"OME" in (written.exif or b"")) == (
        true and dialect != "shape"
    )


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_description_of_another_size_or_other_channels_is_left_out(dialect: str) -> None:
    picture = decode(described(GRAY, dialect))
    colour = np.repeat(picture.pixels, 3, axis=2)
    for pixels in (picture.pixels[4:20, 3:30], colour) if dialect != "ImageJ" else ():
        with tifffile.TiffFile(io.BytesIO(encode(replace(picture, pixels=pixels), "tiff"))) as file:
            assert [series.shape for series in file.series] == [np.squeeze(pixels).shape]
            assert 270 not in file.pages[0].tags


def test_colours_are_described_too() -> None:
    for dialect in ("OME", "shape"):
        more = {"metadata": {"axes": "YXS"}} if dialect == "OME" else {}
        data = described(ramp(3), dialect, photometric="rgb", **more)
        assert check_encodable(decode(data), "tiff") == ()
        planar = tiff(
            np.moveaxis(ramp(3), -1, 0).copy(), photometric="rgb", planarconfig="separate", metadata={}
        )
    assert "3 x 24 x 37" in check_encodable(decode(planar), "tiff")[0]  # it is written by pixels


def test_descriptions_of_whole_files_in_tags_are_left_out_and_named() -> None:
    data = with_tag(tiff(GRAY, photometric="minisblack"), 34412, Entry(1, bytes(64)))
    data = with_tag(data, 51123, Entry(2, b'{"Slices": 7}\0'))
    picture = decode(data)
    assert picture.notes == (
        "TIFF tags that cannot be kept: Zeiss's description of the whole file, "
        "Micro-Manager's description of the whole file",
    )
    assert decode(encode(picture, "tiff")).notes == ()


def test_planes_behind_a_single_directory_are_refused_and_those_with_their_own_are_not() -> None:
    alone = tiff(GRAY, photometric="minisblack", description="ImageJ=1.53\nimages=5\n")
    metamorph = with_tag(tiff(GRAY, photometric="minisblack"), 33629, Entry(5, bytes(8 * 5)))
    for data in (alone, metamorph):
        with pytest.raises(InputError, match="volume or stack"):
            decode(data)
    for page in (1, 2, 3, 4):
        pixels = decode(described(PLANES, "ImageJ"), page=page).pixels
        assert np.array_equal(np.rint(pixels[..., 0] * 65535), PLANES[page - 1])


MOTION = b"""<rdf:Description dc:title="t" GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion='1'
 Camera:MicroVideoOffset="99"><Container:Directory><rdf:Seq/></Container:Directory></rdf:Description>"""
GAIN = b"""<rdf:Description hdrgm:Version="1.0" dc:title="t"><hdrgm:GainMapMax><rdf:Seq/></hdrgm:GainMapMax>
<GCamera:MotionPhoto>1</GCamera:MotionPhoto></rdf:Description>"""
EXTENDED = b'<rdf:Description xmpNote:HasExtendedXMP="ABC" dc:title="t"/>'


@pytest.mark.parametrize(
    ("xmp", "what"), [(MOTION, "a film"), (GAIN, "a film and a gain map"), (EXTENDED, "extended XMP")]
)
def test_xmp_about_removed_parts_is_left_out(xmp: bytes, what: str) -> None:
    kept, notes = without_parts(xmp)
    assert kept is not None
    assert b'dc:title="t"' in kept
    assert not any(word in kept for word in (b"Motion", b"Micro", b"hdrgm", b"Container", b"Extended"))
    assert notes == (f"what its XMP says of {what} is left out with them",)
    data = save(pil("RGB"), "JPEG", xmp=xmp)
    assert decode(data).xmp == kept
    assert decode(data).notes == notes
    assert without_parts(kept) == (kept, ())


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("target", ["jpeg", "png", "webp", "tiff"])
def test_the_exif_states_the_size_that_is_written_and_moves_nothing_for_it(
    target: Any, orientation: int
) -> None:
    tags = Image.Exif()
    tags[274] = orientation
    tags.get_ifd(34665).update({40962: 37, 40963: 24, 37500: b"maker notes of a camera"})
    picture = decode(save(pil("RGB"), "JPEG", exif=tags.tobytes()))
    assert decode(encode(picture, "jpeg")).exif == picture.exif
    larger = np.repeat(np.repeat(picture.pixels, 2, axis=0), 2, axis=1)
    data = encode(replace(picture, pixels=larger), target)
    with Image.open(io.BytesIO(data)) as image:
        stated = image.getexif().get_ifd(34665)
        assert (stated[40962], stated[40963]) == (74, 48)
        assert b"maker notes of a camera" in bytes(stated[37500])
    before, after = picture.exif or b"", decode(encode(replace(picture, pixels=larger), "png")).exif or b""
    assert len(after) == len(before)
    assert sum(a != b for a, b in zip(after, before, strict=True)) == 2


def test_a_damaged_exif_is_left_as_it_is() -> None:
    for block in (
        b"broken",
        b"II*\0\x08\0\0\0\xff\xff",
        b"MM\0*\0\0\0\x08\0\x01\x87\x69\0\4\0\0\0\1\xff\0\0\0",
    ):
        assert with_size(block, 3, 4) == block
