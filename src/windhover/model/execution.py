"""Runtime records: an execution, its task runs and their attempts.

An execution is a header (:class:`Execution`) plus task runs (:class:`TaskRun`), stored as one row
each, so that a change costs what changed. Records are mutable and owned by the engine while an
execution is in memory; whoever else holds one holds a copy read from the repository.

Documentation page: ``docs/executions.md``.
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import Any

import msgspec

from windhover.model.state import State, StateChange, StateType

#: A value that JSON can say. Outputs, inputs and variables are made of these.
JsonValue = Any


class Label(msgspec.Struct, frozen=True):
    """A key and a value on a flow or execution; keys starting with ``system.`` belong to the server."""

    key: str
    value: str


class ExecutionTrigger(msgspec.Struct, omit_defaults=True, rename="camel"):
    """What started an execution, and the variables it brought (``trigger.*`` in expressions)."""

    id: str
    type: str
    variables: dict[str, JsonValue] = {}
    log_file: str | None = None


class ExecutionMetadata(msgspec.Struct, rename="camel"):
    """Counters that survive restart, replay and retry."""

    attempt_number: int
    original_created_date: datetime


class Attempt(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    """One try of a task run."""

    state: State
    worker_id: str | None = None
    log_file: str | None = None


class PagedHistory(msgspec.Struct, frozen=True):
    """How much of a record, from its beginning, has been written to pages: its row holds only the rest."""

    pages: int
    states: int
    attempts: int = 0


class HistoryPage(msgspec.Struct, frozen=True):
    """A stretch of the history of an execution, or of a task run, that nothing will change any more.

    ``record_id`` is whose it is, ``number`` counts its pages from 0.
    """

    execution_id: str
    record_id: str
    number: int
    states: list[StateChange]
    attempts: list[Attempt]


class Phase(IntEnum):
    """The lists of tasks that a flow or a flow-control task goes through, in this order.

    MEANWHILE stands beside them: what runs while a pause waits.
    """

    TASKS = 0
    ERRORS = 1
    FINALLY = 2
    AFTER_EXECUTION = 3
    MEANWHILE = 4


class Stage(IntEnum):
    """Where a flow-control task run stands, besides what its children say."""

    #: Its children run, or none has been started yet.
    BODY = 0
    #: A worker prepares it: no child is started before that is done.
    OPENING = 1
    #: Its normal branch is over, and a worker does what is left to do.
    CLOSING = 2
    #: The worker is done with it.
    CLOSED = 3
    #: A round of the loop is over, the next has not begun.
    WAITING = 4
    #: As WAITING; and the execution is PAUSED meanwhile, since nothing else runs.
    HOLDING = 5
    #: Its ``timeout`` is over: what ran in its normal branch has been told to stop.
    EXPIRED = 6


class TaskRun(msgspec.Struct, omit_defaults=True, rename="camel"):
    """One run of a task within an execution.

    ``value`` and ``iteration`` are set on the direct children of a loop. ``outputs`` is None while
    the run has none to show, an empty map once a worker ran a task without outputs. ``dispatch``
    is the fencing token: it is raised each time the run is handed to a worker, and a result that
    carries another number is refused. ``phase`` and ``lane`` say where in its parent the run stands,
    ``resolved`` keeps what a flow-control task evaluated when it began (its values, its branch), so
    that an execution read back from the repository goes on exactly as it would have. ``rounds`` counts the
    rounds of a loop that are over, and ``outcome`` is what a flow-control task comes to when it is not its
    children that say so. ``ahead`` says that it has run, but its turn has yet to come: after a restart others
    run first that stand before it in its lane. ``lost_attempts`` counts the attempts whose worker was lost.
    ``generation`` counts how often a task that starts many executions has begun with the first of them.
    ``paged`` says which part of the history stands on pages; in memory the record has all of it.
    """

    id: str
    execution_id: str
    task_id: str
    state: State
    parent_task_run_id: str | None = None
    value: str | None = None
    iteration: int | None = None
    attempts: list[Attempt] | None = None
    outputs: dict[str, JsonValue] | None = None
    dynamic: bool = False
    force_execution: bool = False
    position: int = 0
    dispatch: int = 0
    phase: Phase = Phase.TASKS
    lane: int = 0
    resolved: JsonValue = None
    stage: Stage = Stage.BODY
    rounds: int = 0
    outcome: StateType | None = None
    ahead: bool = False
    lost_attempts: int = 0
    generation: int = 0
    paged: PagedHistory | None = None

    @property
    def tries(self) -> int:
        """How often it was tried; attempts that a lost worker did not finish do not count."""
        return len(self.attempts or ()) - self.lost_attempts

    def add_attempt(self, attempt: Attempt) -> None:
        if self.attempts is None:
            self.attempts = []
        self.attempts.append(attempt)

    def lose_attempt(self, now: datetime) -> None:
        """Close the attempt under way, if there is one: its worker is gone."""
        if self.attempts and not self.attempts[-1].state.current.is_terminated:
            self.attempts[-1].state.become(StateType.RESUBMITTED, now)
            self.lost_attempts += 1


class AwaitedBy(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The task run, of another execution, that ends when this execution does.

    ``generation`` is that of the task run when it asked for this execution: once it has begun with others, it
    waits for this one no more.
    """

    execution_id: str
    task_run_id: str
    generation: int = 0


