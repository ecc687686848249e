"""Triggers that are scheduled, poll or listen: their states, and what they have started.

Documentation page: ``docs/triggers.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from windhover.model.execution import Execution
from windhover.model.log import LogEntry
from windhover.model.state import StateType
from windhover.model.trigger_state import SlotRun, TriggerKey, TriggerMemory, TriggerState
from windhover.repository import trigger_statements as statements
from windhover.repository.batched_events import INSERT_TAKEN, BatchedEvent, batched_row, offered_row
from windhover.repository.database import Database
from windhover.repository.filters import FIRST_PAGE, Page, Paging, TextMatch, TimeRange
from windhover.repository.instants import from_micros, to_micros
from windhover.repository.lazy_search import load_search
from windhover.repository.records import execution_row, json_text, label_rows, log_row
from windhover.repository.statement import Row, Write, sql
from windhover.repository.statements import ENDED, INSERT_LOGS
from windhover.repository.trigger_changes import TriggerChange, change_writes
from windhover.repository.trigger_statements import KEY_COLUMNS

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

_memory_decoder = msgspec.json.Decoder(TriggerMemory)

_THIS = statements.THIS_TRIGGER
_GET = sql(f"{statements.SELECT_STATES} WHERE {_THIS}")
_FLOWS_DUE = sql(
    "SELECT DISTINCT tenant_id, namespace, flow_id, flow_revision FROM triggers "
    "WHERE due >= ? AND due <= ? LIMIT ?"
)
_FORGET_EVENTS = sql("DELETE FROM trigger_events WHERE created < ?")
_EVENT = sql(f"SELECT execution_id FROM trigger_events WHERE {_THIS} AND key = ?")
_SLOTS = sql(
    "SELECT v.slot, v.execution_id, e.state FROM trigger_events AS v LEFT JOIN executions AS e "
    "ON e.id = v.execution_id WHERE v.tenant_id = ? AND v.namespace = ? AND v.flow_id = ? "
    "AND v.trigger_id = ? AND v.slot >= ? AND v.slot <= ? ORDER BY v.slot, v.created"
)


class TriggerEvent(msgspec.Struct, frozen=True):
    """An event and the execution that it starts, unless one with the same key has started one before.

    ``lease`` is the evaluation that saw it: if that has lost its trigger, or the trigger was disabled,
    nothing starts. Without one nothing is asked. ``logs`` are numbered from 1.
    """

    key: TriggerKey
    event: str
    execution: Execution
    logs: Sequence[LogEntry] = ()
    lease: str | None = None
    slot: datetime | None = None


class ForgottenKeys(msgspec.Struct, frozen=True):
    """Keys of events that may be used again, those that begin with ``prefix``.

    ``lease`` is that of the listener who says so: if it has lost its trigger, they are remembered.
    """

    key: TriggerKey
    prefix: str
    lease: str


class Evaluation(msgspec.Struct, frozen=True):
    """What an evaluation leaves of its trigger.

    ``state`` is the state it began with and holds its lease. With a ``lease`` the trigger is held further,
    until ``due``; without it is let go.
    """

    state: TriggerState
    memory: TriggerMemory
    due: datetime | None
    next_date: datetime | None = None
    last_triggered: datetime | None = None
    execution_id: str | None = None
    worker_id: str | None = None
    lease: str | None = None


class Ended(msgspec.Struct, frozen=True):
    """A trigger whose execution is over, or does not exist any more."""

    key: TriggerKey
    execution_id: str


class TriggerSort(StrEnum):
    """What triggers can be sorted by, named as the API names it."""

    TRIGGER_ID = "triggerId"
    FLOW_ID = "flowId"
    NAMESPACE = "namespace"
    NEXT_DATE = "nextExecutionDate"
    LAST_TRIGGERED = "date"
    EXECUTION_ID = "executionId"


class TriggerQuery(msgspec.Struct, frozen=True):
    """Conditions that triggers must meet, all of them; those left out say nothing."""

    tenant_id: str
    text: str | None = None
    namespace: tuple[TextMatch, ...] = ()
    flow_id: tuple[TextMatch, ...] = ()
    trigger_id: tuple[TextMatch, ...] = ()
    worker_id: tuple[TextMatch, ...] = ()
    disabled: bool | None = None
    locked: bool | None = None
    next_date: TimeRange | None = None
    last_triggered: TimeRange | None = None
    sort: TriggerSort = TriggerSort.FLOW_ID
    descending: bool = False
    paging: Paging = FIRST_PAGE


class TriggerBatch(msgspec.Struct, frozen=True):
    """What one round of a scheduler writes in one transaction.

    Keys are ``forgotten`` first. ``events`` start an execution each, those that are ``gathered`` wait for
    others. ``logs`` are those of triggers themselves.
    """

    forgotten: list[ForgottenKeys] = msgspec.field(default_factory=list)
    events: list[TriggerEvent] = msgspec.field(default_factory=list)
    gathered: list[BatchedEvent] = msgspec.field(default_factory=list)
    evaluations: list[Evaluation] = msgspec.field(default_factory=list)
    logs: list[LogEntry] = msgspec.field(default_factory=list)
    more: list[Write] = msgspec.field(default_factory=list)

    def __bool__(self) -> bool:
        events = self.forgotten or self.events or self.gathered
        return bool(events or self.evaluations or self.logs or self.more)


class TriggerRepository:
    """Keeps the states of triggers. Their rows come and go with the revisions of their flows."""

    def __init__(self, database: Database, *, schedules_alone: bool = False) -> None:
        """With ``schedules_alone`` nothing is claimed that needs a worker."""
        self._database = database
        self._claim_due = statements.CLAIM_DUE_SCHEDULES if schedules_alone else statements.CLAIM_DUE
        self._next_due = statements.NEXT_DUE_SCHEDULE if schedules_alone else statements.NEXT_DUE

    # ---------------------------------------------------------------- evaluation

    async def claim_due(self, lease: str, until: datetime, now: datetime, limit: int) -> list[TriggerState]:
        """Take triggers that are due, the most overdue first. ``lease`` must never have been used before."""
        taken = await self._database.execute(
            self._claim_due, (lease, to_micros(until), to_micros(now), limit)
        )
        if not taken:
            return []
        return [_state(row) for row in await self._database.fetch(statements.CLAIMED, (lease,))]

    async def next_due(self) -> datetime | None:
        """When the next trigger is due, or overdue; None when none will be."""
        ((due,),) = await self._database.fetch(self._next_due)
        return None if due is None else from_micros(due)

    async def flows_due(
        self, since: datetime, until: datetime, limit: int
    ) -> list[tuple[tuple[str, str, str], int]]:
        """Flows that have a trigger due in a span of time: tenant, namespace and id, and the revision."""
        rows = await self._database.fetch(_FLOWS_DUE, (to_micros(since), to_micros(until), limit))
        return [
            ((tenant_id, namespace, flow_id), revision) for tenant_id, namespace, flow_id, revision in rows
        ]

    async def renew(self, lease: str, until: datetime) -> bool:
        """Keep what a lease holds for longer; False when that is lost, or was disabled."""
        return bool(await self._database.execute(statements.RENEW, (to_micros(until), lease)))

    async def release_workers(self, now: datetime) -> int:
        """Make due at once what workers look at or listen to; returns how many triggers that were.

        For the start of the process that owns all workers: those of its former life are gone, and nobody
        needs to wait for the end of their leases.
        """
        at = to_micros(now)
        return await self._database.execute(statements.RELEASE_WORKERS, (at, at))

    async def commit(self, batch: TriggerBatch, now: datetime) -> set[str]:
        """Write a round, all of it or nothing; returns the ids of the executions and gathered events.

        Of events with the same key the first is taken, whenever and by whomever it was seen.
        """
        if not batch:
            return set()
        at = to_micros(now)
        seen: dict[tuple[TriggerKey, str], TriggerEvent] = {}
        for event in batch.events:
            seen.setdefault((event.key, event.event), event)
        events = list(seen.values())
        evaluations = list({each.state.key: each for each in batch.evaluations}.values())
        writes = [
            Write(statements.FORGET_KEYS, [_forgotten_row(keys) for keys in batch.forgotten]),
            Write(
                statements.TAKE_EVENTS,
                [
                    *(_event_row(event, at) for event in events),
                    *(offered_row(event) for event in batch.gathered),
                ],
            ),
            Write(statements.INSERT_FIRED, [execution_row(event.execution) for event in events]),
            Write(
                statements.INSERT_FIRED_LABELS,
                [row for event in events for row in label_rows(event.execution)],
            ),
            Write(statements.INSERT_FIRED_LOGS, [log_row(line) for event in events for line in event.logs]),
            Write(INSERT_TAKEN, [batched_row(event) for event in batch.gathered]),
            Write(statements.EVALUATED, [_evaluation_row(each, at) for each in evaluations]),
            Write(INSERT_LOGS, [log_row(line) for line in batch.logs]),
            *batch.more,
        ]
        await self._database.write([write for write in writes if write.rows])
        return await self._taken(
            [*(event.execution.id for event in events), *(event.id for event in batch.gathered)]
        )

    async def _taken(self, ids: list[str]) -> set[str]:
        found: set[str] = set()
        for begin in range(0, len(ids), 500):
            some = ids[begin : begin + 500]
            marks = ", ".join("?" * len(some))
            rows = await self._database.fetch(
                sql(f"SELECT execution_id FROM trigger_events WHERE execution_id IN ({marks})"), some
            )
            found.update(row[0] for row in rows)
        return found

    async def is_held(self, lease: str) -> bool:
        """Whether a lease still holds its trigger: then all that was written under it counts."""
        return bool(await self._database.fetch(statements.IS_HELD, (lease,)))

    async def execution_of(self, key: TriggerKey, event: str) -> str | None:
        """The id of the execution that an event has started, or its own while it waits for others.

        None when it is not known.
        """
        rows = await self._database.fetch(_EVENT, (*key, event))
        return rows[0][0] if rows else None

    async def held_by_ended(self) -> list[Ended]:
        """Triggers that wait for an execution which is over."""
        rows = await self._database.fetch(statements.HELD_BY_ENDED)
        return [Ended(TriggerKey(*key), execution_id) for *key, execution_id in rows]

    async def release(self, ended: Iterable[Ended], now: datetime) -> None:
        """Let triggers fire again whose execution is over."""
        at = to_micros(now)
        rows: list[Row] = [(*each.key, each.execution_id, at, at) for each in ended]
        if rows:
            await self._database.write([Write(statements.RELEASE, rows)])

    async def slots(self, key: TriggerKey, start: datetime, end: datetime) -> dict[datetime, SlotRun]:
        """What was started for the dates of a schedule from ``start`` to ``end``, both included."""
        rows = await self._database.fetch(_SLOTS, (*key, to_micros(start), to_micros(end)))
        return {
            from_micros(slot): SlotRun(execution_id, None if state is None else StateType(state))
            for slot, execution_id, state in rows
        }

    async def not_ended(self, execution_ids: Sequence[str]) -> set[str]:
        """Those of some executions that are there and have not ended."""
        if not execution_ids:
            return set()
        marks = ", ".join("?" * len(execution_ids))
        rows = await self._database.fetch(
            sql(f"SELECT id FROM executions WHERE id IN ({marks}) AND state NOT IN ({ENDED})"), execution_ids
        )
        return {row[0] for row in rows}

    async def forget_events(self, before: datetime) -> int:
        """Forget events of before an instant: one that comes again starts an execution again."""
        return await self._database.execute(_FORGET_EVENTS, (to_micros(before),))

    # ---------------------------------------------------------------- what people ask for

    async def get(self, key: TriggerKey) -> TriggerState | None:
        rows = await self._database.fetch(_GET, key)
        return _state(rows[0]) if rows else None

    async def get_all(self, keys: Sequence[TriggerKey]) -> list[TriggerState]:
        """The states of those of some triggers that have one, in no order."""
        if not keys:
            return []
        marks = ", ".join(["(?, ?, ?, ?)"] * len(keys))
        statement = sql(f"{statements.SELECT_STATES} WHERE ({', '.join(KEY_COLUMNS)}) IN (VALUES {marks})")
        rows = await self._database.fetch(statement, [part for key in keys for part in key])
        return [_state(row) for row in rows]

    async def of_flow(self, tenant_id: str, namespace: str, flow_id: str) -> list[TriggerState]:
        """The triggers of a flow by their ids."""
        rows = await self._database.fetch(
            sql(
                f"{statements.SELECT_STATES} WHERE tenant_id = ? AND namespace = ? AND flow_id = ? "
                "ORDER BY trigger_id"
            ),
            (tenant_id, namespace, flow_id),
        )
        return [_state(row) for row in rows]

    async def change(self, changes: Sequence[TriggerChange], now: datetime) -> None:
        """Do to triggers what people or tasks want done, in one transaction.

        Those that have no state (any more) are left out.
        """
        if changes:
            await self._database.write(change_writes(changes, now))

    async def search(self, query: TriggerQuery) -> Page[TriggerState]:
        """One page of the triggers that meet the conditions, and how many do.

        Raises:
            InvalidFilter: a condition cannot be searched for.
        """
        await load_search()
        from sqlalchemy import select

        from windhover.repository.searching import (
            all_match,
            all_of,
            fetch_page,
            occurs_in_any,
            ordered,
            within,
        )
        from windhover.repository.tables import triggers

        c = triggers.c
        conditions = all_of(
            (
                c.tenant_id == query.tenant_id,
                occurs_in_any((c.trigger_id, c.flow_id, c.namespace), query.text),
                all_match(c.namespace, query.namespace),
                all_match(c.flow_id, query.flow_id),
                all_match(c.trigger_id, query.trigger_id),
                all_match(c.worker_id, query.worker_id),
                _disabled(c.disabled, c.active, query.disabled),
                _locked(c.execution_id, query.locked),
                within(c.next_date, query.next_date),
                within(c.last_triggered, query.last_triggered),
            )
        )
        columns: dict[TriggerSort, ColumnElement[Any]] = {
            TriggerSort.TRIGGER_ID: c.trigger_id,
            TriggerSort.FLOW_ID: c.flow_id,
            TriggerSort.NAMESPACE: c.namespace,
            TriggerSort.NEXT_DATE: c.next_date,
            TriggerSort.LAST_TRIGGERED: c.last_triggered,
            TriggerSort.EXECUTION_ID: c.execution_id,
        }
        rows, total = await fetch_page(
            self._database,
            select(*(c[name] for name in statements.STATE_COLUMNS)).where(conditions),
            [
                ordered(columns[query.sort], descending=query.descending, nullable=True),
                *(ordered(column, descending=False) for column in (c.namespace, c.flow_id, c.trigger_id)),
            ],
            query.paging,
        )
        return Page([_state(row) for row in rows], total)


def _disabled(
    disabled: ColumnElement[Any], active: ColumnElement[Any], wanted: bool | None
) -> ColumnElement[bool] | None:
    from sqlalchemy import and_, or_

    if wanted is None:
        return None
    if wanted:
        return or_(disabled.is_(True), active.is_(False))
    return and_(disabled.is_(False), active.is_(True))


def _locked(column: ColumnElement[Any], locked: bool | None) -> ColumnElement[bool] | None:
    if locked is None:
        return None
    return column.is_not(None) if locked else column.is_(None)


def _event_row(event: TriggerEvent, at: int) -> Row:
    return (*event.key, event.event, event.execution.id, to_micros(event.slot), at, event.lease)


def _forgotten_row(keys: ForgottenKeys) -> Row:
    beyond = keys.prefix[:-1] + chr(ord(keys.prefix[-1]) + 1)
    return (*keys.key, keys.prefix, beyond, keys.lease)


def _evaluation_row(evaluation: Evaluation, at: int) -> Row:
    state = evaluation.state
    return (
        *state.key,
        state.lease,
        at,
        to_micros(evaluation.due),
        to_micros(evaluation.next_date),
        to_micros(evaluation.last_triggered),
        evaluation.execution_id,
        evaluation.worker_id,
        evaluation.lease,
        json_text(evaluation.memory),
    )


def _state(row: Row) -> TriggerState:
    (
        tenant_id,
        namespace,
        flow_id,
        trigger_id,
        kind,
        flow_revision,
        fingerprint,
        active,
        disabled,
        updated,
        due,
        next_date,
        last_triggered,
        execution_id,
        worker_id,
        lease,
        data,
    ) = row
    return TriggerState(
        key=TriggerKey(tenant_id, namespace, flow_id, trigger_id),
        kind=kind,
        flow_revision=flow_revision,
        fingerprint=fingerprint,
        active=bool(active),
        disabled=bool(disabled),
        updated=from_micros(updated),
        memory=_memory_decoder.decode(data),
        due=None if due is None else from_micros(due),
        next_date=None if next_date is None else from_micros(next_date),
        last_triggered=None if last_triggered is None else from_micros(last_triggered),
        execution_id=execution_id,
        worker_id=worker_id,
        lease=lease,
    )
