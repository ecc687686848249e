"""How many tasks run at once, as a flow writes it: a number, text, or an expression."""

from __future__ import annotations

import re

from windhover.model.execution import JsonValue


def whole_number(value: JsonValue, property: str) -> int:
    """Read a rendered property as a whole number; one below 0 is no limit either, and becomes 0.

    Raises:
        ValueError: it is none; the message names the property and the value.
    """
    text = str(value).strip()
    if isinstance(value, bool) or re.fullmatch(r"[-+]?\d+", text) is None:
        raise ValueError(f"`{property}` must be a whole number of 0 or more, not `{value}`")
    return max(0, int(text))
