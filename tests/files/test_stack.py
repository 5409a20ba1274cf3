"""Stacks: read and written plane by plane, with the metadata of their dialect."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from alr_cli.errors import InputError
from alr_cli.files.picture import Depth
from alr_cli.files.stack import Stack, opened_stack
from alr_cli.files.stack_tags import losses
from alr_cli.files.stack_writer import write_stack

LUTS = [np.stack([np.arange(256)] * 3).astype(np.uint8)] * 2
IMAGEJ = {
    "spacing": 0.5,
    "unit": "um",
    "finterval": 2.0,
    "min": 0.0,
    "max": 4000.0,
    "Labels": [f"label {number}" for number in range(24)],
    "Info": "taken on a Monday",
    "Ranges": (0.0, 4000.0, 0.0, 3000.0),
    "LUTs": LUTS,
}
HYPER, SERIES, COLOURS = (3, 4, 2, 10, 14), (5, 10, 14), (4, 10, 14, 3)


def numbers(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    drawn = np.random.default_rng(0).random(shape)
    return (drawn * (1 if dtype == "float32" else 4000 if dtype == "uint16" else 255)).astype(dtype)


def stack_file(folder: Path, kind: str) -> Path:
    """A stack of the named kind."""
    path = folder / ("stack.ome.tif" if kind.startswith("ome") else "stack.tif")
    resolution: dict[str, Any] = {"resolution": (5.0, 5.0), "resolutionunit": 1}
    match kind.split():
        case ["imagej", dtype, order]:
            data = numbers(HYPER, dtype)
            metadata = {"axes": "TZCYX", **IMAGEJ}
            tifffile.imwrite(path, data, imagej=True, metadata=metadata, byteorder=order, **resolution)
        case ["imagej-colours"]:
            tifffile.imwrite(path, numbers(COLOURS, "uint8"), imagej=True, metadata={"axes": "ZYXS"})
        case ["imagej-alone", order]:
            write_as_imagej(path, numbers(HYPER, "uint16"), order)
        case ["ome", dtype]:
            metadata = {"axes": "TZCYX", "PhysicalSizeX": 0.2, "Channel": {"Name": ["red", "green"]}}
            tifffile.imwrite(path, numbers(HYPER, dtype), metadata=metadata)
        case ["ome-series", axis]:
            metadata = {"axes": f"{axis}YX", "PhysicalSizeX": 0.2}
            tifffile.imwrite(path, numbers(SERIES, "uint16"), metadata=metadata, compression="zlib")
        case ["ome-colours"]:
            metadata = {"axes": "ZYXS"}
            tifffile.imwrite(path, numbers(COLOURS, "uint8"), photometric="rgb", metadata=metadata)
        case ["tifffile"]:
            tifffile.imwrite(path, numbers(SERIES, "float32"), photometric="minisblack")
        case ["tifffile-alone"]:
            tifffile.imwrite(path, numbers(SERIES, "uint16"), photometric="minisblack", truncate=True)
        case ["pages", compression, order]:
            with tifffile.TiffWriter(path, byteorder=order) as writer:
                for number, plane in enumerate(numbers(SERIES, "uint16")):
                    writer.write(
                        plane,
                        metadata=None,
                        description=f"plane {number}",
                        compression=None if compression == "none" else compression,
                        extratags=[(65000, 2, None, f"private {number}", False)],
                        **resolution,
                    )
        case ["big"]:
            tifffile.imwrite(path, numbers(SERIES, "uint16"), bigtiff=True, metadata=None, predictor=False)
    return path


def write_as_imagej(path: Path, data: np.ndarray, order: str) -> None:
    """Write like ImageJ: one directory, followed by the pixels of all planes."""
    tifffile.imwrite(path, data[0, 0, 0], imagej=True, byteorder=order)
    blob = path.read_bytes()
    text = b"ImageJ=1.53\nimages=24\nchannels=2\nslices=4\nframes=3\nhyperstack=true\n"
    with tifffile.TiffFile(path) as file:
        tag, offset = file.pages[0].tags[270], file.pages[0].dataoffsets[0]
        assert len(text) <= tag.count + 64
        start, count_at = tag.valueoffset, tag.offset + 4
    blob = blob[:offset]
    count = len(text).to_bytes(4, "little" if order == "<" else "big")
    blob = blob[:start] + text + blob[start + len(text) :]
    blob = blob[:count_at] + count + blob[count_at + 4 :]
    path.write_bytes(blob + data.astype(data.dtype.newbyteorder(order)).tobytes())


KINDS = [
    *(f"imagej {dtype} {order}" for dtype in ("uint8", "uint16", "float32") for order in "<>"),
    *("imagej-colours", "imagej-alone <", "imagej-alone >"),
    *(
        "ome uint8",
        "ome uint16",
        "ome float32",
        "ome-series Z",
        "ome-series T",
        "ome-series C",
        "ome-colours",
    ),
    *("tifffile", "tifffile-alone", "pages none <", "pages zlib >", "pages lzw <", "big"),
]


@contextmanager
def opened(path: Path) -> Iterator[Stack]:
    with opened_stack(path) as stack:
        assert stack is not None
        yield stack


def written(
    path: Path, *, pages: tuple[int, int] | None = None, depth: Depth | None = None, **how: Any
) -> Path:
    """The stack read and written again."""
    target = path.with_name(f"out-{path.name}")
    with opened(path) as stack, target.open("w+b") as file:
        part = stack.only(*pages) if pages else stack
        planes = (part.plane(index) for index in range(len(part)))
        write_stack(file, part, planes, depth or part.head().depth, **how)
    return target


@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_keeps_pixels_axes_and_tags(kind: str, tmp_path: Path) -> None:
    path = stack_file(tmp_path, kind)
    with tifffile.TiffFile(path) as before, tifffile.TiffFile(written(path)) as after:
        assert np.array_equal(before.asarray(), after.asarray())
        assert before.series[0].axes == after.series[0].axes
        assert before.series[0].dtype == after.series[0].dtype
        assert (before.byteorder, before.is_bigtiff) == (after.byteorder, after.is_bigtiff)
        assert len(before.pages) == len(after.pages)
        assert before.ome_metadata == after.ome_metadata
        assert plain(before.imagej_metadata) == plain(after.imagej_metadata)
        assert (before.pages[0].compression == 1) == (after.pages[0].compression == 1)
        before.pages.useframes = after.pages.useframes = False
        for number in range(len(before.pages)):
            assert told(before.pages[number]) == told(after.pages[number])


def plain(metadata: dict[str, Any] | None) -> dict[str, Any] | None:
    """ImageJ's metadata in a form that can be compared."""
    if metadata is None:
        return None
    return {name: np.asarray(value).tolist() if name == "LUTs" else value for name, value in metadata.items()}


