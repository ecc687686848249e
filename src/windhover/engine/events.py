"""What can happen to an execution, besides what a worker reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from windhover.engine.messages import LogsWritten, TaskEnded, TaskStarted
from windhover.model.execution import Breakpoint, JsonValue
from windhover.model.state import StateType
from windhover.plugin.flowable import Decision


class Begin(msgspec.Struct, frozen=True):
    """The execution was just created."""


class Recover(msgspec.Struct, frozen=True):
    """The execution was read back after its executor died: what was under way is handed out again."""


class Restarted(msgspec.Struct, frozen=True):
    """The execution was reworked and is to go on."""


class Queued(msgspec.Struct, frozen=True):
    """There is no room under the concurrency limit of the flow: the execution waits for its turn."""

    limit: int


class Released(msgspec.Struct, frozen=True):
    """It is the turn of a queued execution."""


class Refused(msgspec.Struct, frozen=True):
    """There is no room under the concurrency limit of the flow: the execution ends at once in this state.

    ``by_hand``: somebody has ended its wait so, and the log says that already.
    """

    state: StateType
    by_hand: bool = False


class KillRequested(msgspec.Struct, frozen=True):
    """Somebody wants the execution to end as KILLED, and with ``cascade`` those that it waits for.

    ``to_be_replaced``: it is RETRIED, and a new one is about to take its place; there is to be none.
    """

    actor: str | None = None
    cascade: bool = True
    to_be_replaced: bool = False


class TimerFired(msgspec.Struct, frozen=True):
    """A timer that the engine has set is due."""

    key: str


class PauseRequested(msgspec.Struct, frozen=True):
    """Somebody wants nothing new to start for now."""

    actor: str | None = None


class Resume(msgspec.Struct, frozen=True):
    """Somebody lets a paused execution go on; ``inputs`` are those of the pause, checked.

    ``actor`` is a person, of whom the outputs of the pause tell; ``task`` says which task it was, if it was
    one. The log names either. ``task_run_id`` is the pause to end; without it, that which began first.
    ``decision`` and ``comment`` answer a pause that asks for one; without an answer it is approved.
    """

    inputs: Mapping[str, JsonValue] | None = None
    actor: str | None = None
    task_run_id: str | None = None
    decision: Decision = Decision.APPROVED
    comment: str | None = None
    task: str | None = None


class LeaveBreakpoint(msgspec.Struct, frozen=True):
    """Somebody lets an execution go on from a breakpoint; ``breakpoints`` are its new ones, if given."""

    breakpoints: tuple[Breakpoint, ...] | None = None
    actor: str | None = None


class ChildStarted(msgspec.Struct, frozen=True):
    """The execution that a task run asked for was created, or ``restarted``. ``link`` names it in logs."""

    task_run_id: str
    execution_id: str
    link: str
    wait: bool
    warnings: tuple[str, ...] = ()
    restarted: bool = False


class ChildRefused(msgspec.Struct, frozen=True):
    """An execution that a task run asked for cannot be created.

    ``asked_for`` is how many it has asked for in the same step: then none of them is created.
    """

    task_run_id: str
    message: str
    asked_for: int = 1


class FailedBatchesFound(msgspec.Struct, frozen=True):
    """How many of the executions that a restarted task run had started have failed and can be restarted."""

    task_run_id: str
    count: int


class ChildRestarted(msgspec.Struct, frozen=True):
    """An execution that a task run waits for had ended as ``was``, and is under way again.

    ``generation`` is the task run's when it asked for the execution.
    """

    task_run_id: str
    execution_id: str
    was: StateType
    link: str
    generation: int = 0


class OutputsNotKept(msgspec.Struct, frozen=True):
    """The flow's outputs are too large for its record, and the storage does not take them."""

    reason: str


class ChildEnded(msgspec.Struct, frozen=True):
    """The execution that a task run waits for has ended, with its flow's outputs.

    ``problem`` says why the outputs cannot be taken over, if they cannot.

    ``render`` renders what the waiting task asks for among the ended execution's variables.

    ``replaces`` is the execution in whose place it was started, when that was retried as a new one.

    ``generation`` is the task run's when it asked for the execution.
    """

    task_run_id: str
    execution_id: str
    state: StateType
    link: str
    outputs: dict[str, JsonValue] | None = None
    replaces: str | None = None
    render: Callable[[JsonValue], JsonValue] | None = None
    problem: str | None = None
    generation: int = 0


EngineEvent = (
    Begin
    | Recover
    | Restarted
    | Queued
    | Released
    | Refused
    | KillRequested
    | TimerFired
    | TaskStarted
    | TaskEnded
    | LogsWritten
    | PauseRequested
    | Resume
    | LeaveBreakpoint
    | FailedBatchesFound
    | ChildRestarted
    | ChildStarted
    | ChildRefused
    | ChildEnded
    | OutputsNotKept
)
