"""What can happen to an execution, besides what a worker reports."""

from __future__ import annotations

from dataclasses import dataclass

from windhover.engine.messages import LogsWritten, TaskEnded, TaskStarted


@dataclass(frozen=True, slots=True)
class Begin:
    """The execution was just created."""


@dataclass(frozen=True, slots=True)
class Recover:
    """The execution was read back after its executor died: what was under way is handed out again."""


@dataclass(frozen=True, slots=True)
class KillRequested:
    """Somebody wants the execution to end as KILLED."""

    actor: str | None = None


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer that the engine has set is due."""

    key: str


EngineEvent = Begin | Recover | KillRequested | TimerFired | TaskStarted | TaskEnded | LogsWritten
