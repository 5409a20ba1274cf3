"""Small pictures of every format and mode, made in memory by other encoders than ours."""

import io
import struct
import zlib
from functools import cache
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from alr_cli.files.ifd import Entry, open_tiff, read_directory, write_directory

PREFIX = b"Exif\0\0"
"""What stands before an EXIF block in a JPEG; Pillow takes it for every format."""
SIZE = (24, 37)
"""Height and width: different, and neither a multiple of 8."""


def ramp(channels: int, dtype: str = "uint8") -> NDArray[Any]:
    """A smooth test picture (H, W, channels) with a different gradient in each channel, using every value."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    y, x = y / (SIZE[0] - 1), x / (SIZE[1] - 1)
    planes = np.stack([x, y, (x + y) / 2, 1 - x * y], axis=-1)[..., :channels]
    full = 1.0 if dtype == "float32" else np.iinfo(dtype).max
    return np.asarray(np.rint(planes * full) if full > 1 else planes, dtype)


def icc() -> bytes:
    """A real colour profile with a fixed creation date, so that it is always the same."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = struct.pack(">6H", 2020, 1, 1, 0, 0, 0)
    return bytes(profile)


def exif(orientation: int = 6) -> bytes:
    """An EXIF block with orientation, maker, a sub-directory and a GPS position."""
    tags = Image.Exif()
    tags[274], tags[271], tags[282], tags[283], tags[296] = orientation, "Maker", 300.0, 300.0, 2
    tags.get_ifd(34665).update({33434: 0.005, 37510: b"ASCII\0\0\0a comment", 36867: "2020:01:01 00:00:00"})
    tags.get_ifd(34853).update({1: "N", 2: (48.0, 8.0, 14.0)})
    return tags.tobytes().removeprefix(PREFIX)


