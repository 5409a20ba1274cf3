"""Parsing the text of options."""

import math

import pytest

from alr_cli.cli.options import values
from alr_cli.cli.ranks import Shard
from alr_cli.errors import UsageError


@pytest.mark.parametrize(
    ("text", "sigma"),
    [
        ("0.1", 0.1),
        ("25/255", 25 / 255),
        ("0", 0.0),
        ("1", 1.0),
        (".05", 0.05),
        ("1e-3", 0.001),
        ("auto", None),
    ],
)
def test_sigma_is_a_number_on_0_1_a_fraction_or_auto(text: str, sigma: float | None) -> None:
    assert values.parse_sigma(text) == sigma


@pytest.mark.parametrize(
    "text",
    ["25", "1.01", "-0.1", "nan", "inf", "1e400", "0/0", "1/0", "255/25", "ten", "", "0.1/", "/255", "1_0"],
)
def test_any_other_sigma_is_refused_with_the_fraction_to_write(text: str) -> None:
    with pytest.raises(UsageError, match="25/255"):
        values.parse_sigma(text)


@pytest.mark.parametrize(("text", "side"), [("auto", None), ("0", 0), ("256", 256)])
def test_tile_is_auto_0_or_a_side(text: str, side: int | None) -> None:
    assert values.parse_tile(text) == side


@pytest.mark.parametrize("text", ["-1", "1.5", "big", "", "1e9", "9" * 40])
def test_any_other_tile_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--tile"):
        values.parse_tile(text)


@pytest.mark.parametrize("text", ["auto", "cpu", "cuda", "cuda:1", "mps"])
def test_devices_are_passed_on_unchanged(text: str) -> None:
    assert values.parse_device(text) == text


@pytest.mark.parametrize("text", ["gpu", "cuda:", "cuda:x", "cpu:0", "", "CPU"])
def test_other_devices_are_refused_before_torch_is_asked(text: str) -> None:
    with pytest.raises(UsageError, match="--device"):
        values.parse_device(text)


@pytest.mark.parametrize("text", ["1e400", "nan", "inf", "-1", "-inf", "x", ""])
def test_numbers_are_finite_and_in_range(text: str) -> None:
    with pytest.raises(UsageError, match="--strength"):
        values.number("--strength", least=0)(text)


@pytest.mark.parametrize("text", ["0", "1", "1.5", "nan"])
def test_open_ranges_leave_out_their_ends(text: str) -> None:
    with pytest.raises(UsageError, match="--missing"):
        values.number("--missing", above=0, below=1)(text)
    assert math.isclose(values.number("--missing", above=0, below=1)("0.5"), 0.5)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "1e3", "9" * 30])
def test_whole_numbers_start_at_the_least(text: str) -> None:
    with pytest.raises(UsageError, match="--max-iter"):
        values.whole("--max-iter", least=1)(text)


@pytest.mark.parametrize("text", ["3/2", "0/2", "1/0", "-1/2", "1", "1/2/3", "a/b", "1.0/2", "1 / 2", ""])
def test_a_shard_is_one_of_its_parts(text: str) -> None:
    with pytest.raises(UsageError, match="--shard"):
        values.parse_shard(text)
    assert values.parse_shard("2/8") == Shard(2, 8)


@pytest.mark.parametrize(
    ("text", "name"), [("png", "png"), ("jpg", "jpeg"), (".TIF", "tiff"), ("ppm", "pnm")]
)
def test_formats_go_by_name_or_suffix(text: str, name: str) -> None:
    assert values.parse_format(text) == name


def test_the_formats_are_those_of_the_codecs() -> None:
    from alr_cli.files.sniff import EXTENSIONS, FORMATS

    assert values.FORMATS == FORMATS
    assert {values.parse_format(suffix) for suffix in EXTENSIONS if suffix != ".jpe"} == set(FORMATS)
    with pytest.raises(UsageError, match="--format"):
        values.parse_format("gif")
