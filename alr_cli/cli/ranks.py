"""Which part of the work is this process's: of those that torchrun started, or the one that --shard names."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Rank:
    """Process number `index` of `size`; the first one speaks and writes for all where that is needed."""

    index: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        return self.index == 0

    def share(self, items: Sequence[Item]) -> list[Item]:
        """Every size-th item: together the processes have each item once."""
        return list(items[self.index :: self.size])


def this_rank(environment: Mapping[str, str] = os.environ) -> Rank:
    """As torchrun says. Its run id is asked for too: RANK alone may be another program's."""
    names = ("TORCHELASTIC_RUN_ID", "RANK", "WORLD_SIZE")
    if not all(environment.get(name) for name in names):
        return Rank()
    index, size = environment["RANK"], environment["WORLD_SIZE"]
    if not (index.isdecimal() and size.isdecimal() and int(index) < int(size)):
        return Rank()
    return Rank(int(index), int(size))


@dataclass(frozen=True)
class Shard:
    """Part `number` of `count`, from 1.

    Each name belongs to one part, whatever other names there are: pictures that come later move none of the
    others, and no two processes need to know of each other.
    """

    number: int
    count: int

    def has(self, name: PurePath) -> bool:
        """Whether this part does `name`, the path of a picture below the folder that was typed."""
        digest = hashlib.sha256(os.fsencode(name.as_posix())).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1
