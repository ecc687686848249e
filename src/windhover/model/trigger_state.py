"""What a server knows of a trigger besides its definition: when it is due, what it waits for, how it does.

Documentation page: ``docs/triggers.md``.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from windhover.model.execution import JsonValue, Label
from windhover.model.state import StateType


class TriggerKey(NamedTuple):
    """Which trigger of which flow. A trigger whose id changes is another one."""

    tenant_id: str
    namespace: str
    flow_id: str
    trigger_id: str

    def __str__(self) -> str:
        return f"{self.namespace}.{self.flow_id}.{self.trigger_id}"


class Health(StrEnum):
    """Whether a trigger does what it is there for. LATE is never kept: it follows from the clock."""

    HEALTHY = "HEALTHY"
    LATE = "LATE"
    FAILING = "FAILING"


class TriggerMemory(msgspec.Struct, omit_defaults=True, rename="camel"):
    """What evaluations of a trigger leave for the next one.

    ``date`` is the date of the last slot of a schedule that was dealt with, fired or skipped. ``failures``
    counts the evaluations that failed one after another, the last one with ``reason``. ``poll`` is what a
    polling trigger wants to know at its next look. ``searched`` is until when a schedule has looked in vain
    for a date on which its conditions hold.
    """

    date: datetime | None = None
    evaluated_at: datetime | None = None
    failures: int = 0
    reason: str | None = None
    poll: dict[str, JsonValue] | None = None
    searched: datetime | None = None


class TriggerState(msgspec.Struct, frozen=True):
    """The state of a trigger that is scheduled, polls or listens.

    ``active`` is False when its flow disables it, or is disabled itself; ``disabled`` is what people and
    tasks do to it. ``due`` is when a scheduler looks at it next, ``next_date`` the date of the schedule that
    it waits for. ``execution_id`` is the execution that must end before it may fire again. ``lease`` names
    the evaluation under way, if there is one, which loses the trigger to another when it is ``due``.
    """

    key: TriggerKey
    kind: str
    flow_revision: int
    fingerprint: str
    active: bool
    disabled: bool
    updated: datetime
    memory: TriggerMemory
    due: datetime | None = None
    next_date: datetime | None = None
    last_triggered: datetime | None = None
    execution_id: str | None = None
    worker_id: str | None = None
    lease: str | None = None

    @property
    def health(self) -> Health:
        return Health.FAILING if self.memory.failures else Health.HEALTHY


class SlotRun(NamedTuple):
    """What became of a date of a schedule: the execution that ran it last, and its state."""

    execution_id: str
    state: StateType | None


_FAILURES = frozenset({StateType.FAILED, StateType.KILLED, StateType.CANCELLED})


class BackfillMode(StrEnum):
    """Which dates of the past a backfill runs: all, those that never ran, or those whose last run failed."""

    ALL = "ALL"
    MISSING = "MISSING"
    FAILED = "FAILED"

    def wants(self, run: SlotRun | None) -> bool:
        """Whether a date is run, given what ran for it before."""
        match self:
            case BackfillMode.ALL:
                return True
            case BackfillMode.MISSING:
                return run is None
            case BackfillMode.FAILED:
                return run is not None and run.state in _FAILURES


class Backfill(msgspec.Struct, omit_defaults=True, rename="camel"):
    """Dates of a schedule that are run after the fact, each in an execution, beside the live schedule.

    Both ends are inclusive. ``current_date`` is the last date that was dealt with. ``running`` are the
    executions under way, at most ``max_concurrent`` at once.
    """

    id: str
    key: TriggerKey
    start: datetime
    end: datetime
    created: datetime
    current_date: datetime | None = None
    paused: bool = False
    mode: BackfillMode = BackfillMode.ALL
    max_concurrent: int = 1
    inputs: dict[str, JsonValue] = {}
    labels: list[Label] = []
    started: int = 0
    skipped: int = 0
    running: list[str] = []
    ended: datetime | None = None
