"""States of triggers and their backfills in JSON."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from windhover.model.execution import JsonValue, Label
from windhover.model.trigger import Trigger
from windhover.model.trigger_state import Backfill, Health, TriggerState
from windhover.webserver.wire.dates import Instant, instant, optional_instant

#: A trigger that is due for longer and was not looked at is late.
_LATE = timedelta(seconds=30)


class BackfillJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """A backfill; ``currentDate`` is the last date that was dealt with."""

    id: str
    start: Instant
    end: Instant
    paused: bool
    mode: str
    max_concurrent: int
    started: int
    skipped: int
    running: list[str]
    current_date: Instant | None = None
    inputs: dict[str, JsonValue] | None = None
    labels: list[Label] | None = None
    ended: Instant | None = None


class TriggerStateJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """What the server knows of a trigger, under the names of 1.x and of 2.0.

    ``health`` is HEALTHY, LATE (due, and not looked at) or FAILING, with the ``reason``.
    """

    tenant_id: str
    namespace: str
    flow_id: str
    trigger_id: str
    kind: str
    disabled: bool
    locked: bool
    health: str
    updated_at: Instant
    updated_date: Instant
    reason: str | None = None
    failures: int = 0
    date: Instant | None = None
    last_triggered_date: Instant | None = None
    evaluated_at: Instant | None = None
    next_execution_date: Instant | None = None
    next_evaluation_date: Instant | None = None
    evaluate_running_date: Instant | None = None
    execution_id: str | None = None
    worker_id: str | None = None
    stop_after: list[str] | None = None
    backfill: BackfillJson | None = None


class TriggerAndStateJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """A trigger as its flow declares it and what the server knows of it, under the names of 2.0 and 1.x."""

    state: TriggerStateJson
    trigger_context: TriggerStateJson
    trigger: dict[str, Any] | None = None
    abstract_trigger: dict[str, Any] | None = None


class TriggerAndStatePageJson(msgspec.Struct):
    """One page of triggers, and how many there are in all."""

    results: list[TriggerAndStateJson]
    total: int


class TriggerStatePageJson(msgspec.Struct):
    """One page of states, and how many there are in all."""

    results: list[TriggerStateJson]
    total: int


class DateJson(msgspec.Struct):
    """A date of a schedule: as an instant, and as clocks in the zone of the schedule show it."""

    date: Instant
    local: str


class DatesJson(msgspec.Struct, rename="camel"):
    """Dates of a schedule in the order they come; ``more`` when there are more of them than listed."""

    timezone: str
    dates: list[DateJson]
    more: bool


def state_json(
    state: TriggerState, definition: Trigger | None, backfill: Backfill | None, now: datetime
) -> TriggerStateJson:
    """The state of a trigger, and what its definition adds."""
    memory = state.memory
    health = state.health
    active = state.active and not state.disabled
    if active and state.due is not None and state.due + _LATE < now and health is Health.HEALTHY:
        health = Health.LATE
    upcoming = state.next_date or (state.due if state.lease is None else None)
    next_date = optional_instant(upcoming if active else None)
    date = optional_instant(memory.date or state.last_triggered)
    updated = instant(state.updated)
    return TriggerStateJson(
        tenant_id=state.key.tenant_id,
        namespace=state.key.namespace,
        flow_id=state.key.flow_id,
        trigger_id=state.key.trigger_id,
        kind=state.kind,
        disabled=not active,
        locked=state.execution_id is not None,
        health=health.value,
        updated_at=updated,
        updated_date=updated,
        reason=memory.reason,
        failures=memory.failures,
        date=date,
        last_triggered_date=optional_instant(state.last_triggered),
        evaluated_at=optional_instant(memory.evaluated_at),
        next_execution_date=next_date,
        next_evaluation_date=next_date,
        evaluate_running_date=optional_instant(memory.evaluated_at) if state.lease is not None else None,
        execution_id=state.execution_id,
        worker_id=state.worker_id,
        stop_after=[each.value for each in definition.stop_after] or None if definition is not None else None,
        backfill=None if backfill is None else backfill_json(backfill),
    )


def backfill_json(backfill: Backfill) -> BackfillJson:
    return BackfillJson(
        id=backfill.id,
        start=instant(backfill.start),
        end=instant(backfill.end),
        paused=backfill.paused,
        mode=backfill.mode.value,
        max_concurrent=backfill.max_concurrent,
        started=backfill.started,
        skipped=backfill.skipped,
        running=backfill.running,
        current_date=optional_instant(backfill.current_date),
        inputs=backfill.inputs or None,
        labels=list(backfill.labels) or None,
        ended=optional_instant(backfill.ended),
    )
