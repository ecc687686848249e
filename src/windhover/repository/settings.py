"""Small things that servers must agree on, by name.

Documentation page: ``docs/databases.md``.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from windhover.model.execution import JsonValue
from windhover.repository.database import Database
from windhover.repository.instants import to_micros
from windhover.repository.records import json_text
from windhover.repository.statement import Write, sql, upsert

SETTING_COLUMNS = {"key": "text", "value": "text", "updated": "bigint"}

_PUT = upsert("settings", SETTING_COLUMNS, ["key"])
_PUT_IF_ABSENT = upsert("settings", SETTING_COLUMNS, ["key"], [])
_GET = sql("SELECT value FROM settings WHERE key = ?")
_ALL = sql("SELECT key, value FROM settings ORDER BY key")
_DELETE = sql("DELETE FROM settings WHERE key = ?")


class SettingRepository:
    """Values by name. A value is anything that JSON can say."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: str) -> JsonValue:
        """The value of a name; None when it has none."""
        rows = await self._database.fetch(_GET, (key,))
        return msgspec.json.decode(rows[0][0]) if rows else None

    async def put(self, key: str, value: JsonValue, now: datetime) -> None:
        """Give a name a value, whatever it had."""
        await self._database.write([Write(_PUT, [(key, json_text(value), to_micros(now))])])

    async def put_if_absent(self, key: str, value: JsonValue, now: datetime) -> JsonValue:
        """Give a name a value unless it has one; return the one it has now.

        Of several servers that start at once all get the value of the first.
        """
        await self._database.write([Write(_PUT_IF_ABSENT, [(key, json_text(value), to_micros(now))])])
        return await self.get(key)

    async def delete(self, key: str) -> bool:
        """Take a name's value away; False when it had none."""
        return bool(await self._database.execute(_DELETE, (key,)))

    async def all(self) -> dict[str, JsonValue]:
        """All values by name."""
        return {key: msgspec.json.decode(value) for key, value in await self._database.fetch(_ALL)}