def save(image: Image.Image, format: str, **options: Any) -> bytes:
    """The bytes Pillow writes."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def tiff(samples: NDArray[Any], **options: Any) -> bytes:
    """The bytes tifffile writes."""
    file = io.BytesIO()
    tifffile.imwrite(file, samples, **{"metadata": None, "software": False, **options})
    return file.getvalue()


def with_chunks(png: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """The PNG with further chunks after its header."""
    return png[:33] + b"".join(chunk(*each) for each in chunks) + png[33:]


def chunk(name: bytes, payload: bytes) -> bytes:
    """One PNG chunk with its length and checksum."""
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))


def plain_png(data: bytes) -> NDArray[Any]:
    """(H, W, channels) of a 16-bit PNG, decoded by the specification with zlib only."""
    width, height, bits, kind = struct.unpack_from(">IIBB", data, 16)
    assert bits == 16
    step = 2 * {0: 1, 2: 3, 4: 2, 6: 4}[kind]
    packed, offset = b"", 8
    while offset < len(data):
        length, name = struct.unpack_from(">I4s", data, offset)
        packed += data[offset + 8 : offset + 8 + length] if name == b"IDAT" else b""
        offset += length + 12
    stream, rows = zlib.decompress(packed), [bytearray(width * step)]
    for start in range(0, len(stream), width * step + 1):
        filter_type, row = stream[start], bytearray(stream[start + 1 : start + 1 + width * step])
        for i in range(len(row)):
            left, corner = (row[i - step], rows[-1][i - step]) if i >= step else (0, 0)
            above = rows[-1][i]
            nearest = min((left, above, corner), key=lambda each: abs(left + above - corner - each))
            row[i] = (row[i] + (0, left, above, (left + above) // 2, nearest)[filter_type]) % 256
        rows.append(row)
    return np.frombuffer(b"".join(rows[1:]), ">u2").reshape(height, width, -1).astype(np.uint16)


def palette_tiff(
    indices: NDArray[np.uint8], colours: NDArray[Any], bits: int, compression: str | None = None
) -> bytes:
    """A palette TIFF of 1 to 8 bits: rows of packed indices, and the tags that describe them."""
    height, width = indices.shape
    digits = indices[..., None] >> np.arange(bits - 1, -1, -1) & 1
    packed = np.packbits(digits.astype(np.uint8).reshape(height, -1), axis=1)
    data = tiff(packed, photometric="minisblack", compression=compression)
    layout, first = open_tiff(data)
    numbers = {256: ("<u4", width), 258: ("<u2", bits), 262: ("<u2", 3), 320: ("<u2", colours.ravel())}
    directory = read_directory(data, layout, first)
    for code, (kind, value) in numbers.items():
        directory[code] = Entry(4 if kind == "<u4" else 3, np.asarray(value).astype(kind).tobytes())
    padded = data + b"\0" * (len(data) % 2)
    header = layout.header + layout.offset.pack(len(padded))
    return header + padded[len(header) :] + write_directory(directory, layout, len(padded))


def with_segments(jpeg: bytes) -> bytes:
    """The JPEG with segments of a thermal camera, of a gain map, and of XMP that mentions a video."""
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x:d GCamera:MotionPhoto="1" hdrgm:Version="1.0"/>'
    segments = ((0xE1, b"FLIR\0\1\0\1data"), (0xE2, b"urn:iso:std:iso:ts:21496:-1\0\0\0\0\0"), (0xE1, xmp))
    packed = (struct.pack(">BBH", 0xFF, mark, len(load) + 2) + load for mark, load in segments)
    return jpeg[:2] + b"".join(packed) + jpeg[2:]


def pil(mode: str) -> Image.Image:
    """The test picture in a Pillow mode; "P+tRNS" is a palette with graded transparency."""
    if mode in ("1", "P"):
        return Image.fromarray(ramp(3)).convert(mode, palette=Image.Palette.ADAPTIVE, colors=16)
    if mode == "P+tRNS":
        image = pil("P")
        image.info["transparency"] = bytes(range(0, 256, 16))
        return image
    if mode == "I;16":
        return Image.fromarray(ramp(1, "uint16")[..., 0])
    channels = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}[mode]
    samples = ramp(channels)
    return Image.fromarray(samples[..., 0] if channels == 1 else samples)


@cache
def seed_files() -> dict[str, bytes]:
    """Name -> bytes of a valid file."""
    text = PngInfo()
    text.add_text("Comment", "a comment " * 20, zip=True)
    text.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
    frames = [Image.fromarray(np.roll(ramp(3), shift, axis=1)) for shift in (0, 5, 9)]
    deep, smooth = ramp(4, "uint16"), ramp(3, "float32")
    tags: dict[str, Any] = {"icc_profile": icc(), "exif": PREFIX + exif(), "dpi": (300, 300)}
    return {
        "png-1": save(pil("1"), "PNG"),
        "png-rgb": save(pil("RGB"), "PNG", pnginfo=text, **tags),
        "png-palette": save(pil("P+tRNS"), "PNG", transparency=bytes(range(0, 256, 16))),
        "png-rgba16": bytes(imagecodecs.png_encode(deep)),
        "png-la": save(pil("LA"), "PNG"),
        "png-mask": save(Image.fromarray(np.asarray(ramp(1)[..., 0] > 128, np.uint8)), "PNG"),
        "png-strokes": save(
            Image.fromarray(np.where(ramp(1) > 200, [[[255, 0, 0]]], 0).astype(np.uint8)), "PNG"
        ),
        "apng": save(frames[0], "PNG", save_all=True, append_images=frames[1:]),
        "jpeg-rgb": save(pil("RGB"), "JPEG", comment=b"a comment", xmp=b"<x/>", **tags),
        "jpeg-progressive": save(pil("L"), "JPEG", progressive=True),
        "jpeg-segments": with_segments(save(pil("RGB"), "JPEG", **tags)) + b"\0\0\0\x18ftypmp42" + bytes(40),
        "jpeg-12": bytes(imagecodecs.jpeg8_encode(ramp(3, "uint16") >> 4, bitspersample=12)),
        "jpeg-ls": bytes(imagecodecs.jpegls_encode(ramp(1)[..., 0])),
        "jpeg-cmyk": save(pil("RGB").convert("CMYK"), "JPEG"),
        "webp-lossless": save(pil("RGBA"), "WEBP", lossless=True, exif=exif(), icc_profile=icc()),
        "webp-lossy": save(pil("RGB"), "WEBP"),
        "webp-animated": save(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
        "tiff-deflate16": tiff(deep, compression="zlib", predictor=True, photometric="rgb", extrasamples=[2]),
        "tiff-lzw": tiff(ramp(3), photometric="rgb", compression="lzw", predictor=True),
        "tiff-exif": save(pil("RGB"), "TIFF", **tags),
        "tiff-float": tiff(smooth, photometric="rgb", byteorder=">"),
        "tiff-10bit": tiff(ramp(3, "uint16") >> 6, photometric="rgb", compression="zlib"),
        "tiff-range": tiff(
            4000 * ramp(1, "float32")[..., 0],
            photometric="minisblack",
            extratags=[(340, 11, 1, 0.0, True), (341, 11, 1, 4000.0, True)],
        ),
        "tiff-planar": tiff(
            np.moveaxis(ramp(3), -1, 0).copy(), photometric="rgb", planarconfig="separate", tile=(16, 16)
        ),
        "tiff-pages": tiff(np.stack([ramp(1)[..., 0]] * 3), photometric="minisblack", compression="packbits"),
        "tiff-fax": save(pil("1"), "TIFF", compression="group4"),
        "tiff-palette": save(pil("P"), "TIFF", compression="packbits"),
        "tiff-palette4": palette_tiff(ramp(1)[..., 0] >> 4, np.arange(48) * 5, 4, "zlib"),
        "tiff-ome": tiff(np.stack([ramp(1)[..., 0]] * 3), ome=True, metadata={"axes": "ZYX"}),
        "tiff-imagej": tiff(
            np.stack([ramp(1)[..., 0]] * 3), imagej=True, metadata={"Labels": ["a", "b", "c"]}
        ),
        "tiff-shape": tiff(ramp(3), photometric="rgb", metadata={}, compression="lzw"),
        "bigtiff": tiff(ramp(3), photometric="rgb", bigtiff=True, compression="zstd"),
        "bmp-rgb": save(pil("RGB"), "BMP"),
        "bmp-palette": save(pil("P"), "BMP"),
        "ppm": save(pil("RGB"), "PPM"),
        "pgm-plain": b"P2\n# plain\n" + _plain(ramp(1)),
        "pbm": save(pil("1"), "PPM"),
        "ppm16": b"P6 37 24 65535\n" + ramp(3, "uint16").astype(">u2").tobytes(),
    }


def _plain(samples: NDArray[Any]) -> bytes:
    rows = "\n".join(" ".join(str(value) for value in row) for row in samples[..., 0])
    return f"{samples.shape[1]} {samples.shape[0]}\n255\n{rows}\n".encode()
