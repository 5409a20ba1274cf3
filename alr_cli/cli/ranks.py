"""Which part of the work belongs to this process: as torchrun says, or as --shard says."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Rank:
    """Process number `index` of `size`. The first one prints and writes for all where that is needed."""

    index: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        return self.index == 0

    def share(self, items: Sequence[Item]) -> list[Item]:
        """Every size-th item. Together the processes have each item once."""
        return list(items[self.index :: self.size])


def this_rank(environment: Mapping[str, str] = os.environ) -> Rank:
    """The rank according to torchrun. Its run id is checked as well, because RANK alone may come from another
    program."""
    names = ("TORCHELASTIC_RUN_ID", "RANK", "WORLD_SIZE")
    if not all(environment.get(name) for name in names):
        return Rank()
    index, size = environment["RANK"], environment["WORLD_SIZE"]
    if not (index.isdecimal() and size.isdecimal() and int(index) < int(size)):
        return Rank()
    return Rank(int(index), int(size))


@dataclass(frozen=True)
class Shard:
    """Part `number` of `count`, counted from 1.

    The name of a picture alone decides to which part it belongs. New pictures therefore do not move others to
    another part, and the processes need not communicate.
    """

    number: int
    count: int

    def has(self, name: PurePath) -> bool:
        """Whether this part contains `name`, the path of a picture below the folder that was typed."""
        digest = hashlib.sha256(os.fsencode(name.as_posix())).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1