def told(page: Any) -> dict[int, Any]:
    """The tags of a page that describe its picture."""
    codes = (270, 282, 283, 296, 65000)
    return (
        {code: page.tags[code].value for code in codes if code in page.tags} if hasattr(page, "tags") else {}
    )


@pytest.mark.parametrize(
    ("kind", "axes", "lengths"),
    [
        ("imagej uint16 <", "TZC", (3, 4, 2)),
        ("imagej-alone >", "TZC", (3, 4, 2)),
        ("ome uint16", "TZC", (3, 4, 2)),
        ("ome-series C", "C", (5,)),
        ("ome-colours", "Z", (4,)),
        ("tifffile", "I", (5,)),
        ("pages zlib >", "I", (5,)),
    ],
)
def test_the_axes_are_those_of_the_description(
    kind: str, axes: str, lengths: tuple[int, ...], tmp_path: Path
) -> None:
    with opened(stack_file(tmp_path, kind)) as stack:
        assert (stack.axes, stack.lengths) == (axes, lengths)
        assert len(stack) == stack.planes == np.prod(lengths)
        channels = [stack.channel(index) for index in range(len(stack))]
        assert (
            channels == ([*range(lengths[-1])] * len(stack))[: len(stack)]
            if "C" in axes
            else {*channels} == {0}
        )


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_of_a_stack_has_only_true_metadata(kind: str, tmp_path: Path) -> None:
    path = stack_file(tmp_path, kind)
    with tifffile.TiffFile(path) as before, tifffile.TiffFile(written(path, pages=(2, 3))) as after:
        whole, part = before.asarray(), after.asarray()
        assert np.array_equal(whole.reshape(-1, *part.shape[1:])[1:3], part)
        assert len(after.series) == 1
        single = len([axis for axis in before.series[0].axes if axis not in "YXS"]) == 1
        if single and not (kind.startswith("pages") or kind == "big"):
            assert after.series[0].axes == before.series[0].axes
    with opened(path) as stack:
        said = " ".join(losses(stack.only(2, 3), stack.head(), stack.head().depth))
    assert ("plain list" in said) == (len(stack.lengths) > 1)
    assert ("labels" in said) == kind.startswith("imagej ")


@pytest.mark.parametrize(
    "kind", ["imagej uint16 >", "imagej-alone <", "ome uint16", "tifffile", "pages lzw <"]
)
@pytest.mark.parametrize("depth", ["uint8", "float32"])
def test_another_depth_changes_the_description(kind: str, depth: Depth, tmp_path: Path) -> None:
    path = stack_file(tmp_path, kind)
    with tifffile.TiffFile(path) as before, tifffile.TiffFile(written(path, depth=depth)) as after:
        assert after.series[0].dtype == np.dtype(depth)
        assert (after.series[0].axes, after.series[0].shape) == (
            before.series[0].axes,
            before.series[0].shape,
        )
        assert after.is_ome == before.is_ome and after.is_imagej == before.is_imagej
        assert "max" not in (after.imagej_metadata or {})


