"""The examples in the documentation of the messaging types are flows that can be saved."""

from __future__ import annotations

import textwrap
from typing import cast

import pytest

from windhover.plugin.documentation import Example
from windhover.plugin.parsing import parse_flow
from windhover.plugin.registry import shared_registry
from windhover.plugin.task import BoundTask

FAMILIES = tuple(f"io.kestra.plugin.{family}." for family in ("amqp", "mqtt", "nats", "redis"))

_TASK = """
id: example
namespace: company.team

tasks:
  - id: task
    type: {type}
{properties}
"""


def examples() -> list[tuple[str, Example]]:
    found = [one for one in shared_registry().types() if one.type_name.startswith(FAMILIES)]
    return [
        (one.type_name, example) for one in found for example in cast("type[BoundTask]", one.cls).examples
    ]


def test_every_type_has_an_example() -> None:
    assert {name for name, _ in examples()} == {
        one.type_name for one in shared_registry().types() if one.type_name.startswith(FAMILIES)
    }


@pytest.mark.parametrize(
    ("type_name", "example"), examples(), ids=lambda one: one.title if isinstance(one, Example) else one
)
def test_example_can_be_saved(type_name: str, example: Example) -> None:
    code = example.code
    if not example.full:
        code = _TASK.format(type=type_name, properties=textwrap.indent(code.strip(), "    "))
    parse_flow(code, shared_registry())
