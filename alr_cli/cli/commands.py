"""The commands by name. Each is imported when it is used, so that a start costs only one command."""

from collections.abc import Callable, Iterator, MutableMapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from alr_cli.cli import exits

# These modules are imported before the input is checked. They import torch and other heavy packages only
# inside functions.
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
    """The function that implements a command and has its name. Raises KeyError."""
    function: Callable[..., None] = getattr(import_module(COMMANDS[name]), name)
    return function


class _Commands(MutableMapping[str, Any]):
    """A mapping from names to Typer commands, which are created on demand."""

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
    """A Typer group of the commands in `COMMANDS`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Typer would turn Ctrl-C into an exit without a sentence."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise exits.interrupted(stop) from stop

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)