@pytest.mark.parametrize("kind", KINDS)
def test_a_stripped_stack_keeps_every_plane(kind: str, tmp_path: Path) -> None:
    path = stack_file(tmp_path, kind)
    with tifffile.TiffFile(path) as before, tifffile.TiffFile(written(path, strip=True)) as after:
        whole = before.asarray()
        assert np.array_equal(whole.reshape(after.asarray().shape), after.asarray())
        assert 270 not in after.pages[0].tags


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
def test_a_stack_that_is_cut_off_is_refused_before_a_pixel_is_read(
    kind: str, share: float, tmp_path: Path
) -> None:
    path = stack_file(tmp_path, kind)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match=r"complete copy|undamaged copy") as caught, opened_stack(path):
        pass
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pages_that_differ_are_refused_by_the_first_that_does(tmp_path: Path) -> None:
    path = tmp_path / "mixed.tif"
    with tifffile.TiffWriter(path) as writer:
        for shape, dtype in (((10, 14), "uint8"), ((10, 14), "uint8"), ((10, 14), "uint16")):
            writer.write(numbers(shape, dtype), metadata=None)
    sentence = r"page 1 is 14 x 10 gray of 8 bits, page 3 is .* 16 bits.*--page"
    with pytest.raises(InputError, match=sentence), opened_stack(path):
        pass


def test_planes_in_other_files_are_refused(tmp_path: Path) -> None:
    path = stack_file(tmp_path, "ome-series Z")
    with tifffile.TiffFile(path) as file:
        text = file.ome_metadata
    uuids = "".join(
        f'<TiffData FirstZ="{z}"><UUID FileName="{z}.tif">urn:uuid:{z}</UUID></TiffData>' for z in range(5)
    )
    text = text[: text.index("<TiffData")] + uuids + text[text.index("</Pixels") :]
    tifffile.imwrite(
        path, numbers(SERIES, "uint16"), description=text, metadata=None, photometric="minisblack"
    )
    with pytest.raises(InputError, match="several files"), opened_stack(path):
        pass


@pytest.mark.parametrize(
    "name", ["single.tif", "reduced.tif", "picture.png", "gone.tif", "folder.tif", "volume.tif"]
)
def test_other_files_are_left_to_the_reader_of_pictures(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "single.tif":
        tifffile.imwrite(path, numbers((10, 14), "uint8"))
    elif name == "reduced.tif":
        with tifffile.TiffWriter(path) as writer:
            writer.write(numbers((10, 14), "uint8"), metadata=None)
            writer.write(numbers((5, 7), "uint8"), metadata=None, subfiletype=1)
    elif name == "picture.png":
        path.write_bytes(b"\x89PNG\r\n\x1a\n")
    elif name == "folder.tif":
        path.mkdir()
    elif name == "volume.tif":
        data = numbers((4, 16, 16), "uint8")
        tifffile.imwrite(path, data, volumetric=True, photometric="minisblack", tile=(4, 16, 16))
    with opened_stack(path) as stack:
        assert stack is None


@pytest.mark.parametrize("pages", [(0, 2), (2, 6), (4, 3), (6, 6)])
def test_pages_that_are_not_there_are_refused(pages: tuple[int, int], tmp_path: Path) -> None:
    with opened(stack_file(tmp_path, "tifffile")) as stack:
        with pytest.raises(InputError, match="it holds 5"):
            stack.only(*pages)
        assert [stack.only(2, 4).chosen[index] for index in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_planes_are_seen_upright_and_stored_as_they_were(compression: str | None, tmp_path: Path) -> None:
    path = tmp_path / "turned.tif"
    data = numbers(SERIES, "uint16")
    turned = [(274, 3, 1, 6, False)]
    tifffile.imwrite(
        path, data, metadata=None, photometric="minisblack", extratags=turned, compression=compression
    )
    with opened(path) as stack:
        assert stack.plane(1).shape == (14, 10, 1)
        assert np.array_equal(np.rint(stack.plane(1).pixels[..., 0] * 65535), np.rot90(data[1], -1))
    with tifffile.TiffFile(written(path)) as after:
        assert np.array_equal(after.asarray(), data) and after.pages[4].aspage().tags[274].value == 6


def test_planes_of_floats_are_checked_like_pictures(tmp_path: Path) -> None:
    data = numbers(SERIES, "float32")
    data[3, 2, 1] = np.nan
    tifffile.imwrite(tmp_path / "stack.tif", data, photometric="minisblack")
    with opened(tmp_path / "stack.tif") as stack:
        assert np.isnan(stack.plane(3, allow_nan=True).pixels).sum() == 1
        with pytest.raises(InputError, match=r"stack.tif, plane 4: 1 of its values are NaN"):
            stack.plane(3)


def test_a_plane_is_read_without_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(stack_file(tmp_path, "imagej-alone <")) as stack:
        read: list[int] = []
        take = type(stack._data).__getitem__
        monkeypatch.setattr(
            type(stack._data),
            "__getitem__",
            lambda data, part: read.append(part.stop - part.start) or take(data, part),
        )
        stack.plane(17)
        assert sum(read) < 2000 + 10 * 14 * 2
