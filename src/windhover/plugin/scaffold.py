"""Writes the beginning of a plugin package: one task, its test, and a flow that runs it.

Documentation page: ``docs/plugins.md``.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from pathlib import Path

_DISTRIBUTION = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PREFIX = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


def write_plugin_package(folder: Path, name: str, *, prefix: str | None = None) -> list[Path]:
    """Write a plugin package that can be installed and run as it is.

    Args:
        folder: where to; made when it is not there.
        name: the name of the distribution, such as ``acme-mail``; the package is ``acme_mail``.
        prefix: what the names of its types begin with, such as ``com.acme.mail``; by default the package.

    Returns:
        The files written.

    Raises:
        ValueError: the name or the prefix is none.
        FileExistsError: a file is there already; nothing is written.
    """
    package = name.replace("-", "_")
    prefix = prefix if prefix is not None else package
    if not _DISTRIBUTION.fullmatch(name) or keyword.iskeyword(package):
        raise ValueError(
            f"`{name}` is not a name such as acme-mail: small letters, digits and single hyphens"
        )
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"`{prefix}` is not a prefix such as com.acme.mail")
    files = {folder / path: text for path, text in _contents(name, package, prefix).items()}
    for path in files:
        if path.exists():
            raise FileExistsError(f"{path} exists already")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(files)


def _contents(name: str, package: str, prefix: str) -> Mapping[str, str]:
    values = {"@NAME@": name, "@PACKAGE@": package, "@PREFIX@": prefix}

    def filled(text: str) -> str:
        for mark, value in values.items():
            text = text.replace(mark, value)
        return text

    return {filled(path): filled(text) for path, text in _FILES.items()}


_FILES: Mapping[str, str] = {
    "pyproject.toml": """\
[project]
name = "@NAME@"
version = "0.1.0"
description = "Task types for Windhover."
requires-python = ">=3.11"
dependencies = ["windhover"]

[project.entry-points."windhover.plugins"]
@NAME@ = "@PACKAGE@"

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.hatch.build.targets.wheel]
packages = ["src/@PACKAGE@"]
""",
    "README.md": """\
# @NAME@

Task types for Windhover.

    pip install -e .
    windhover plugins doc @PREFIX@.Greet
    windhover run flows/hello.yaml
""",
    "src/@PACKAGE@/__init__.py": '''\
"""Task types for Windhover. The type `@PREFIX@.Greet` is class `Greet` in the module `greet`."""

PLUGIN_PREFIX = "@PREFIX@."
''',
    "src/@PACKAGE@/py.typed": "",
    "src/@PACKAGE@/greet.py": '''\
"""``@PREFIX@.Greet``."""

from typing import Annotated

from pydantic import Field

from windhover.plugin import Example, Output, RunContext, RunnableTask


class GreetOutput(Output):
    greeting: Annotated[str, Field(description="What was said.")]


class Greet(RunnableTask[GreetOutput]):
    """Greet somebody in the log."""

    type_name = "@PREFIX@.Greet"
    examples = (Example(title="Say hello.", code="name: Ada"),)

    name: Annotated[str, Field(description="Whom to greet.")]
    polite: Annotated[bool, Field(description="Whether to be formal.")] = False

    async def run(self, ctx: RunContext) -> GreetOutput:
        greeting = f"{'Good day' if self.polite else 'Hello'}, {self.name}"
        ctx.logger.info(greeting)
        return GreetOutput(greeting=greeting)
''',
    "flows/hello.yaml": """\
id: hello
namespace: company.team

tasks:
  - id: greet
    type: @PREFIX@.Greet
    name: "{{ flow.id }}"

  - id: log
    type: io.kestra.plugin.core.log.Log
    message: "It said: {{ outputs.greet.greeting }}"
""",
    "tests/test_greet.py": """\
import asyncio
from unittest.mock import Mock

from @PACKAGE@.greet import Greet


def test_it_greets_in_the_log() -> None:
    ctx = Mock()

    output = asyncio.run(Greet(name="Ada").run(ctx))

    assert output.greeting == "Hello, Ada"
    ctx.logger.info.assert_called_once_with("Hello, Ada")
""",
}
