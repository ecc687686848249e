"""The values that a loop goes over, as a flow may write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import msgspec

from windhover.expression import to_json
from windhover.model.execution import JsonValue
from windhover.plugin.flowable import FlowableContext, Lane
from windhover.plugin.nesting import TaskList


def loop_values(values: JsonValue, ctx: FlowableContext) -> list[str]:
    """Render the values of a loop: text that holds a JSON list, or a list of values.

    Each value becomes text (maps and lists their JSON); a value that comes twice counts once.

    Raises:
        ValueError: there is no list, or a null in it.
        windhover.expression.ExpressionError: an expression cannot be rendered.
    """
    if isinstance(values, str):
        rendered = ctx.render(values)
        items = _parse_list(cast("str", rendered))
    elif isinstance(values, (list, tuple)):
        items = [ctx.render(item) for item in values]
    else:
        raise ValueError(f"`values` must be a list or the JSON text of one, not `{to_json(values)}`")
    nulls = sum(1 for item in items if item is None)
    if nulls:
        raise ValueError(f"Found '{nulls}' null values on Each, with values={to_json(items)}")
    return list(dict.fromkeys(item if isinstance(item, str) else to_json(item) for item in items))


def _parse_list(text: str) -> list[JsonValue]:
    try:
        items = msgspec.json.decode(text.encode())
    except msgspec.DecodeError as error:
        raise ValueError(f"`values` is no JSON list ({error}): {_shorten(text)}") from None
    if not isinstance(items, list):
        raise ValueError(f"`values` must be a JSON list, not: {_shorten(text)}")
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
