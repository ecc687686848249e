"""JSON data as it is kept: what is null is not there."""

from __future__ import annotations

from typing import Any


def without_nulls(value: Any) -> Any:
    """JSON data without the null entries of its maps, at any depth; elements of lists stay.

    What holds none is given back as it is, not copied.

    >>> without_nulls({"a": None, "b": [None, {"c": None}]})
    {'b': [None, {}]}
    """
    if isinstance(value, dict):
        kept = {key: without_nulls(item) for key, item in value.items() if item is not None}
        same = len(kept) == len(value) and all(kept[key] is item for key, item in value.items())
        return value if same else kept
    if isinstance(value, list):
        items = [without_nulls(item) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value
