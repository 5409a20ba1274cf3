"""Decompression bombs are refused from the header, in under a second and 300 MB."""

import struct
import subprocess
import sys
import zlib
from functools import cache
from pathlib import Path

import pytest

from alr_cli.errors import InputError
from alr_cli.files.ifd import Entry, Layout
from alr_cli.files.limits import check_size
from alr_cli.files.pictures import decode
from alr_cli.files.tiff import _with_directory
from tests.files.seeds import chunk, pil, save, with_chunks

MEASURE = """
import sys, time
from pathlib import Path
from alr_cli.errors import InputError
from alr_cli.files.pictures import read_picture
start = time.perf_counter()
try:
    read_picture(sys.argv[1])
except InputError as error:
    sentence = str(error)
else:
    sentence = "decoded"
seconds = time.perf_counter() - start
peak = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line]
print(seconds, int(peak[0]) * 1024, sentence)
"""


@cache
def zeros(size: int) -> bytes:
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(10**7)) for _ in range(size // 10**7))
    return packed + packer.flush()


def png(width: int, height: int, stream: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", stream), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def deflated_tiff(width: int, height: int, bits: int, stream: bytes, **tags: int) -> bytes:
    layout = Layout("<")
    values = {256: width, 257: height, 258: bits, 259: 8, 262: 1, 273: 8, 278: height, 279: len(stream)}
    values |= {339: 3 if bits == 32 else 1} | {int(name[1:]): value for name, value in tags.items()}
    directory = {code: Entry(4, struct.pack("<I", value)) for code, value in values.items()}
    return _with_directory(bytes(8) + stream, layout, directory)


def bombs() -> dict[str, tuple[bytes, str]]:
    huge = zeros(400_000_000)  # 0.4 MB
    plain = save(pil("RGB"), "PNG")
    jpeg = bytearray(save(pil("L"), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 9999, 9999)
    webp = bytearray(save(pil("RGB"), "WEBP", lossless=True))
    webp[21:25] = struct.pack("<I", 16382 | 16382 << 14)
    return {
        "png header": (png(60000, 60000, huge[:100]), "60000 x 60000 pixels are more than the limit"),
        "png stream": (png(10, 10, huge), "more pixels than its header says"),
        "png profile": (with_chunks(plain, (b"iCCP", b"p\0\0" + huge)), "colour profile unpacks to more"),
        "tiff of 400 Mpx": (deflated_tiff(20000, 20000, 8, huge), "20000 x 20000 pixels are more than"),
        "tiff of 100 Mpx floats": (deflated_tiff(10000, 10000, 32, huge), "as decompression bombs do"),
        "tiff strip": (deflated_tiff(100, 100, 8, huge), "decoded"),  # no more than its 100 rows
        "tiff tile": (
            deflated_tiff(16, 16, 8, huge, t322=60000, t323=60000, t324=16, t325=1000),
            "60000 x 60000 pixels are more than",
        ),
        "jpeg header": (bytes(jpeg), "as decompression bombs do"),
        "webp header": (bytes(webp), "16383 x 16383 pixels are more than"),
        "bmp header": (
            b"BM" + bytes(12) + struct.pack("<IiiHH", 40, 60000, 60000, 1, 24) + bytes(24),
            "60000 x 60000",
        ),
    }


@pytest.mark.parametrize("name", bombs())
def test_a_bomb_is_refused_in_under_a_second_and_300_megabytes(name: str, tmp_path: Path) -> None:
    data, reason = bombs()[name]
    path = tmp_path / "bomb"
    path.write_bytes(data)
    result = subprocess.run([sys.executable, "-c", MEASURE, path], capture_output=True, text=True, check=True)
    seconds, peak, sentence = result.stdout.split(" ", 2)
    assert reason in sentence
    assert float(seconds) < 1
    assert int(peak) < 300_000_000
    assert result.stderr == ""


def test_packed_text_is_carried_without_being_unpacked() -> None:
    text = (b"zTXt", b"Comment\0\0" + zeros(400_000_000))
    picture = decode(with_chunks(save(pil("RGB"), "PNG"), text, text))
    assert picture.extras == (("zTXt", text[1]),) * 2


def test_raising_the_limit_lets_a_large_blank_page_in() -> None:
    data = png(1200, 1000, zlib.compress(bytes(1 + 3 * 1200) * 1000, 9))
    for limit, reason in (
        (1_000_000, "1200 x 1000 pixels are more than the limit of 1 million; crop it or raise --max-pixels"),
        (1_500_000, "bytes claim to hold 4 MB, as decompression bombs do; raise --max-pixels"),
    ):
        with pytest.raises(InputError, match=reason):
            decode(data, max_pixels=limit)
    assert decode(data, max_pixels=2_000_000).shape == (1000, 1200, 3)


@pytest.mark.parametrize(
    ("side", "sample_bytes", "stored", "allowed"),
    [
        (4000, 3, 100, True),  # a blank picture of 16 Mpx in 100 bytes: 48 MB
        (5000, 3, 100, False),
        (9999, 3, 10**6, False),  # 300 to 1 at 300 MB
        (9999, 3, 2 * 10**6, True),
        (9999, 1, 10**5, True),  # a mask
        (10000, 1, 10**7, True),
        (10001, 1, 10**9, False),
        (0, 1, 100, False),
    ],
)
def test_large_results_of_little_data_are_suspicious(
    side: int, sample_bytes: int, stored: int, allowed: bool
) -> None:
    if allowed:
        check_size(side, side, sample_bytes, stored, 100_000_000)
    else:
        with pytest.raises(InputError):
            check_size(side, side, sample_bytes, stored, 100_000_000)
