"""The server components that run, and when each last gave a sign of life.

Documentation page: ``docs/databases.md``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec

from windhover.model.execution import JsonValue
from windhover.repository.database import Database
from windhover.repository.instants import from_micros, to_micros
from windhover.repository.records import json_text
from windhover.repository.statement import Row, Statement, Write, sql, upsert

SERVICE_COLUMNS = {
    "id": "text",
    "type": "text",
    "state": "text",
    "created": "bigint",
    "heartbeat": "bigint",
    "data": "text",
}
_SELECT = f"SELECT {', '.join(SERVICE_COLUMNS)} FROM services"

_REGISTER = upsert("services", SERVICE_COLUMNS, ["id"])
_GET = sql(f"{_SELECT} WHERE id = ?")
_ALL = sql(f"{_SELECT} ORDER BY created, id")
_DELETE_OLD = "DELETE FROM services WHERE heartbeat < ? AND state IN ({marks})"
_BEAT = sql("UPDATE services SET heartbeat = ?, data = ? WHERE id = ? AND state = ?")


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """One run of one component. ``data`` is what else is to be known of it: host, version, metrics."""

    id: str
    type: str
    state: str
    created: datetime
    heartbeat: datetime
    data: dict[str, JsonValue] = field(default_factory=dict)


class ServiceRepository:
    """Keeps the components and their heartbeats. What the states mean is the server's business."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def register(self, service: ServiceRecord) -> None:
        """Write a component down, or write over what was there of it."""
        await self._database.write([Write(_REGISTER, [_row(service)])])

    async def heartbeat(self, service: ServiceRecord, now: datetime) -> ServiceRecord | None:
        """Note a sign of life, and return the record as it is now.

        None when the component is no more in the state it believes to be in, because another has declared
        it dead: it must stop working.
        """
        beaten = replace(service, heartbeat=now)
        changed = await self._database.execute(
            _BEAT, (to_micros(now), json_text(service.data), service.id, service.state)
        )
        return beaten if changed else None

    async def transition(self, service_id: str, states: Collection[str], to: str) -> bool:
        """Put a component into another state if it is in one of ``states``; False when it is not.

        Of several that ask for the same change at once, one gets True: that one acts on it. The heartbeat
        stays as it is.
        """
        statement = _with_states("UPDATE services SET state = ? WHERE id = ? AND state IN ({marks})", states)
        return bool(await self._database.execute(statement, (to, service_id, *sorted(states))))

    async def get(self, service_id: str) -> ServiceRecord | None:
        rows = await self._database.fetch(_GET, (service_id,))
        return _record(rows[0]) if rows else None

    async def all(self) -> list[ServiceRecord]:
        """All components, the oldest first."""
        return [_record(row) for row in await self._database.fetch(_ALL)]

    async def silent_since(self, instant: datetime, states: Collection[str]) -> list[ServiceRecord]:
        """Components in one of ``states`` whose last sign of life is older, the longest silent first."""
        rows = await self._database.fetch(
            _with_states(
                f"{_SELECT} WHERE heartbeat < ? AND state IN ({{marks}}) ORDER BY heartbeat", states
            ),
            (to_micros(instant), *sorted(states)),
        )
        return [_record(row) for row in rows]

    async def forget(self, before: datetime, states: Collection[str]) -> int:
        """Delete components in one of ``states`` whose last sign of life is older; how many there were."""
        return await self._database.execute(
            _with_states(_DELETE_OLD, states), (to_micros(before), *sorted(states))
        )


def _with_states(text: str, states: Collection[str]) -> Statement:
    return sql(text.format(marks=", ".join("?" * len(states))))


def _row(service: ServiceRecord) -> Row:
    return (
        service.id,
        service.type,
        service.state,
        to_micros(service.created),
        to_micros(service.heartbeat),
        json_text(service.data),
    )


def _record(row: Row) -> ServiceRecord:
    id_, type_, state, created, heartbeat, data = row
    return ServiceRecord(
        id_, type_, state, from_micros(created), from_micros(heartbeat), msgspec.json.decode(data)
    )
