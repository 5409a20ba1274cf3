"""Turn groups of options into the flat function signature that Typer needs."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_type_hints


def expand_options(command: Callable[..., None]) -> Callable[..., None]:
    """Decorate a command: each parameter annotated with an option group is replaced by the fields of that
    group.

    Typer sees a flat signature. The command itself is called with complete groups.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if is_dataclass(hint) and isinstance(hint, type)}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in groups:
            keyword = parameter.replace(kind=parameter.KEYWORD_ONLY, annotation=hints[name])
            parameters.append(keyword)
            continue
        field_hints = get_type_hints(groups[name], include_extras=True)
        parameters += [
            inspect.Parameter(
                field.name,
                parameter.KEYWORD_ONLY,
                default=parameter.empty if field.default is MISSING else field.default,
                annotation=field_hints[field.name],
            )
            for field in fields(groups[name])
        ]

    @functools.wraps(command)
    def expanded(**flat: Any) -> None:
        grouped = {
            name: group(**{field.name: flat.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(**flat, **grouped)

    expanded.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    expanded.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return expanded
