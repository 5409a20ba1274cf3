"""Option groups become one flat signature, and arrive as groups."""

import inspect
from dataclasses import dataclass, fields

import pytest

from alr_cli.cli.options.common import ComputeOptions, ModelOptions, ReportOptions, expand_options
from alr_cli.cli.options.files import FileOptions
from alr_cli.errors import UsageError


@dataclass(frozen=True)
class Group:
    first: int
    second: str = "two"


def test_a_group_becomes_its_fields_with_their_defaults_and_comes_back_as_a_group() -> None:
    seen: list[object] = []

    @expand_options
    def command(name: str, *, group: Group, last: int = 3) -> None:
        """Its help."""
        seen.extend([name, group, last])

    parameters = inspect.signature(command).parameters
    assert list(parameters) == ["name", "first", "second", "last"]
    assert parameters["first"].default is inspect.Parameter.empty
    assert parameters["second"].default == "two"
    assert command.__doc__ == "Its help."
    command(name="n", first=1, second="b", last=4)
    assert seen == ["n", Group(1, "b"), 4]


def test_no_option_is_defined_twice() -> None:
    names = [
        f.name for group in (FileOptions, ModelOptions, ComputeOptions, ReportOptions) for f in fields(group)
    ]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("group", "given"),
    [
        (FileOptions, {"overwrite": True, "skip_existing": True}),
        (FileOptions, {"suffix": ""}),
        (FileOptions, {"suffix": "a/b"}),
        (ModelOptions, {"lam": 0.1, "strength": 1.0}),
        (ReportOptions, {"quiet": True, "verbose": True}),
    ],
)
def test_options_that_contradict_each_other_are_refused(group: type, given: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        group(**given)


def test_help_texts_contain_no_markup_that_rich_would_remove() -> None:
    from alr_cli.cli.commands import COMMANDS, function_of

    for command in map(function_of, COMMANDS):
        texts = [inspect.getdoc(command) or ""]
        for parameter in inspect.signature(command).parameters.values():
            texts += [
                getattr(info, "help", None) or ""
                for info in getattr(parameter.annotation, "__metadata__", ())
            ]
        assert not [text for text in texts if "[" in text and "\\[" not in text]
