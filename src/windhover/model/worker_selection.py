"""Which workers may run a task.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import StringConstraints

from windhover.model.definition import Definition, Text


class WorkerFallback(StrEnum):
    """What happens when no such worker is there."""

    FAIL = "FAIL"
    WAIT = "WAIT"
    CANCEL = "CANCEL"
    IGNORE = "IGNORE"


class WorkerGroup(Definition):
    """Workers by the name of their group; the name may be an expression."""

    key: Text | None = None
    fallback: Literal["FAIL", "WAIT", "CANCEL"] | None = None


WorkerTag = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class WorkerSelector(Definition):
    """Workers by their tags: those that have all of them, or any."""

    tags: tuple[WorkerTag, ...] = ()
    match: Literal["ALL", "ANY"] = "ALL"
    fallback: WorkerFallback = WorkerFallback.FAIL