class OrderedEnd(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """An end that does not follow from the task runs: of a kill, a broken agreement, an ``Exit``.

    Nothing new is started any more, but with ``finalizes`` the ``finally`` branches that are due. With
    ``stops`` the task runs under way have been told to stop; else they may come to their own end. ``by`` is
    the task run that ordered it, if one did: what is around it ends in this state, too. ``due`` is when a new
    execution takes the place of one that is RETRIED, at the earliest: it has to end before.
    """

    state: StateType
    stops: bool = False
    finalizes: bool = False
    by: str | None = None
    due: datetime | None = None


class Breakpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where an execution stops: before the task ``id`` begins, in a loop only for the ``value``, if given."""

    id: str
    value: str | None = None


class TaskFixture(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the task ``id`` ends in a test, without having run; in a loop only for the ``value``, if given.

    ``outputs`` may hold expressions.
    """

    id: str
    value: str | None = None
    state: StateType = StateType.SUCCESS
    outputs: dict[str, JsonValue] | None = None


class Execution(msgspec.Struct, omit_defaults=True, rename="camel"):
    """The header of an execution: everything but its task runs.

    ``broken_slas`` are the ids of the agreements that it has broken so far. ``waits_for`` is the reason
    why an execution in state QUEUED does not run. ``flow_triggers`` says how often each Flow trigger has
    fired in the chain of executions that led to this one. ``nesting`` is how many executions wait for it, one
    for another, and ``chain`` how many in quick succession led to it, each started by a task of the one
    before; ``lineage`` holds their flows, but for the last. ``listeners`` are those of the flow, by index,
    that run after its end. ``refusals`` say why an execution that is stored as CREATED will not run: it ends
    as FAILED, with them in its log.
    """

    id: str
    tenant_id: str
    namespace: str
    flow_id: str
    flow_revision: int
    state: State
    original_id: str
    metadata: ExecutionMetadata
    labels: list[Label] = []
    inputs: dict[str, JsonValue] | None = None
    outputs: dict[str, JsonValue] | None = None
    variables: dict[str, JsonValue] | None = None
    trigger: ExecutionTrigger | None = None
    parent_id: str | None = None
    schedule_date: datetime | None = None
    kind: str | None = None
    awaited_by: AwaitedBy | None = None
    deleted: bool = False
    ordered_end: OrderedEnd | None = None
    broken_slas: tuple[str, ...] = ()
    breakpoints: tuple[Breakpoint, ...] = ()
    fixtures: tuple[TaskFixture, ...] = ()
    listeners: tuple[int, ...] = ()
    waits_for: str | None = None
    flow_triggers: dict[str, int] | None = None
    nesting: int = 0
    chain: int = 0
    lineage: tuple[str, ...] = ()
    paged: PagedHistory | None = None
    refusals: tuple[str, ...] = ()
