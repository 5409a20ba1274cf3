"""The lines that a study writes to stdout while it runs."""

import sys


def say(line: str) -> None:
    """Write a line at once, also into a pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
