"""``windhover eval``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from windhover.cli.commands import app


def run(*arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    result = CliRunner().invoke(app, ["eval", *arguments], input=stdin)
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def variables(tmp_path: Path) -> str:
    file = tmp_path / "vars.json"
    file.write_text(json.dumps({"outputs": {"extract": {"rows": [3, 1, 2]}}}))
    return str(file)


def test_a_template_is_rendered_with_the_variables_of_a_file(variables: str) -> None:
    assert run("{{ outputs.extract.rows | sort }}", "--vars", variables) == (0, "[1,2,3]\n", "")


def test_the_template_may_come_from_the_standard_input() -> None:
    assert run("-", stdin="{{ 1 + 1 }}\n{{ 2 }}\n") == (0, "2\n2\n", "")


@pytest.mark.parametrize(
    ("template", "shown"),
    [("{{ 1 == 1 }}", "true"), ("{{ '1' }}", '"1"'), ("{{ {'a': [1, null]} }}", '{"a":[1,null]}')],
)
def test_typed_values_are_shown_as_json(template: str, shown: str) -> None:
    assert run(template, "--typed") == (0, f"{shown}\n", "")


def test_an_undefined_name_is_told_with_its_place_and_what_was_meant(variables: str) -> None:
    code, out, error = run("a\n{{ outputs.extract.row }}", "--vars", variables)
    assert (code, out) == (1, "")
    assert error.startswith("line 2, column 19: Unable to find `row`")
    assert "Did you mean `rows`?" in error
    place = error.splitlines()
    assert place[2].index("{{ outputs") + 18 == place[-1].index("^")


def test_wrong_syntax_is_told_with_its_place() -> None:
    code, _, error = run("{{ 1 + }}")
    assert code == 1
    assert error.startswith("line 1, column 8: ")


@pytest.mark.parametrize("content", ["[1]", "{", None])
def test_variables_that_cannot_be_read_are_told(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "vars.json"
    if content is not None:
        file.write_text(content)
    code, _, error = run("x", "--vars", str(file))
    assert code == 2
    assert str(file) in error
