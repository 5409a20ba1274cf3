"""Rules that a machine can check: which modules may import which, and forbidden code."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "alr_cli"
MODULES = sorted(ROOT.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """All modules that a file imports, anywhere in its code, including imports for types."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def below(name: str) -> list[Path]:
    return [path for path in MODULES if path.is_relative_to(ROOT / name)]


@pytest.mark.parametrize(
    ("folder", "others"),
    [
        ("core", ("files", "cli", "bench", "api")),
        ("files", ("cli", "bench", "api")),
        ("cli/restore", ("bench",)),
        ("cli/report", ("bench",)),
    ],
)
def test_a_folder_imports_nothing_from_higher_layers(folder: str, others: tuple[str, ...]) -> None:
    assert below(folder)
    above = tuple(f"alr_cli.{other}" for other in others)
    wrong = {
        str(path.relative_to(ROOT)): name
        for path in below(folder)
        for name in imported(path)
        if any(name == each or name.startswith(each + ".") for each in above)
    }
    assert not wrong


def test_the_core_neither_prints_nor_uses_a_terminal() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path in below("core")
        if {"rich", "typer", "sys.stdout"} & imported(path)
    ]
    assert not wrong


def test_no_code_checks_the_class_of_a_prior() -> None:
    """Code asks for the capabilities of a prior, so that a new kind needs no change elsewhere."""
    classes = {"Experts", "Critic", "ExpertsPrior", "CriticPrior"}
    wrong = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "isinstance"
            ):
                asked = {each.id for each in ast.walk(node.args[1]) if isinstance(each, ast.Name)}
                wrong += [str(path.relative_to(ROOT))] if asked & classes else []
    assert not wrong
