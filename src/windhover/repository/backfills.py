"""Backfills: dates of a schedule that are run after the fact, each backfill with a cursor of its own.

Documentation page: ``docs/triggers.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from windhover.model.trigger_state import Backfill, TriggerKey
from windhover.repository import trigger_statements as statements
from windhover.repository.database import Database
from windhover.repository.instants import from_micros, to_micros
from windhover.repository.records import json_text
from windhover.repository.statement import BulkStatement, Row, Write, sql

_decoder = msgspec.json.Decoder(Backfill)

_SELECT = "SELECT version, data FROM backfills"
_ACTIVE = sql(f"{_SELECT} WHERE {statements.THIS_TRIGGER} AND NOT ended")
_OF_FLOW = sql(
    f"{_SELECT} WHERE tenant_id = ? AND namespace = ? AND flow_id = ? AND NOT ended ORDER BY trigger_id"
)
_ALL_OF = sql(f"{_SELECT} WHERE {statements.THIS_TRIGGER} ORDER BY id")
_GET = sql(f"{_SELECT} WHERE id = ?")
_DUE = sql(f"{_SELECT} WHERE due <= ? ORDER BY due LIMIT ?")
_NEXT_DUE = sql("SELECT min(due) FROM backfills WHERE due IS NOT NULL")
_WAKE = sql("UPDATE backfills SET due = ? WHERE NOT ended AND (due IS NULL OR due > ?)")
_UPDATE = sql(
    "UPDATE backfills SET version = version + 1, ended = ?, due = ?, data = ? WHERE id = ? AND version = ?"
)

_UPDATED_COLUMNS = {
    "id": "text",
    "version": "integer",
    "ended": "boolean",
    "due": "bigint",
    "data": "text",
}
_UPDATE_ALL = BulkStatement(
    table="backfills",
    sqlite=(
        "UPDATE backfills SET version = version + 1, ended = ?3, due = ?4, data = ?5 "
        "WHERE id = ?1 AND version = ?2"
    ),
    postgresql=(
        "UPDATE backfills SET version = backfills.version + 1, ended = c.ended, due = c.due, data = c.data "
        f"FROM {statements.unnested(_UPDATED_COLUMNS, 'c')} "
        "WHERE backfills.id = c.id AND backfills.version = c.version"
    ),
)


class StoredBackfill(msgspec.Struct, frozen=True):
    """A backfill and the version that it was read in."""

    backfill: Backfill
    version: int


class BackfillRepository:
    """Keeps backfills. A change says which version it was made from, and fails if that is not the last."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, backfill: Backfill, now: datetime) -> None:
        """Keep a new backfill; it is due at once."""
        row = (backfill.id, *backfill.key, 1, False, to_micros(now), json_text(backfill))
        await self._database.write([Write(statements.INSERT_BACKFILL, [row])])

    async def active(self, key: TriggerKey) -> StoredBackfill | None:
        """The backfill of a trigger that has not ended, if there is one."""
        found = _stored(await self._database.fetch(_ACTIVE, key))
        return found[0] if found else None

    async def active_of_all(self, keys: Sequence[TriggerKey]) -> list[StoredBackfill]:
        """The backfills of some triggers that have not ended, in no order."""
        if not keys:
            return []
        marks = ", ".join(["(?, ?, ?, ?)"] * len(keys))
        columns = ", ".join(statements.KEY_COLUMNS)
        found = await self._database.fetch(
            sql(f"{_SELECT} WHERE ({columns}) IN (VALUES {marks}) AND NOT ended"),
            [part for key in keys for part in key],
        )
        return _stored(found)

    async def active_of_flow(self, tenant_id: str, namespace: str, flow_id: str) -> list[StoredBackfill]:
        return _stored(await self._database.fetch(_OF_FLOW, (tenant_id, namespace, flow_id)))

    async def all_of(self, key: TriggerKey) -> list[Backfill]:
        """All backfills of a trigger, the oldest first, those that ended too."""
        return [stored.backfill for stored in _stored(await self._database.fetch(_ALL_OF, key))]

    async def get(self, id: str) -> StoredBackfill | None:
        found = _stored(await self._database.fetch(_GET, (id,)))
        return found[0] if found else None

    async def due(self, now: datetime, limit: int) -> list[StoredBackfill]:
        return _stored(await self._database.fetch(_DUE, (to_micros(now), limit)))

    async def next_due(self) -> datetime | None:
        ((due,),) = await self._database.fetch(_NEXT_DUE)
        return None if due is None else from_micros(due)

    async def wake(self, now: datetime) -> None:
        """Look at all that wait: their executions may have ended while nobody looked."""
        at = to_micros(now)
        await self._database.execute(_WAKE, (at, at))

    async def update(self, stored: StoredBackfill, changed: Backfill, due: datetime | None) -> bool:
        """Change a backfill; False, and nothing is changed, when somebody else was first."""
        ended = changed.ended is not None
        parameters: Row = (
            ended,
            None if ended or changed.paused else to_micros(due),
            json_text(changed),
            changed.id,
            stored.version,
        )
        return bool(await self._database.execute(_UPDATE, parameters))

    async def update_all(
        self, changes: Sequence[tuple[StoredBackfill, Backfill]], due: datetime | None
    ) -> set[str]:
        """Change many backfills in one transaction, each as :meth:`update` does.

        Returns the ids of those that were changed.
        """
        if not changes:
            return set()
        written = {changed.id: (stored, json_text(changed)) for stored, changed in changes}
        rows: list[Row] = [
            (
                changed.id,
                stored.version,
                changed.ended is not None,
                None if changed.ended is not None or changed.paused else to_micros(due),
                written[changed.id][1],
            )
            for stored, changed in changes
        ]
        await self._database.write([Write(_UPDATE_ALL, rows)])
        marks = ", ".join("?" * len(written))
        found = await self._database.fetch(
            sql(f"SELECT id, version, data FROM backfills WHERE id IN ({marks})"), list(written)
        )
        return {
            id_
            for id_, version, data in found
            if (version, data) == (written[id_][0].version + 1, written[id_][1])
        }

    async def delete(self, id: str) -> None:
        await self._database.write([Write(statements.DELETE_BACKFILLS, [(id,)])])


def _stored(rows: Sequence[Row]) -> list[StoredBackfill]:
    return [StoredBackfill(_decoder.decode(data), version) for version, data in rows]
