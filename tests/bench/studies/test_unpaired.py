"""A folder of clean pictures is split into two that share no picture."""

from pathlib import Path

import numpy as np
import pytest

from alr_cli.bench.studies.unpaired import SIGMAS, noisy, split
from alr_cli.errors import InputError, OutputError
from alr_cli.files.pictures import read_picture
from tests.conftest import scene, write_picture


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    for name in "abcde":
        write_picture(tmp_path / "all" / f"{name}.png", scene(30, 40, sigma=0.0))
    return tmp_path / "all"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_every_second_picture_gets_noise_and_none_is_on_both_sides(clean: Path, tmp_path: Path) -> None:
    split(clean, tmp_path / "out", exclude=("b.png",))
    assert names(tmp_path / "out" / "clean") == ["a.tif", "d.tif"]
    assert names(tmp_path / "out" / "noisy") == ["c.tif", "e.tif"]
    original = read_picture(clean / "a.png").pixels
    np.testing.assert_array_equal(read_picture(tmp_path / "out" / "clean" / "a.tif").pixels, original)
    assert not np.array_equal(read_picture(tmp_path / "out" / "noisy" / "c.tif").pixels, original)


def test_the_noise_is_white_of_one_level_in_the_range_and_not_clipped() -> None:
    flat = np.ones((80, 90, 3), np.float32)
    levels = []
    for seed in range(12):
        noise = noisy(flat, seed) - 1
        levels.append(noise.std())
        assert noise.max() > 0
        assert abs(np.mean(noise[:, 1:] * noise[:, :-1])) < 0.05 * noise.var()
    assert min(levels) > 0.95 * SIGMAS[0]
    assert max(levels) < 1.05 * SIGMAS[1]
    assert max(levels) > 2 * min(levels)


def test_the_same_seed_gives_the_same_pictures(clean: Path, tmp_path: Path) -> None:
    for seed, name in ((0, "one"), (0, "again"), (1, "other")):
        split(clean, tmp_path / name, seed=seed)
    one, again, other = (
        read_picture(tmp_path / name / "noisy" / "b.tif").pixels for name in ("one", "again", "other")
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_nothing_is_overwritten_and_a_wrong_name_is_refused(clean: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="exists"):
        split(clean, clean)
    with pytest.raises(InputError, match=r"z\.png"):
        split(clean, tmp_path / "out", exclude=("z.png",))
    assert not (tmp_path / "out").exists()
