"""The training recipes by name. A new recipe is a module with a function `prepare`, and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from alr_cli.cli.options.training_kind import RecipeName
from alr_cli.cli.train.asked import Asked

if TYPE_CHECKING:
    from alr_cli.cli.train.session import Session

Prepare = Callable[[Asked], "Session"]


def _adversarial() -> Prepare:
    from alr_cli.cli.train.adversarial import prepare

    return prepare


def _defects() -> Prepare:
    from alr_cli.cli.train.defects import prepare

    return prepare


def _flow() -> Prepare:
    from alr_cli.cli.train.flow import prepare

    return prepare


def _global() -> Prepare:
    from alr_cli.cli.train.whole import prepare

    return prepare


def _post() -> Prepare:
    from alr_cli.cli.train.post import prepare

    return prepare


def _potential() -> Prepare:
    from alr_cli.cli.train.potential import prepare

    return prepare


def _reg() -> Prepare:
    from alr_cli.cli.train.reg import prepare

    return prepare


def _unrolled() -> Prepare:
    from alr_cli.cli.train.unrolled import prepare

    return prepare


# These are functions and not modules, because the modules import torch and the options are checked first.
RECIPES: dict[RecipeName, Callable[[], Prepare]] = {
    "adversarial": _adversarial,
    "defects": _defects,
    "flow": _flow,
    "global": _global,
    "post": _post,
    "potential": _potential,
    "reg": _reg,
    "unrolled": _unrolled,
}
