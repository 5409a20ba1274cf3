"""Nothing is computed twice, and no outdated result is used."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from alr_cli.bench import versions
from alr_cli.bench.cache import Cache, default_folder
from alr_cli.bench.degradations import Observation, observe
from alr_cli.bench.runs import Benchmark, Clean, Contender, Done
from alr_cli.errors import InputError
from tests.bench.scenes import DEBLUR, DENOISE, INPAINT, cartoon


class Counted:
    """A method that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, observation: Observation) -> np.ndarray:
        self.calls += 1
        return 0.9 * observation.pixels


def run(
    cache: Cache,
    method: Counted,
    *,
    identity: str = "v1",
    name: str = "a",
    clean: Callable[[], np.ndarray] = cartoon,
    wanted: bool = False,
    setting: object = DENOISE,
    perceptual: object = None,
) -> list[Done]:
    work = Benchmark(
        [Clean(name, clean)],
        {setting: ("half",)},  # type: ignore[dict-item]
        lambda name, observation: Contender(method, identity),
        cache,
        wanted,
        perceptual,  # type: ignore[arg-type]
    )
    return [result for result in work.run() if isinstance(result, Done)]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def test_a_second_run_computes_nothing_and_gives_the_same(cache: Cache) -> None:
    method = Counted()
    first, second = run(cache, method), run(cache, method)
    assert method.calls == 1
    assert [done.score for done in second] == [done.score for done in first]
    assert [done.cached for done in first + second] == [False, False, True, True]


def test_without_a_cache_everything_is_computed(tmp_path: Path) -> None:
    method = Counted()
    run(Cache(None), method), run(Cache(None), method)
    assert method.calls == 2


CHANGES = {
    "code, weights or options": {"identity": "v2"},
    "the name, which draws the noise": {"name": "b"},
    "a pixel": {"clean": lambda: cartoon() * np.float32(0.999)},
    "the noise level": {"setting": replace(DENOISE, sigma=0.11)},
    "clipping": {"setting": replace(DENOISE, clip=True)},
    "the seed": {"setting": replace(DENOISE, seed=1)},
    "LPIPS": {"perceptual": lambda clean, estimate: 0.5},
}


@pytest.mark.parametrize("change", CHANGES)
def test_everything_that_changes_a_result_changes_its_key(cache: Cache, change: str) -> None:
    method = Counted()
    run(cache, method)
    run(cache, method, **CHANGES[change])  # type: ignore[arg-type]
    assert method.calls == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (DEBLUR, replace(DEBLUR, boundary="circular")),
        (DEBLUR, replace(DEBLUR, kernel="gaussian:5:1.6")),
        (INPAINT, replace(INPAINT, missing=0.51)),
        (DENOISE, replace(INPAINT, sigma=0.1)),
    ],
)
def test_other_operators_have_other_keys(one: object, other: object) -> None:
    keys = [
        versions.key_of(observe(cartoon(), "a", setting), "me")  # type: ignore[arg-type]
        for setting in (one, other, one)
    ]
    assert keys[0] == keys[2] != keys[1]


def test_pictures_are_stored_only_if_they_are_wanted(cache: Cache) -> None:
    method = Counted()
    run(cache, method)
    assert cache.folder is not None and not list(cache.folder.rglob("*.png"))
    first, second = run(cache, method, wanted=True)[1], run(cache, method, wanted=True)[1]
    assert method.calls == 2 and second.cached
    assert first.estimate is not None and second.estimate is not None
    assert np.abs(np.clip(first.estimate, 0, 1) - second.estimate).max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"psnr": 3}', b"\xff\xfe"])
def test_a_damaged_entry_is_computed_again(cache: Cache, damage: bytes) -> None:
    method = Counted()
    expected = run(cache, method)
    assert cache.folder is not None
    for path in cache.folder.rglob("*.json"):
        path.write_bytes(damage)
    assert [done.score.metrics.psnr for done in run(cache, method)] == [
        done.score.metrics.psnr for done in expected
    ]
    assert method.calls == 2


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    monkeypatch.delenv("ALR_CACHE", raising=False)
    assert default_folder() == Path("/somewhere/alr")
    monkeypatch.setenv("ALR_CACHE", "/elsewhere")
    assert default_folder() == Path("/elsewhere")


def test_comments_and_docstrings_do_not_count_as_code() -> None:
    plain = "def f(x):\n    return x + 1\n"
    explained = '"""Module."""\n\ndef f(x):\n    """Adds."""\n    # one\n    return x + 1\n'
    assert versions.essence(plain) == versions.essence(explained)
    assert versions.essence(plain) != versions.essence(plain.replace("1", "2"))


def test_the_same_code_counts_as_the_same_in_every_python() -> None:
    source = "def f(x: int = 1, *rest) -> str:\n    return f'{x!r:>{rest[0]}}' if x else [lambda: None]\n"
    digest = hashlib.sha256(versions.essence(source).encode()).hexdigest()
    assert digest[:16] == "019395de22ad736e"


def test_a_version_covers_all_that_is_imported_even_within_functions() -> None:
    ours = versions.reachable(versions.BY_NAME["ours"].code)
    assert {
        "core.restore",
        "core.solvers.adam",
        "core.energy",
        "core.priors.local",
        "core.operators.convolution",
    } <= ours
    assert not ours & versions.PREPARING
    assert {"bench.methods.mixture", "bench.methods.colours"} <= versions.reachable(("bench.methods.epll",))
    assert versions.reachable(("bench.methods.block_matching",)) == {"bench.methods.block_matching"}


def test_types_alone_are_not_followed() -> None:
    types = "if TYPE_CHECKING:\n    import alr_cli.core.solvers.adam\n"
    assert versions._imports(types + "def f():\n    from alr_cli.core import energy\n") == {"core.energy"}


def test_a_package_counts_with_what_it_re_exports() -> None:
    assert versions._imports("from alr_cli.core.operators import convolution") == {
        "core.operators",
        "core.operators.convolution",
    }
    assert versions._path("core.operators").name == "__init__.py"


@pytest.mark.parametrize("name", sorted(versions.BY_NAME))
def test_every_method_has_a_version_of_its_own(name: str) -> None:
    identity = versions.identity_of(name, "weights")
    assert identity == versions.identity_of(name, "weights") != versions.identity_of(name, "others")
    assert all(
        versions.identity_of(other, "weights") != identity for other in versions.BY_NAME if other != name
    )


def test_results_can_be_packed_and_unpacked(cache: Cache, tmp_path: Path) -> None:
    method, other = Counted(), Cache(tmp_path / "other")
    first = run(cache, method)
    packed = cache.pack()
    assert other.unpack(packed) == len(packed.splitlines()) == len(first)
    assert other.unpack(packed) == 0
    assert [done.score for done in run(other, method)] == [done.score for done in first]
    assert method.calls == 1
    assert other.pack() == packed


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"key": "../../x", "psnr": 1}', '{"key": 3}', "nonsense"])
def test_a_damaged_line_is_refused(cache: Cache, line: str) -> None:
    with pytest.raises(InputError, match="line 1"):
        cache.unpack(line + "\n")
