"""One hash of everything a result depends on: the key under which it is stored

The code of a module counts without comments and docstrings, so that a better explanation does not invalidate
stored results.
"""

from __future__ import annotations

import ast
import hashlib
import json
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from alr_cli.bench.degradations import Observation
from alr_cli.bench.protocol import BY_NAME, Method

METRICS = ("core.metrics", "bench.lpips")
PREPARING = {"bench.degradations", "bench.protocol", "bench.cache"}
_ROOT = Path(__file__).resolve().parent.parent


def key_of(observation: Observation, identity: str, perceptual: bool = False) -> str:
    """The key of a result.

    Args:
        observation: What was restored.
        identity: The method, with everything it depends on except the observation.
        perceptual: Whether LPIPS was measured as well.
    """
    digest = hashlib.sha256(f"{identity}\n{code_version(METRICS)}\n{perceptual}\n".encode())
    setting = observation.setting
    digest.update(json.dumps([setting.task, setting.sigma, setting.boundary]).encode())
    known = {"clean": observation.clean, "pixels": observation.pixels, **vars(observation.task)}
    for name, array in known.items():
        if isinstance(array, np.ndarray):
            digest.update(f"{name} {array.dtype} {array.shape};".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def identity_of(name: str, extra: Any = None) -> str:
    """The identity of a method of METHODS.

    Args:
        name: Its name.
        extra: What else it depends on, such as weights and options; serialisable as JSON.
    """
    method: Method = BY_NAME[name]
    installed = {each: _version(each) for each in method.distributions}
    return json.dumps([name, code_version(method.code), installed, extra], sort_keys=True)


@cache
def code_version(modules: tuple[str, ...]) -> str:
    """The hash of some modules below alr_cli and of everything they import from core and bench.

    Modules that only prepare observations are left out, since every pixel of an observation is in the key.
    """
    digest = hashlib.sha256()
    for module in sorted(reachable(modules)):
        digest.update(f"{module}\n{essence(_source(module))}\n".encode())
    return digest.hexdigest()


def reachable(modules: tuple[str, ...]) -> set[str]:
    """The modules and everything they import, directly or indirectly, anywhere in their code."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += _imports(_source(module))
    return found


def essence(source: str) -> str:
    """The syntax tree of source code without docstrings, independent of the version of Python."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            del node.body[0]
    return json.dumps(_shape(tree))


def _shape(node: object) -> Any:
    """A part of a syntax tree as lists. Empty fields are left out, since newer Pythons have more of them."""
    if isinstance(node, ast.AST):
        parts = ((name, value) for name, value in ast.iter_fields(node) if value is not None and value != [])
        return [type(node).__name__, *([name, _shape(value)] for name, value in parts)]
    return [_shape(each) for each in node] if isinstance(node, list) else repr(node)


def _imports(source: str) -> set[str]:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body.clear()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    short = {
        name.removeprefix("alr_cli.")
        for name in names
        if name.startswith(("alr_cli.core.", "alr_cli.bench."))
    }
    all_parts = {".".join(name.split(".")[:n]) for name in short for n in range(2, name.count(".") + 2)}
    return {name for name in all_parts if _path(name).is_file()} - PREPARING


def _path(module: str) -> Path:
    """The file of a module. For a package it is `__init__.py`, whose re-exports count as well."""
    place = _ROOT.joinpath(*module.split("."))
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _source(module: str) -> str:
    return _path(module).read_text(encoding="utf-8")


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
