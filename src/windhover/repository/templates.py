"""Templates: lists of tasks that several flows take in, from before there were subflows.

Documentation page: ``docs/templates.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from windhover.model.execution import JsonValue
from windhover.model.yaml.document import read_document
from windhover.repository.database import Database
from windhover.repository.instants import from_micros, to_micros
from windhover.repository.statement import Write, sql, upsert

TEMPLATE_COLUMNS = {
    "tenant_id": "text",
    "namespace": "text",
    "id": "text",
    "updated": "bigint",
    "source": "text",
}

_PUT = upsert("templates", TEMPLATE_COLUMNS, ["tenant_id", "namespace", "id"])
_ALL = sql("SELECT source, updated FROM templates WHERE tenant_id = ?")
_DELETE = sql("DELETE FROM templates WHERE tenant_id = ? AND namespace = ? AND id = ?")

_Key = tuple[str, str]


class TemplateRecord(msgspec.Struct, frozen=True):
    """A template as it is stored: its text, and the map that this stands for."""

    namespace: str
    id: str
    source: str
    written: Mapping[str, JsonValue]
    updated: datetime


class Templates:
    """The templates of one tenant, kept in memory for reading flows, which may be done in any thread."""

    def __init__(self, database: Database, tenant_id: str) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._records: Mapping[_Key, TemplateRecord] = {}

    async def load(self) -> None:
        """Read all templates anew."""
        rows = await self._database.fetch(_ALL, (self._tenant_id,))
        records = [_record(source, from_micros(updated)) for source, updated in rows]
        self._records = {(record.namespace, record.id): record for record in records}

    async def put(self, source: str, now: datetime) -> TemplateRecord:
        """Store the text of a checked template, whatever was there under its name."""
        record = _record(source, now)
        row = (self._tenant_id, record.namespace, record.id, to_micros(now), source)
        await self._database.write([Write(_PUT, [row])])
        self._records = {**self._records, (record.namespace, record.id): record}
        return record

    async def delete(self, namespace: str, template_id: str) -> bool:
        """Delete a template; False when there is none."""
        deleted = await self._database.execute(_DELETE, (self._tenant_id, namespace, template_id))
        gone = (namespace, template_id)
        self._records = {key: record for key, record in self._records.items() if key != gone}
        return bool(deleted)

    def get(self, namespace: str, template_id: str) -> TemplateRecord | None:
        """A template by its name."""
        return self._records.get((namespace, template_id))

    def all(self) -> Sequence[TemplateRecord]:
        """All templates, by namespace and id."""
        return [record for _, record in sorted(self._records.items())]


def _record(source: str, updated: datetime) -> TemplateRecord:
    written = read_document(source).value
    return TemplateRecord(str(written["namespace"]), str(written["id"]), source, written, updated)
