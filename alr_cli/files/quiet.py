"""Suppress Python warnings while decoders run, also in several threads."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_inside: "list[warnings.catch_warnings[None]]" = []
_depth = 0


@contextmanager
def quiet() -> Iterator[None]:
    """A context without warnings.

    `warnings.catch_warnings` replaces a global state and restores it in the wrong order if threads overlap.
    Here the first thread that enters replaces it, and the last one that leaves restores it.
    """
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
