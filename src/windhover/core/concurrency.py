"""How many tasks run at once, as a flow writes it: a number, text, or an expression."""

from __future__ import annotations

from windhover.model.execution import JsonValue


def whole_number(value: JsonValue, property: str) -> int:
    """Read a rendered property as a whole number of 0 or more.

    Raises:
        ValueError: it is none; the message names the property and the value.
    """
    try:
        number = int(str(value).strip())
    except ValueError:
        number = -1
    if number < 0 or isinstance(value, bool):
        raise ValueError(f"`{property}` must be a whole number of 0 or more, not `{value}`")
    return number
