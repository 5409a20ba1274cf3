"""No Python warnings on the terminal while decoders run, also with several threads."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_inside: "list[warnings.catch_warnings[None]]" = []
_depth = 0


@contextmanager
def quiet() -> Iterator[None]:
    """`warnings.catch_warnings` swaps a global and so restores it in the wrong order when threads overlap;
    here the first one in swaps and the last one out restores."""
    global _depth
    with _lock:
        if _depth == 0:
            _inside.append(warnings.catch_warnings())
            _inside[-1].__enter__()
            warnings.simplefilter("ignore")
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                _inside.pop().__exit__(None, None, None)
