"""Cards of weights: the text beside a weights file that says where it comes from and what it is for."""

from pathlib import Path


def purpose_of(weights: Path) -> str | None:
    """What the weights are for, in one line: the first quotation (`> ...`) of the card NAME.md beside them.

    None if there is no card, or the card has no quotation.
    """
    try:
        lines = weights.with_suffix(".md").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    return next((line.removeprefix(">").strip() for line in lines if line.startswith("> ")), None)
