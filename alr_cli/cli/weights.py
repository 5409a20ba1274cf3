"""`alr weights`: list the shipped weights on stdout."""

from typing import Any

import typer

from alr_cli.cli.options.common import Debug, Json
from alr_cli.cli.report.records import json_line
from alr_cli.cli.streams import Streams


def weights(ctx: typer.Context, *, json: Json = False, debug: Debug = False) -> None:
    """List the shipped weights.

    Examples:

      alr weights
      alr weights --json | jq -r .name
      alr denoise noisy.png -o clean.png -w color-paper

    The option -w accepts any of these names, or a file written by alr train or
    alr tune. alr info NAME prints everything that is known of one of them.
    """
    from alr_cli.files.weights import shipped_names

    streams: Streams = ctx.obj
    rows = [_row(name) for name in shipped_names()]
    width = max((len(row["name"]) for row in rows), default=0)
    lines = [json_line(row) if json else _line(row, width) for row in rows]
    streams.write_stdout("".join(f"{line}\n" for line in lines).encode())


def _row(name: str) -> dict[str, Any]:
    from alr_cli.cli.report.weights_summary import purpose
    from alr_cli.files.weights import locate, read_metadata

    metadata = read_metadata(name)
    channels = int(metadata["architecture"]["channels"])
    holes = bool(metadata.get("recipe", {}).get("holes"))
    return {
        "name": name,
        "channels": channels,
        "sigma_range": metadata["sigma_range"],
        "holes": holes,
        "for": purpose(locate(name), metadata),
        "default_for": _tasks(name, channels),
        "sha256": metadata["sha256"],
    }


def _tasks(name: str, channels: int) -> list[str]:
    """The tasks for which weights are the default."""
    from alr_cli.files.weights import default_name

    held = {"inpaint": True, "deblur": False, "upscale": False, "denoise": False}
    tasks = [task for task, is_held in held.items() if default_name(channels, is_held, wide=True) == name]
    faint = name == default_name(channels) and "denoise" not in tasks
    return [*tasks, "denoise faint noise"] if faint else tasks


def _line(row: dict[str, Any], width: int) -> str:
    kind = "gray" if row["channels"] == 1 else "colour"
    low, high = row["sigma_range"]
    default = f" (taken without -w: {', '.join(row['default_for'])})" if row["default_for"] else ""
    return f"{row['name']:<{width}}  {kind:<6}  sigma {f'{low:.2g} to {high:.2g}':<14}  {row['for']}{default}"
