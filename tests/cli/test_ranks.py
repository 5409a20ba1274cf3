"""Sharing work between processes: those that torchrun starts, and those of --shard."""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path, PurePath

import pytest

from alr_cli.cli.ranks import Rank, Shard, this_rank
from alr_cli.files.weights import CHECKPOINT, load_weights, read_tensors
from tests.conftest import FAST, Alr, scene, write_picture
from tests.processes import started, torchrun

TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "RANK": "1", "WORLD_SIZE": "3"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Rank(0, 1)),
        (TORCHRUN, Rank(1, 3)),
        ({"RANK": "1", "WORLD_SIZE": "3"}, Rank(0, 1)),
        ({**TORCHRUN, "RANK": "3"}, Rank(0, 1)),
        ({**TORCHRUN, "RANK": "one"}, Rank(0, 1)),
        ({**TORCHRUN, "WORLD_SIZE": ""}, Rank(0, 1)),
    ],
)
def test_only_torchrun_says_which_process_this_is(environment: Mapping[str, str], expected: Rank) -> None:
    assert this_rank(environment) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("items", [0, 1, 5, 12])
def test_every_item_is_shared_out_once(items: int, size: int) -> None:
    shares = [Rank(index, size).share(range(items)) for index in range(size)]
    assert sorted(item for share in shares for item in share) == list(range(items))


@pytest.mark.parametrize("count", [1, 2, 3, 8, 100])
def test_each_name_belongs_to_one_shard_and_shards_are_about_equal(count: int) -> None:
    names = [PurePath(f"day{index % 7}/frame{index:04}.png") for index in range(1000)]
    shares = [sum(Shard(number, count).has(name) for name in names) for number in range(1, count + 1)]
    assert sum(shares) == len(names)
    assert max(shares) < 1000 / count + 5 * (1000 / count) ** 0.5


