"""Events that are gathered until one execution starts for many of them.

First a batch is settled: its events are marked with the id of the execution they are going to have. Then that
execution is written and the events deleted, in one transaction. Whoever finds a batch that is settled, after
a crash or in another process, comes to the same execution, and only the first to commit writes it. Neither is
done while the trigger is disabled.

Documentation pages: ``docs/webhooks.md`` and ``docs/triggers.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from windhover.model.execution import Execution, JsonValue
from windhover.model.log import LogEntry
from windhover.model.trigger_state import TriggerKey
from windhover.repository.database import Database
from windhover.repository.instants import from_micros, to_micros
from windhover.repository.records import execution_row, json_text, label_rows, log_row
from windhover.repository.statement import BulkStatement, Row, Write, delete, insert, sql
from windhover.repository.statements import EXECUTION_COLUMNS, LABEL_COLUMNS, LOG_COLUMNS
from windhover.repository.trigger_statements import KEY_COLUMNS, TAKE_EVENTS, THIS_TRIGGER, guarded
from windhover.util.turn import Turn

BATCHED_COLUMNS = {
    "id": "text",
    **KEY_COLUMNS,
    "batch_id": "text",
    "size": "bigint",
    "received": "bigint",
    "due": "bigint",
    "data": "text",
}
_INSERT = insert("batched_events", BATCHED_COLUMNS)
#: An event that is taken; with a name it is not when one with the same name came before.
INSERT_TAKEN = guarded("batched_events", BATCHED_COLUMNS, "id")
_EVENT = sql(
    "SELECT execution_id, EXISTS (SELECT 1 FROM batched_events AS b WHERE b.id = execution_id) "
    f"FROM trigger_events WHERE {THIS_TRIGGER} AND key = ?"
)

_TRIGGERS = sql(f"SELECT DISTINCT {', '.join(KEY_COLUMNS)} FROM batched_events WHERE batch_id IS NULL")
_WAITING = sql(
    "SELECT count(*), CAST(coalesce(sum(size), 0) AS bigint), min(due) FROM batched_events "
    f"WHERE {THIS_TRIGGER} AND batch_id IS NULL"
)
_FIRST = sql(
    f"SELECT id, size, due FROM batched_events WHERE {THIS_TRIGGER} AND batch_id IS NULL "
    "ORDER BY received, id LIMIT ?"
)
#: Nobody has disabled the trigger of the event ``e``; that of a webhook has no state.
_ENABLED = (
    "NOT EXISTS (SELECT 1 FROM triggers AS t WHERE t.tenant_id = e.tenant_id AND t.namespace = e.namespace "
    "AND t.flow_id = e.flow_id AND t.trigger_id = e.trigger_id AND t.disabled)"
)
_DISABLED = sql(f"SELECT EXISTS (SELECT 1 FROM triggers WHERE {THIS_TRIGGER} AND disabled)")
#: Events that another process settles at this moment are left to it.
_SETTLE = BulkStatement(
    table="batched_events",
    sqlite=f"UPDATE batched_events AS e SET batch_id = ? WHERE id = ? AND batch_id IS NULL AND {_ENABLED}",
    postgresql=(
        "UPDATE batched_events SET batch_id = s.batch_id FROM "
        "(SELECT e.id, g.batch_id FROM batched_events AS e "
        "JOIN unnest($1::text[], $2::text[]) AS g (batch_id, id) ON e.id = g.id "
        f"WHERE e.batch_id IS NULL AND {_ENABLED} ORDER BY e.id FOR UPDATE OF e SKIP LOCKED) AS s "
        "WHERE batched_events.id = s.id"
    ),
)
_SETTLED = sql(
    f"SELECT DISTINCT batch_id, {', '.join(KEY_COLUMNS)} FROM batched_events WHERE batch_id IS NOT NULL"
)
_EVENTS_OF = sql("SELECT data FROM batched_events WHERE batch_id = ? ORDER BY received, id")

_BATCH = ("batched_events", "batch_id")
_INSERT_EXECUTION = guarded("executions", EXECUTION_COLUMNS, "id", _BATCH, _ENABLED)
_INSERT_LABELS = guarded("execution_labels", LABEL_COLUMNS, "execution_id", _BATCH, _ENABLED)
_INSERT_LOGS = guarded("logs", LOG_COLUMNS, "execution_id", _BATCH, _ENABLED)
_IS_WRITTEN = "EXISTS (SELECT 1 FROM executions AS x WHERE x.id = {0})"
#: A delivery that comes again is answered with the execution that it became a part of.
_NAME_EXECUTION = BulkStatement(
    table="trigger_events",
    sqlite=(
        "UPDATE trigger_events SET execution_id = ?1 WHERE execution_id IN "
        f"(SELECT id FROM batched_events WHERE batch_id = ?1 AND {_IS_WRITTEN.format('?1')})"
    ),
    postgresql=(
        "UPDATE trigger_events SET execution_id = b.batch_id FROM batched_events AS b "
        "WHERE b.batch_id = ANY($1::text[]) AND trigger_events.execution_id = b.id "
        f"AND {_IS_WRITTEN.format('b.batch_id')}"
    ),
    reads=("batched_events", "executions"),
)
_DELETE_STARTED = BulkStatement(
    table="batched_events",
    sqlite=f"DELETE FROM batched_events WHERE batch_id = ?1 AND {_IS_WRITTEN.format('?1')}",
    postgresql=(
        "DELETE FROM batched_events WHERE batch_id = ANY($1::text[]) "
        f"AND {_IS_WRITTEN.format('batched_events.batch_id')}"
    ),
    reads=("executions",),
)
_STATE = sql("SELECT state FROM executions WHERE id = ?")
_DELETE_BATCH = delete("batched_events", {"batch_id": "text"})
_DELETE_WAITING = sql(f"DELETE FROM batched_events WHERE {THIS_TRIGGER} AND batch_id IS NULL")


class EventContent(msgspec.Struct, frozen=True):
    """What an event is: its variables, and the URIs of the files that were stored for it."""

    variables: dict[str, JsonValue]
    stored: list[str] = msgspec.field(default_factory=list)


class BatchedEvent(msgspec.Struct, frozen=True):
    """An event that waits for others, until ``due`` at most. ``name`` says which it is, if anything does.

    ``lease`` is that of the listener that saw it: if it has lost its trigger, the event is not taken.
    """

    id: str
    key: TriggerKey
    content: EventContent
    size: int
    received: datetime
    due: datetime
    name: str | None = None
    lease: str | None = None


class Kept(msgspec.Struct, frozen=True):
    """What an event has become: it waits under an id, or is a part of an execution already."""

    event_id: str | None = None
    execution_id: str | None = None


class Waiting(msgspec.Struct, frozen=True):
    """How many events of a trigger wait, how many bytes they are, and until when the first of them may."""

    events: int
    size: int
    due: datetime


class WaitingEvent(NamedTuple):
    """An event that waits: its id, how many bytes it is, and until when it may wait."""

    id: str
    size: int
    due: datetime


_decoder = msgspec.json.Decoder(EventContent)


class BatchedEventRepository:
    """Keeps events until their execution is written. Any number of processes may share it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, event: BatchedEvent) -> Kept:
        """Keep an event: once this returns it survives a power cut.

        One whose name was there before is not kept again; told is what the first has become. Files of an
        event that is a part of an execution already are that execution's.
        """
        if event.name is None:
            await self._database.write([Write(_INSERT, [batched_row(event)])])
            return Kept(event.id)
        await self._database.write(
            [Write(TAKE_EVENTS, [offered_row(event)]), Write(INSERT_TAKEN, [batched_row(event)])]
        )
        ((known, waits),) = await self._database.fetch(_EVENT, (*event.key, event.name))
        return Kept(event_id=known) if waits else Kept(execution_id=known)

    # ---------------------------------------------------------------- what waits

    async def triggers(self) -> list[TriggerKey]:
        """The triggers that have events which wait."""
        return [TriggerKey(*row) for row in await self._database.fetch(_TRIGGERS)]

    async def waiting(self, key: TriggerKey) -> Waiting | None:
        """What waits for a trigger; None when nothing does."""
        ((events, size, due),) = await self._database.fetch(_WAITING, key)
        return Waiting(events, size, from_micros(due)) if events else None

    async def first(self, key: TriggerKey, limit: int) -> list[WaitingEvent]:
        """The events that have waited longest, in their order."""
        rows = await self._database.fetch(_FIRST, (*key, limit))
        return [WaitingEvent(event_id, size, from_micros(due)) for event_id, size, due in rows]

    async def is_disabled(self, key: TriggerKey) -> bool:
        """Whether people or tasks have disabled a trigger: what waits for it goes on waiting."""
        ((disabled,),) = await self._database.fetch(_DISABLED, key)
        return bool(disabled)

    async def drop(self, key: TriggerKey) -> int:
        """Delete the events that wait for a trigger; returns how many there were."""
        return await self._database.execute(_DELETE_WAITING, key)

    # ---------------------------------------------------------------- batches

    async def settle(self, batch_id: str, event_ids: Sequence[str]) -> None:
        """Make events a batch. Those that others have settled meanwhile are not in it: there may be none.

        There is none when the trigger is disabled.
        """
        rows = [(batch_id, event_id) for event_id in event_ids]
        if rows:
            await self._database.write([Write(_SETTLE, rows)])

    async def settled(self) -> list[tuple[str, TriggerKey]]:
        """Batches whose execution is not written."""
        rows = await self._database.fetch(_SETTLED)
        return [(batch_id, TriggerKey(*key)) for batch_id, *key in rows]

    async def events_of(self, batch_id: str) -> list[EventContent]:
        """The events of a batch in their order; none when its execution has been written."""
        rows = await self._database.fetch(_EVENTS_OF, (batch_id,))
        turn = Turn()
        events = []
        for (data,) in rows:
            events.append(_decoder.decode(data))
            await turn.give_way()
        return events

    async def start(self, execution: Execution, logs: Sequence[LogEntry]) -> bool:
        """Write the execution of a batch, whose id it has, and delete its events.

        Nothing is written when that has been done before, or the trigger is disabled. True when the execution
        is as it was written, so that it is to begin now. ``logs`` are numbered from 1.
        """
        writes = [
            Write(_INSERT_EXECUTION, [execution_row(execution)]),
            Write(_INSERT_LABELS, label_rows(execution)),
            Write(_INSERT_LOGS, [log_row(line) for line in logs]),
            Write(_NAME_EXECUTION, [(execution.id,)]),
            Write(_DELETE_STARTED, [(execution.id,)]),
        ]
        await self._database.write([write for write in writes if write.rows])
        found = await self._database.fetch(_STATE, (execution.id,))
        return bool(found) and found[0][0] == execution.state.current.value

    async def drop_batch(self, batch_id: str) -> None:
        """Delete the events of a batch that can have no execution."""
        await self._database.write([Write(_DELETE_BATCH, [(batch_id,)])])


def event_name(event: BatchedEvent) -> str:
    """What tells an event from the others of its trigger; one without a name is like no other."""
    return event.name or f"event/{event.id}"


def offered_row(event: BatchedEvent) -> Row:
    """An event as a row of :data:`TAKE_EVENTS`."""
    return (*event.key, event_name(event), event.id, None, to_micros(event.received), event.lease)


def batched_row(event: BatchedEvent) -> Row:
    """An event as a row of ``batched_events``."""
    content = json_text(event.content)
    times = (to_micros(event.received), to_micros(event.due))
    return (event.id, *event.key, None, event.size, *times, content)
