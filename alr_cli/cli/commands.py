"""The commands by name: each is imported when it is asked for, so that a start costs that of one command."""

from collections.abc import Callable, Iterator, MutableMapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

# These modules are imported before the input is read: they import torch and the like inside functions only.
COMMANDS = {
    "denoise": "alr_cli.cli.restore.denoise",
    "deblur": "alr_cli.cli.restore.deblur",
    "inpaint": "alr_cli.cli.restore.inpaint",
    "upscale": "alr_cli.cli.restore.upscale",
    "reconstruct": "alr_cli.cli.reconstruct.command",
    "train": "alr_cli.cli.train.command",
    "tune": "alr_cli.cli.train.tune",
    "benchmark": "alr_cli.cli.benchmark.command",
    "info": "alr_cli.cli.info",
    "weights": "alr_cli.cli.weights",
}


def function_of(name: str) -> Callable[..., None]:
    """The function of a command, which has its name. Raises KeyError."""
    function: Callable[..., None] = getattr(import_module(COMMANDS[name]), name)
    return function


class _Commands(MutableMapping[str, Any]):
    """Name -> command, made by Typer when it is asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            alone = typer.Typer(
                add_completion=False,
                rich_markup_mode="rich",
                context_settings={"help_option_names": ["-h", "--help"]},
            )
            alone.command(name)(function_of(name))
            self._made[name] = typer.main.get_command(alone)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        raise TypeError("the commands of alr are fixed")


class LazyGroup(TyperGroup):
    """A group whose commands are `COMMANDS`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)
