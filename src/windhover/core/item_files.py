"""Files of items, one Ion value a line, and expressions over each item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from windhover.core.record_files import records
from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.task import TaskFailure


def lines(ctx: RunContext, path: Path) -> Iterator[bytes]:
    """The lines that hold items, as they are in the file, each with its end. For a thread."""
    return (line + b"\n" for line in records(ctx, path, b"\n") if line.strip())


def evaluate(ctx: RunContext, expression: str, line: bytes) -> str:
    """The text that an expression gives for an item: its members are variables. For a thread.

    Raises:
        TaskFailure: the line is no Ion text.
        windhover.expression.ExpressionError: the expression is wrong, or names something undefined.
    """
    from windhover.expression.ion_text import read_ion

    try:
        item = read_ion(line.decode())
    except UnicodeDecodeError:
        raise TaskFailure("The file is no text of Ion values, one a line") from None
    variables: Mapping[str, JsonValue] = item if isinstance(item, Mapping) else {"value": item}
    return str(ctx.render(expression, variables))
