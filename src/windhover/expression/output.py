"""Joins what a template has printed."""

from __future__ import annotations

from windhover.expression.scope import Frame
from windhover.expression.values import to_string, to_text

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


def join_inner(frame: Frame, parts: list[object]) -> str:
    """What a macro, a repeated block or a ``filter`` tag has printed: lists and maps in Java's own form."""
    if any(part.__class__ is not str for part in parts):
        parts = ["" if part is None else to_string(part) for part in parts]
    return join_output(frame, parts)


def _join_checked(frame: Frame, texts: list[object]) -> str:
    # Many references to one long text are cheap until they are joined.
    frame.budget.check_size(sum(map(len, texts)))  # type: ignore[arg-type]
    return "".join(texts)  # type: ignore[arg-type]
