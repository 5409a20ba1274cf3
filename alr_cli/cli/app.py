"""The Typer app: its commands, `--version`, and the way from arguments to an exit code."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from alr_cli import __version__
from alr_cli.cli import exits
from alr_cli.cli.commands import COMMANDS as COMMANDS
from alr_cli.cli.commands import LazyGroup
from alr_cli.cli.memory import prepare_memory
from alr_cli.cli.streams import Streams, secure_descriptors
from alr_cli.cli.threads import prepare_threads
from alr_cli.errors import OutputError

app = typer.Typer(
    name="alr",
    cls=LazyGroup,
    rich_markup_mode="rich",  # panels of options; help texts escape their brackets
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run(arguments: Sequence[str], streams: Streams) -> int:
    """Run the command line `arguments` and return the exit code.

    Errors become exit codes; only a second Ctrl-C raises an exception.
    """
    debug = exits.debug_wanted(arguments, os.environ)
    try:
        code = app(args=list(arguments), prog_name="alr", standalone_mode=False, obj=streams)
    except SystemExit as error:
        return exits.of_system_exit(error)
    except (Exception, KeyboardInterrupt, exits.Terminated) as error:  # noqa: BLE001 - exits.leave knows them all
        return exits.leave(error, streams, debug=debug)
    return code if isinstance(code, int) else 0  # Typer returns the exit code of its own exits


def main() -> None:
    """Entry point of `alr` and `python -m alr_cli`."""
    secure_descriptors()
    exits.catch_signals()
    prepare_threads(os.environ)
    prepare_memory()
    code = run(sys.argv[1:], Streams.of_process())
    exits.leave_process(code if exits.flush_stdout() else code or OutputError.exit_code)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"alr {__version__}")
        raise typer.Exit


@app.callback()
def alr(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Restore noisy, blurred, incomplete or small pictures.

    Examples:

      alr denoise noisy.png -o clean.png
      alr deblur blurred.png -o sharp.png --kernel gaussian:7:3
      alr inpaint scratched.png -o whole.png --mask scratches.png
      alr upscale small.png -o large.png --scale 2

    Each of these commands minimises an explicit energy for the observed picture y and the operator A of the
    command:

      x = argmin  mean((A x - y)^2) + lambda(sigma) R(x)

    where R is a learned regularizer that scores all patches of x. See alr COMMAND --help.
    """
