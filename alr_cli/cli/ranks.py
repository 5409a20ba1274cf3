"""Which of several processes this is, where torchrun started more than one."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