def test_a_shard_keeps_its_pictures_when_others_are_added() -> None:
    """Every later version must give the same numbers, since a batch may be resumed with it."""
    names = [PurePath(name) for name in ("a.png", "b.png", "sub/a.png", "\udcff.png")]
    parts = [next(number for number in (1, 2, 3) if Shard(number, 3).has(name)) for name in names]
    assert parts == [3, 1, 2, 2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """in/{0..4}.png, gray."""
    for index in range(5):
        write_picture(tmp_path / "in" / f"{index}.png", scene(20, 22 + index, channels=1))
    return tmp_path / "in"


def as_rank(index: int, size: int) -> dict[str, str]:
    return {**TORCHRUN, "RANK": str(index), "WORLD_SIZE": str(size)}


@pytest.mark.usefixtures("tiny_weights")
def test_ranks_restore_each_picture_of_a_folder_once(
    alr: Alr, folder: Path, tmp_path: Path, gray_critic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(2):
        for name, value in as_rank(index, 2).items():
            monkeypatch.setenv(name, value)
        result = alr(
            "denoise", folder, "-o", f"{tmp_path}/out/", "-w", gray_critic, "--sigma", "0.1", "--json"
        )
        assert result.code == 0, result.stderr
        assert len(result.lines()) == (3, 2)[index]
    assert len(list((tmp_path / "out").iterdir())) == 5


@pytest.mark.usefixtures("tiny_weights")
def test_skip_existing_completes_the_work_of_a_lost_rank(
    alr: Alr, folder: Path, tmp_path: Path, gray_critic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("denoise", folder, "-o", f"{tmp_path}/out/", "-w", gray_critic, "--sigma", "0.1", "--json")
    for name, value in as_rank(0, 2).items():
        monkeypatch.setenv(name, value)
    assert alr(*command).code == 0
    for name in TORCHRUN:
        monkeypatch.delenv(name)
    result = alr(*command, "--skip-existing")
    assert result.code == 0, result.stderr
    assert sorted(line["status"] for line in result.lines()) == ["ok", "ok", "skipped", "skipped", "skipped"]


@pytest.mark.usefixtures("tiny_weights")
def test_shards_together_write_the_bytes_of_one_process(
    alr: Alr, folder: Path, tmp_path: Path, gray_critic: Path
) -> None:
    options = ("-w", gray_critic, "--sigma", "0.1", "--json", *FAST)
    assert alr("denoise", folder, "-o", f"{tmp_path}/whole/", *options).code == 0
    done: list[str] = []
    for number in (1, 2):
        result = alr("denoise", folder, "-o", f"{tmp_path}/parts/", "--shard", f"{number}/2", *options)
        assert result.code == 0, result.stderr
        done += [line["output"] for line in result.lines()]
    assert len(done) == len(set(done)) == 5
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "parts" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.usefixtures("tiny_weights")
def test_a_shard_resumes_its_own_part_only(alr: Alr, folder: Path, tmp_path: Path, gray_critic: Path) -> None:
    part = (
        "denoise",
        folder,
        "-o",
        f"{tmp_path}/out/",
        "-w",
        gray_critic,
        "--sigma",
        "0.1",
        "--shard",
        "1/2",
    )
    first = alr(*part, "--json", *FAST)
    assert first.code == 0, first.stderr
    outputs = [Path(line["output"]) for line in first.lines()]
    outputs[0].unlink()
    again = alr(*part, "--skip-existing", "--json", *FAST)
    assert [line["status"] for line in again.lines()] == ["ok", *["skipped"] * (len(outputs) - 1)]
    assert sorted(outputs) == sorted((tmp_path / "out").iterdir())


def test_an_impossible_shard_is_refused_before_any_work(alr: Alr, folder: Path, tmp_path: Path) -> None:
    result = alr("denoise", folder, "-o", f"{tmp_path}/out/", "--shard", "3/2")
    assert result.code == 2
    assert result.stderr.count("\n") == 1
    assert "--shard 3/2" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.fixture
def training(tmp_path: Path) -> list[str]:
    """A short training on tiny pictures."""
    for index in range(3):
        write_picture(tmp_path / "clean" / f"{index}.png", scene(30, 26 + index, channels=1, sigma=0.0))
    write_picture(tmp_path / "val" / "0.png", scene(18, 16, channels=1, sigma=0.0))
    critic = ["--gray", "--width", "3", "--depth", "3", "--batch-size", "4", "--sigma", "0.1"]
    return ["-m", "alr_cli", "train", "--clean-dir", "clean", "--val-dir", "val", *critic]


def run(command: list[str], folder: Path) -> str:
    with started(command, folder) as process:
        _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors.decode()
    return errors.decode()


@pytest.mark.slow
def test_two_processes_train_one_critic_and_resume_exactly(training: list[str], tmp_path: Path) -> None:
    common = ["--iterations", "20", "--checkpoint-every", "10"]
    run(torchrun(2, *training, *common, "-o", "whole.safetensors"), tmp_path)
    whole, _ = read_tensors(tmp_path / "whole.safetensors.checkpoint", CHECKPOINT)
    assert load_weights(str(tmp_path / "whole.safetensors")).channels == 1
    assert {"generator", "generator.1"} <= whole.keys()
    assert not (whole["generator"] == whole["generator.1"]).all()

    half = torchrun(2, *training, "--iterations", "20", "--checkpoint-every", "1", "-o", "half.safetensors")
    checkpoint = tmp_path / "half.safetensors.checkpoint"
    with started(half, tmp_path):
        wait_for(checkpoint)
    run([*half, "--resume"], tmp_path)
    resumed, _ = read_tensors(checkpoint, CHECKPOINT)
    assert whole.keys() == resumed.keys()
    assert all(bool((whole[name] == resumed[name]).all()) for name in whole)


@pytest.mark.slow
def test_a_killed_process_stops_the_others_and_leaves_a_checkpoint(
    training: list[str], tmp_path: Path
) -> None:
    endless = [*training, "--iterations", "1000000", "--checkpoint-every", "5", "-o", "x.safetensors"]
    checkpoint = tmp_path / "x.safetensors.checkpoint"
    with started(torchrun(2, *endless), tmp_path) as process:
        wait_for(checkpoint)
        victim = workers_of(process.pid)[1]
        os.kill(victim, signal.SIGKILL)
        begun = time.monotonic()
        _, errors = process.communicate(timeout=90)
        assert time.monotonic() - begun < 60
    assert process.returncode != 0
    assert b"another training process was lost" in errors
    assert b"--resume" in errors
    state, _ = read_tensors(checkpoint, CHECKPOINT)
    assert int(state["step"]) % 5 == 0


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def workers_of(parent: int) -> list[int]:
    """The processes that torchrun started."""
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(number) for number in text.split()]
