"""How many tasks run at once, as a flow writes it: a number, text, or an expression."""

from __future__ import annotations

import re
from typing import Annotated

from windhover.model.definition import unless_expression
from windhover.model.execution import JsonValue


def whole_number(value: JsonValue, property: str) -> int:
    """Read a rendered property as a whole number; one below 0 is no limit either, and becomes 0.

    Raises:
        ValueError: it is none; the message names the property and the value.
    """
    if not _is_whole(value):
        raise ValueError(f"`{property}` must be a whole number of 0 or more, not `{value}`")
    return max(0, int(str(value)))


def _is_whole(value: JsonValue) -> bool:
    return not isinstance(value, bool) and re.fullmatch(r"[-+]?\d+", str(value).strip()) is not None


def _check_count(value: JsonValue) -> None:
    if not _is_whole(value):
        raise ValueError(f"must be a whole number, not `{value}`")


#: A whole number, or an expression that gives one; kept as written.
RenderedCount = Annotated[int | str, unless_expression(_check_count)]
