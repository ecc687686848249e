"""Joins what a template has printed."""

from __future__ import annotations

from windhover.expression.scope import Frame
from windhover.expression.values import to_text

_UNCHECKED = 1 << 16


def join_output(frame: Frame, parts: list[object]) -> str:
    """The printed values as one text, no longer than the limits allow."""
    try:
        texts = parts
        text = "".join(parts) if len(parts) < 64 else _join_checked(frame, parts)  # type: ignore[arg-type]
    except TypeError:
        texts = [part if part.__class__ is str else to_text(part) for part in parts]
        text = _join_checked(frame, texts)
    if len(text) > _UNCHECKED:
        frame.budget.check_size(len(text))
    return text


def _join_checked(frame: Frame, texts: list[object]) -> str:
    # Many references to one long text are cheap until they are joined.
    frame.budget.check_size(sum(map(len, texts)))  # type: ignore[arg-type]
    return "".join(texts)  # type: ignore[arg-type]
