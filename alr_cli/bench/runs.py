"""Every picture with every setting and every method. An error in one result does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np

from alr_cli.bench.cache import Cache
from alr_cli.bench.degradations import Observation, Pixels, observe
from alr_cli.bench.methods.baselines import Restore
from alr_cli.bench.protocol import OBSERVED, Setting
from alr_cli.bench.scores import Distance, Metrics, Score, judge
from alr_cli.bench.versions import key_of
from alr_cli.files.pictures import Picture, decode, encode


@dataclass(frozen=True)
class Clean:
    """A picture to be degraded.

    Attributes:
        name: Its name, which determines its noise.
        read: Returns its pixels, (H, W, C) on [0,1].
    """

    name: str
    read: Callable[[], Pixels]


@dataclass(frozen=True)
class Contender:
    """A method ready to be timed, with its weights loaded.

    Attributes:
        restore: The method. None leaves the observation as it is.
        identity: Everything the result depends on except the observation, see versions.py.
        weights: The hash of its weights, if it has any.
    """

    restore: Restore | None
    identity: str
    weights: str | None = None


@dataclass(frozen=True)
class Done:
    """One restoration and its score.

    Attributes:
        score: Its score.
        clean: The clean picture, (H, W, C).
        estimate: The restored picture, (H, W, C), not clamped. It has 8 bits if it comes from the cache, and
            is None if no pictures are wanted.
        cached: Whether the result comes from the cache.
        weights: As in `Contender`.
    """

    score: Score
    clean: Pixels
    estimate: Pixels | None
    cached: bool
    weights: str | None


@dataclass(frozen=True)
class Failure:
    """Results that could not be computed.

    Attributes:
        picture: Name of the picture.
        setting: The setting, or None if all settings of the picture failed.
        method: The method, or None if all methods failed.
        error: What was raised.
        results: The number of missing results.
    """

    picture: str
    setting: Setting | None
    method: str | None
    error: Exception
    results: int


@dataclass(frozen=True)
class Benchmark:
    """Which results to compute.

    Attributes:
        pictures: The clean pictures.
        methods: Names of the methods for each setting.
        contender: The method of a name for an observation, ready to run.
        cache: Results of earlier runs.
        pictures_wanted: Whether restored pictures are needed as well as scores.
        perceptual: LPIPS, or None.
    """

    pictures: Sequence[Clean]
    methods: dict[Setting, tuple[str, ...]]
    contender: Callable[[str, Observation], Contender]
    cache: Cache
    pictures_wanted: bool = False
    perceptual: Distance | None = None

    @property
    def results(self) -> int:
        """The number of results, including those of the observations."""
        return len(self.pictures) * sum(1 + len(methods) for methods in self.methods.values())

    def run(self) -> Iterator[Done | Failure]:
        """The results, picture by picture."""
        for picture in self.pictures:
            try:
                clean = picture.read()
            except Exception as error:  # noqa: BLE001 - one bad picture does not stop the others
                yield Failure(picture.name, None, None, error, self.results // len(self.pictures))
                continue
            for setting, methods in self.methods.items():
                yield from self._in_setting(picture.name, clean, setting, methods)

    def _in_setting(
        self, name: str, clean: Pixels, setting: Setting, methods: tuple[str, ...]
    ) -> Iterator[Done | Failure]:
        try:
            observation = observe(clean, name, setting)
        except Exception as error:  # noqa: BLE001 - a picture too small for one setting may suit another
            yield Failure(name, setting, None, error, 1 + len(methods))
            return
        for method in (OBSERVED, *methods):
            try:
                who = Contender(None, OBSERVED)
                if method != OBSERVED:
                    who = self.contender(method, observation)
                metrics, estimate, cached = self._result(method, who, observation)
            except Exception as error:  # noqa: BLE001 - one method that fails does not stop the others
                yield Failure(name, setting, method, error, 1)
            else:
                score = Score(name, setting, method, metrics)
                yield Done(score, observation.clean, estimate, cached, who.weights)

    def _result(
        self, method: str, who: Contender, observation: Observation
    ) -> tuple[Metrics, Pixels | None, bool]:
        key = key_of(observation, who.identity, self.perceptual is not None)
        metrics = self._remembered(key)
        if metrics is not None:
            if method == OBSERVED or not self.pictures_wanted:
                return metrics, observation.pixels if method == OBSERVED else None, True
            stored = self.cache.picture(key)
            if stored is not None:
                return metrics, decode(stored, key).pixels, True
        metrics, estimate = judge(observation, who.restore, self.perceptual)
        wanted = self.pictures_wanted and method != OBSERVED
        self.cache.keep(key, asdict(metrics), encoded(estimate) if wanted else None)
        return metrics, estimate, False

    def _remembered(self, key: str) -> Metrics | None:
        """The scores in the cache, unless another version with other metrics wrote them."""
        stored = self.cache.scores(key)
        if stored is None or set(stored) != {field.name for field in fields(Metrics)}:
            return None
        return Metrics(**stored)


def encoded(pixels: Pixels) -> bytes:
    """(H, W, C) as an 8-bit PNG. Values outside [0,1] are clamped."""
    picture = Picture(np.ascontiguousarray(np.clip(pixels, 0, 1), np.float32), "uint8", "png")
    return encode(picture, "png")
