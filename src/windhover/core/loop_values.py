"""The values that a loop goes over, as a flow may write them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from windhover.expression import ExpressionError, to_json
from windhover.model.execution import JsonValue
from windhover.plugin.flowable import FlowableContext, Lane
from windhover.plugin.nesting import TaskList

_URI = re.compile(r"kestra:///[^'\\{}\s]+")


def loop_values(values: JsonValue, ctx: FlowableContext, name: str = "values") -> list[str]:
    """Render the values of a loop: text that holds a JSON list, or a list of values.

    Each value becomes text (maps and lists their JSON); a value that comes twice counts once. ``name`` is
    that of the property, for what is said about it.

    Raises:
        ValueError: there is no list, or a null in it.
        windhover.expression.ExpressionError: an expression cannot be rendered.
    """
    if isinstance(values, str):
        rendered = ctx.render(values)
        items = _parse_list(cast("str", rendered), name)
    elif isinstance(values, (list, tuple)):
        items = [ctx.render(item) for item in values]
    else:
        raise ValueError(
            f"`{name}` must be a list or the JSON text of one, not `{_shorten(to_json(values))}`"
        )
    nulls = sum(1 for item in items if item is None)
    if nulls:
        raise ValueError(_found_nulls(nulls, "Each", items))
    return list(dict.fromkeys(item if isinstance(item, str) else to_json(item) for item in items))


@dataclass(frozen=True, slots=True)
class LoopItems:
    """What a loop goes over: each value as text, and its key when they come from a map."""

    values: list[str]
    keys: list[str] | None = None


def loop_items(values: JsonValue, ctx: FlowableContext) -> LoopItems:
    """Render what a loop goes over: a list, a map, the JSON text of one, or the URI of a file of lines.

    Each value becomes text (maps and lists their JSON); values that are the same stay apart.

    Raises:
        ValueError: it is none of these, or there is a null in it.
        windhover.expression.ExpressionError: an expression cannot be rendered, or the file not be read.
    """
    rendered = ctx.render(list(values) if isinstance(values, tuple) else values)
    if isinstance(rendered, str):
        uri = rendered.strip()
        if uri.startswith("kestra://"):
            return LoopItems([_record(line) for line in _lines(uri, ctx)])
        rendered = _parse(rendered)
    if isinstance(rendered, Mapping):
        return LoopItems(_texts(list(rendered.values())), list(rendered))
    if isinstance(rendered, list):
        return LoopItems(_texts(rendered))
    raise ValueError(f"`values` must be a list or a map, not: {_shorten(to_json(rendered))}")


def _texts(items: Sequence[JsonValue]) -> list[str]:
    nulls = sum(1 for item in items if item is None)
    if nulls:
        raise ValueError(_found_nulls(nulls, "Loop", items))
    return [item if isinstance(item, str) else to_json(item) for item in items]


def _found_nulls(nulls: int, loop: str, items: Sequence[JsonValue]) -> str:
    return (
        f"Found '{nulls}' null values on {loop}, with values={_shorten(to_json(items))}. "
        "Leave them out, or give them a value of their own, such as an empty text"
    )


def _lines(uri: str, ctx: FlowableContext) -> list[str]:
    if not _URI.fullmatch(uri):
        raise ValueError(f"`values` is no URI of a stored file: {_shorten(uri)}")
    text = str(ctx.render("{{ read('" + uri + "') }}"))
    return [line for line in text.splitlines() if line.strip()]


def _record(line: str) -> str:
    """The text of one line: JSON for a record of an Ion file, else the line as it is."""
    if not line.startswith(("{", "[")):
        return line
    from windhover.expression.ion_text import read_ion

    try:
        return to_json(read_ion(line))
    except ExpressionError:
        return line


def _parse(text: str) -> JsonValue:
    if not text.strip():
        raise ValueError(_no_values("values"))
    try:
        parsed: JsonValue = msgspec.json.decode(text.encode())
    except msgspec.DecodeError as error:
        raise ValueError(
            f"`values` is no JSON list or map ({error}) and no URI of a stored file: {_shorten(text)}"
        ) from None
    return parsed


def _no_values(name: str) -> str:
    return f"`{name}` is null or empty text; a list without values is written `[]`"


def _parse_list(text: str, name: str) -> list[JsonValue]:
    if not text.strip():
        raise ValueError(_no_values(name))
    try:
        items = msgspec.json.decode(text.encode())
    except msgspec.DecodeError as error:
        raise ValueError(f"`{name}` is no JSON list ({error}): {_shorten(text)}") from None
    if not isinstance(items, list):
        raise ValueError(f"`{name}` must be a JSON list, not: {_shorten(text)}")
    return items


def _shorten(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "…"


class LoopLanes(Sequence[Lane]):
    """One lane a value, all with the same tasks; made when it is looked at."""

    def __init__(self, tasks: TaskList, values: Sequence[str]) -> None:
        self._tasks = tasks
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: int) -> Lane:  # type: ignore[override]
        return Lane(self._tasks, self._values[index], index)
