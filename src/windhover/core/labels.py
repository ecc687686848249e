"""Labels as tasks write them: a map, or a list of keys and values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from windhover.expression import to_text
from windhover.model.execution import JsonValue, Label
from windhover.model.labels import SYSTEM_PREFIX


def read_labels(
    written: Mapping[str, JsonValue] | Iterable[JsonValue], *, allow_empty: bool = False
) -> tuple[Label, ...]:
    """Read rendered labels; the last one of a key counts, and one without a key is left out.

    With ``allow_empty`` one without a value is left out, too.

    Raises:
        ValueError: a label is empty, of another form, or reserved for the server.
    """
    merged: dict[str, str] = {}
    for key, value in _pairs(written):
        if value is None or value == "":
            if allow_empty:
                continue
            raise ValueError(f"Label values cannot be empty, offending label: {key}")
        if key.startswith(SYSTEM_PREFIX):
            raise ValueError(
                f"System labels can only be set by Kestra itself, offending label: {key}={to_text(value)}"
            )
        if key:
            merged[key] = to_text(value)
    return tuple(Label(key, value) for key, value in merged.items())


def _pairs(written: Mapping[str, JsonValue] | Iterable[JsonValue]) -> Iterable[tuple[str, JsonValue]]:
    if isinstance(written, Mapping):
        yield from written.items()
        return
    for entry in written:
        if not isinstance(entry, Mapping) or not isinstance(entry.get("key"), str):
            raise ValueError(f"A label is written as a `key` and a `value`, not as {to_text(entry)}")
        yield entry["key"], entry.get("value")
