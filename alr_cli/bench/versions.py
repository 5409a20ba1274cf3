"""What a result depends on, as one hash: the key under which it is kept

The code of a module counts without its comments and docstrings: explaining it better computes nothing anew.
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
    """identity: of who restored it, with everything that it depends on but the observation.  perceptual:
    whether LPIPS was measured as well."""
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
    """The identity of a method of METHODS. extra: JSON-able, what else it depends on (weights, options)."""
    method: Method = BY_NAME[name]
    installed = {each: _version(each) for each in method.distributions}
    return json.dumps([name, code_version(method.code), installed, extra], sort_keys=True)


@cache
def code_version(modules: tuple[str, ...]) -> str:
    """The hash of some modules below alr_cli and of all that they import of core and bench, but for what
    only prepares observations: those are in the key pixel by pixel."""
    digest = hashlib.sha256()
    for module in sorted(reachable(modules)):
        digest.update(f"{module}\n{essence(_source(module))}\n".encode())
    return digest.hexdigest()


def reachable(modules: tuple[str, ...]) -> set[str]:
    """The modules and those they import, directly or not, wherever in them that stands."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += _imports(_source(module))
    return found


def essence(source: str) -> str:
    """Source code as its syntax tree, without docstrings; the same for every version of Python."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            del node.body[0]
    return json.dumps(_shape(tree))


def _shape(node: object) -> Any:
    """A part of a syntax tree as lists. What is empty is left out: newer Pythons have more fields."""
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
    """The file of a module, or the `__init__.py` of a package: what it re-exports counts as well."""
    place = _ROOT.joinpath(*module.split("."))
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _source(module: str) -> str:
    return _path(module).read_text(encoding="utf-8")


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
