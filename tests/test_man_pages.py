"""Man pages have the same content as `--help`."""

import inspect

import pytest

from scripts.make_man import escaped, page, pages


@pytest.mark.parametrize(("name", "command"), pages())
def test_a_page_has_the_name_the_examples_and_every_option(name: str, command) -> None:  # type: ignore[no-untyped-def]
    text = page(name, command, ["alr"])
    assert text.startswith(f".TH {name.replace(' ', '-').upper()} 1")
    for line in (inspect.getdoc(command) or "").splitlines():
        assert escaped(line.strip().rstrip(".")) in text
    for parameter in inspect.signature(command).parameters.values():
        for described in getattr(parameter.annotation, "__metadata__", ()):
            for flag in getattr(described, "param_decls", None) or ():
                assert escaped(flag) in text
            assert escaped(described.help or "") in text
    assert not [line for line in text.splitlines() if line.startswith("'")]
