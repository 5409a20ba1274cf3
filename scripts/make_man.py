"""Man pages from the help: `make man` writes one for alr and one for each command to build/man.

All of their text is taken from the signatures and docstrings that `--help` shows, so that both agree.
"""

import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from typer.models import OptionInfo

from alr_cli import __version__
from alr_cli.cli.app import alr
from alr_cli.cli.commands import COMMANDS, function_of
from alr_cli.cli.exits import INTERNAL_ERROR, INTERRUPTED
from alr_cli.errors import AlrError

CODES = {0: "All was done, or there was nothing to do.", INTERNAL_ERROR: "An internal error: a bug."}
CODES[INTERRUPTED] = "Ctrl-C; SIGTERM gives 143."


def escaped(text: str) -> str:
    """Text escaped for roff."""
    lines = text.replace("\\", "\\e").replace("-", "\\-").split("\n")
    return "\n".join(f"\\&{line}" if line[:1] in ("'", ".") else line for line in lines)


def page(name: str, command: Callable[..., None], related: list[str]) -> str:
    """One man page in roff."""
    summary, *body = (inspect.getdoc(command) or "").split("\n\n")
    title = name.replace(" ", "-")
    parts = [
        f'.TH {title.upper()} 1 "" "alr {__version__}" "User Commands"',
        f".SH NAME\n{escaped(title)} \\- {escaped(summary.rstrip('.'))}",
        f".SH SYNOPSIS\n.B {escaped(name)}\n{escaped(synopsis(command, name))}",
        ".SH DESCRIPTION",
        *(paragraph(text) for text in body),
        *options(command),
        ".SH EXIT STATUS",
        *(f".TP\n.B {code}\n{escaped(meaning)}" for code, meaning in sorted(codes().items())),
        ".SH SEE ALSO\n" + ",\n".join(f".BR {escaped(each)} (1)" for each in related if each != title),
    ]
    return "\n".join(parts) + "\n"


def synopsis(command: Callable[..., None], name: str) -> str:
    words = [each.metavar for _, each in described(command) if not isinstance(each, OptionInfo)]
    rest = "COMMAND [ARGUMENTS]" if name == "alr" else ""
    return " ".join(filter(None, ("[OPTIONS]", *words, rest)))


def paragraph(text: str) -> str:
    """Prose as it is; indented text, such as examples and equations, line by line."""
    if text.startswith("  "):
        return f".PP\n.nf\n.RS\n{escaped(textwrap.dedent(text))}\n.RE\n.fi"
    if text.endswith(":"):
        return f".PP\n{escaped(text)}"
    return f".PP\n{escaped(text)}"


def options(command: Callable[..., None]) -> Iterator[str]:
    """The arguments, and the options in the panels of the help."""
    for _, argument in described(command):
        if not isinstance(argument, OptionInfo):
            yield f".TP\n.I {escaped(argument.metavar or '')}\n{escaped(argument.help or '')}"
    panel = None
    for parameter, option in described(command):
        if not isinstance(option, OptionInfo):
            continue
        if (option.rich_help_panel or "Options") != panel:
            panel = option.rich_help_panel or "Options"
            yield f".SH {panel.upper()}"
        # Typer stores the first flag there
        first = [option.default] if isinstance(option.default, str) else []
        flags = ", ".join([*first, *(option.param_decls or ())])
        value = option.metavar or values(parameter.annotation)
        said = option.help or ""
        if option.envvar:
            said += f" Environment variable: {option.envvar}."
        if parameter.default not in (None, False, True, inspect.Parameter.empty):
            said += f" Default: {parameter.default}."
        yield (
            f".TP\n.B {escaped(flags)}"
            + (f" \\fI{escaped(value)}\\fR" if value else "")
            + f"\n{escaped(said)}"
        )


def values(annotation: Any) -> str:
    """The placeholder of an option without a metavar: its choices, or nothing for a flag."""
    kind = annotation.__origin__
    choices = [each for part in getattr(kind, "__args__", ()) for each in getattr(part, "__args__", (part,))]
    named = [each for each in choices if isinstance(each, str)]
    return "|".join(named) if named else "" if kind is bool else "VALUE"


def described(command: Callable[..., None]) -> Iterator[tuple[inspect.Parameter, Any]]:
    for parameter in inspect.signature(command).parameters.values():
        for each in getattr(parameter.annotation, "__metadata__", ()):
            yield parameter, each


def codes() -> dict[int, str]:
    """The exit codes with the first sentence of their errors."""
    kinds = [kind for kind in AlrError.__subclasses__() if "exit_code" in vars(kind)]
    return CODES | {kind.exit_code: (inspect.getdoc(kind) or "").split("\n")[0] for kind in kinds}


def pages() -> list[tuple[str, Callable[..., None]]]:
    """The pages: alr and its commands."""
    return [("alr", alr), *((f"alr {name}", function_of(name)) for name in COMMANDS)]


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = ["alr", *(f"alr-{name}" for name in COMMANDS)]
    for name, command in pages():
        path = folder / f"{name.replace(' ', '-')}.1"
        path.write_text(page(name, command, names), encoding="utf-8")
        sys.stderr.write(f"{path}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/man"))
