"""The records of namespaces: kept in the database, and in memory for expressions and for reading flows.

Documentation page: ``docs/namespaces.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from windhover.model.execution import JsonValue
from windhover.model.namespace import NamespaceRecord
from windhover.model.plugin_default import PluginDefault
from windhover.repository.database import Database
from windhover.repository.instants import to_micros
from windhover.repository.statement import Write, sql, upsert
from windhover.util.namespaces import parents

NAMESPACE_COLUMNS = {"tenant_id": "text", "id": "text", "updated": "bigint", "data": "text"}

_PUT = upsert("namespaces", NAMESPACE_COLUMNS, ["tenant_id", "id"])
_ALL = sql("SELECT data FROM namespaces WHERE tenant_id = ?")
_DELETE = sql("DELETE FROM namespaces WHERE tenant_id = ? AND id = ?")


class Namespaces:
    """The described namespaces of one tenant.

    Reading is from memory, so that the engine may do it, and safe in any thread: the map of records is
    replaced, never changed. There are as many records as people write by hand.
    """

    def __init__(self, database: Database, tenant_id: str) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._records: Mapping[str, NamespaceRecord] = {}
        self._variables: dict[str, Mapping[str, JsonValue]] = {}

    async def load(self) -> None:
        """Read all records anew."""
        rows = await self._database.fetch(_ALL, (self._tenant_id,))
        records = [NamespaceRecord.model_validate_json(data) for (data,) in rows]
        self._replace({record.id: record for record in records})

    async def put(self, record: NamespaceRecord, now: datetime) -> None:
        """Create a record, or replace the one of this namespace."""
        data = record.model_dump_json(by_alias=True, exclude_unset=True)
        await self._database.write([Write(_PUT, [(self._tenant_id, record.id, to_micros(now), data)])])
        self._replace({**self._records, record.id: record})

    async def delete(self, namespace: str) -> bool:
        """Forget what is declared for a namespace; False when nothing is."""
        deleted = await self._database.execute(_DELETE, (self._tenant_id, namespace))
        self._replace({id: record for id, record in self._records.items() if id != namespace})
        return bool(deleted)

    def get(self, namespace: str) -> NamespaceRecord | None:
        """What is declared for a namespace itself."""
        return self._records.get(namespace)

    def ids(self) -> Sequence[str]:
        """The namespaces that have a record, sorted."""
        return sorted(self._records)

    def around(self, namespace: str) -> Sequence[NamespaceRecord]:
        """The records of a namespace and of those around it, from the inside out."""
        records = self._records
        return [records[id] for id in (namespace, *parents(namespace)) if id in records]

    def variables(self, namespace: str) -> Mapping[str, JsonValue]:
        """What flows of a namespace read as ``namespace``: inner values before outer ones, maps merged."""
        # Taken before the records are read: what another thread replaces meanwhile is not kept for ever.
        known = self._variables
        found = known.get(namespace)
        if found is None:
            found = {}
            for record in reversed(self.around(namespace)):
                found = _merged(found, record.variables)
            known[namespace] = found
        return found

    def plugin_defaults(self, namespace: str) -> Sequence[Sequence[PluginDefault]]:
        """The plugin defaults for flows of a namespace, from the innermost level to the outermost."""
        return [record.plugin_defaults for record in self.around(namespace) if record.plugin_defaults]

    def _replace(self, records: Mapping[str, NamespaceRecord]) -> None:
        self._records = records
        self._variables = {}


def _merged(outer: Mapping[str, JsonValue], inner: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    merged = dict(outer)
    for name, value in inner.items():
        below = merged.get(name)
        if isinstance(below, dict) and isinstance(value, dict):
            value = _merged(below, value)
        merged[name] = value
    return merged
