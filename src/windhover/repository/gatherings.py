"""What Flow triggers have gathered, kept across restarts.

It is written in the commits of the executor, together with the executions that follow from it.

Documentation page: ``docs/flow-triggers.md``.
"""

from __future__ import annotations

import msgspec

from windhover.model.gathered import Gathered, GatheringKey, KeptGathering
from windhover.repository.database import Database
from windhover.repository.instants import from_micros, to_micros
from windhover.repository.records import json_text
from windhover.repository.statement import Row, delete, sql, upsert

_KEY_COLUMNS = {
    "tenant_id": "text",
    "namespace": "text",
    "flow_id": "text",
    "trigger_id": "text",
    "gathering_id": "text",
}
GATHERING_COLUMNS = {**_KEY_COLUMNS, "due": "bigint", "data": "text"}
UPSERT_GATHERINGS = upsert("gatherings", GATHERING_COLUMNS, list(_KEY_COLUMNS))
DELETE_GATHERINGS = delete("gatherings", _KEY_COLUMNS)

_THIS = "tenant_id = ? AND namespace = ? AND flow_id = ? AND trigger_id = ? AND gathering_id = ?"
_GET = sql(f"SELECT data FROM gatherings WHERE {_THIS}")
_ALL = sql(f"SELECT {', '.join(GATHERING_COLUMNS)} FROM gatherings")

_decoder = msgspec.json.Decoder(Gathered)


class GatheringRepository:
    """Reads what was gathered; the executor's commits write it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: GatheringKey) -> Gathered | None:
        """What was gathered under a key; None when nothing was."""
        rows = await self._database.fetch(_GET, key)
        return _decoder.decode(rows[0][0]) if rows else None

    async def all(self) -> list[KeptGathering]:
        """Everything that is kept: a row or two for each Flow trigger that waits for several executions."""
        return [
            KeptGathering(
                GatheringKey(*key), _decoder.decode(data), None if due is None else from_micros(due)
            )
            for *key, due, data in await self._database.fetch(_ALL)
        ]


def gathering_row(kept: KeptGathering) -> Row:
    """The columns of ``GATHERING_COLUMNS``."""
    return (*kept.key, to_micros(kept.due), json_text(kept.gathered))
