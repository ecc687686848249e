"""How tasks merge a map into one that is there already."""

from __future__ import annotations

from collections.abc import Mapping

from windhover.model.execution import JsonValue


def deeply_merged(present: Mapping[str, JsonValue], new: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Both maps in one: maps in them are merged in turn, lists joined; of other values the new one counts.

    What is new and null leaves what is there as it is: nothing is taken away by merging.
    """
    result = dict(present)
    for name, value in new.items():
        if value is None:
            continue
        old = result.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            result[name] = deeply_merged(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            result[name] = [*old, *(item for item in value if item not in old)]
        else:
            result[name] = value
    return result
