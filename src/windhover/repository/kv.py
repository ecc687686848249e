"""The key-value store: typed values by key and namespace, in versions, with an expiry.

Documentation page: ``docs/kv.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from windhover.model.kv import KeyExists, KvEntry, KvType, KvValue, check_key
from windhover.model.purge import KeptVersion
from windhover.repository.contention import attempts
from windhover.repository.database import Database
from windhover.repository.errors import ConstraintViolated, RepositoryUnavailable
from windhover.repository.filters import FIRST_PAGE, Page, Paging, TextMatch
from windhover.repository.instants import from_micros, to_micros
from windhover.repository.lazy_search import load_search
from windhover.repository.records import json_text, storable_text
from windhover.repository.statement import BulkStatement, Row, Statement, Write, delete, insert, sql

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

KV_COLUMNS = {
    "tenant_id": "text",
    "namespace": "text",
    "key": "text",
    "version": "integer",
    "latest": "boolean",
    "deleted": "boolean",
    "type": "text",
    "value": "text",
    "description": "text",
    "created": "bigint",
    "updated": "bigint",
    "expires": "bigint",
}
_RECORD_COLUMNS = [name for name in KV_COLUMNS if name != "latest"]
_SELECT = f"SELECT {', '.join(_RECORD_COLUMNS)} FROM kv_entries"
_THIS_KEY = "tenant_id = ? AND namespace = ? AND key = ?"
_VALID = "latest AND NOT deleted AND (expires IS NULL OR expires > ?)"

_LATEST = sql(f"{_SELECT} WHERE {_THIS_KEY} AND latest")
_ALL_VALID = sql(f"{_SELECT} WHERE tenant_id = ? AND namespace = ? AND {_VALID} ORDER BY key")
_KEYS = sql(
    f"SELECT key FROM kv_entries WHERE tenant_id = ? AND namespace = ? AND {_VALID} "
    "AND substr(key, 1, ?) = ? ORDER BY key"
)
_VERSIONS = sql(
    "SELECT key, version, deleted, updated, expires FROM kv_entries "
    "WHERE tenant_id = ? AND namespace = ? ORDER BY key, version DESC"
)
_EXPIRED = sql(
    "SELECT tenant_id, namespace, key, version FROM kv_entries WHERE expires <= ? ORDER BY expires LIMIT ?"
)
_NAMESPACES = sql("SELECT DISTINCT namespace FROM kv_entries WHERE tenant_id = ? ORDER BY 1")
_NAMESPACE_EXISTS = sql(
    "SELECT "
    + " OR ".join(
        f"EXISTS (SELECT 1 FROM {table} WHERE tenant_id = ? AND latest AND NOT deleted "
        "AND (namespace = ? OR (namespace > ? AND namespace < ?)))"
        for table in ("flows", "kv_entries", "namespace_files")
    )
)
_MARK_DELETED = sql(
    f"UPDATE kv_entries SET deleted = TRUE, updated = ? WHERE {_THIS_KEY} AND {_VALID}",
)
_KEY = {"tenant_id": "text", "namespace": "text", "key": "text", "version": "integer"}
_INSERT = insert("kv_entries", KV_COLUMNS)
_SUPERSEDE = BulkStatement(
    table="kv_entries",
    sqlite=f"UPDATE kv_entries SET latest = FALSE WHERE {_THIS_KEY} AND version = ?",
    postgresql=(
        "UPDATE kv_entries SET latest = FALSE FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[]) "
        "AS old (tenant_id, namespace, key, version) WHERE kv_entries.tenant_id = old.tenant_id "
        "AND kv_entries.namespace = old.namespace AND kv_entries.key = old.key "
        "AND kv_entries.version = old.version"
    ),
)
_DELETE = delete("kv_entries", _KEY)


class KvSort(StrEnum):
    """What entries can be sorted by, and the columns for it."""

    KEY = "key"
    NAMESPACE = "namespace"
    DESCRIPTION = "description"
    CREATED = "created"
    UPDATED = "updated"
    EXPIRES = "expires"
    VERSION = "version"


class KvQuery(msgspec.Struct, frozen=True):
    """Conditions that the latest version of an entry must meet, all of them; those left out say nothing.

    ``text`` occurs in its key. Entries that have expired at ``now`` are left out.
    """

    tenant_id: str
    now: datetime
    text: str | None = None
    namespace: tuple[TextMatch, ...] = ()
    key: tuple[TextMatch, ...] = ()
    sort: KvSort = KvSort.KEY
    descending: bool = False
    paging: Paging = FIRST_PAGE


class KvRepository:
    """Keeps entries. Versions of a key count from 1; a deleted key goes on counting until it is purged."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant_id: str, namespaces: Sequence[str], key: str, now: datetime) -> KvEntry | None:
        """The entry of a key in the first of the namespaces that has it; None when none has."""
        rows = await self._database.fetch(
            _valid_in(len(namespaces)), (tenant_id, key, *namespaces, to_micros(now))
        )
        found = {entry.namespace: entry for entry in map(_entry, rows)}
        return next((found[namespace] for namespace in namespaces if namespace in found), None)

    async def put(
        self,
        tenant_id: str,
        namespace: str,
        key: str,
        content: KvValue,
        now: datetime,
        *,
        description: str | None = None,
        expires: datetime | None = None,
        overwrite: bool = True,
    ) -> KvEntry:
        """Write the next version of an entry and return it. Of several at once, each becomes a version.

        Raises:
            InvalidKey: the text cannot be a key.
            KeyExists: there is an entry, and ``overwrite`` is False.
        """
        check_key(key)
        async for _ in attempts():
            rows = await self._database.fetch(_LATEST, (tenant_id, namespace, key))
            last = _entry(rows[0]) if rows else None
            exists = last is not None and not rows[0][4] and (last.expires is None or last.expires > now)
            if exists and not overwrite:
                raise KeyExists(key)
            entry = KvEntry(
                tenant_id,
                namespace,
                key,
                1 if last is None else last.version + 1,
                content,
                last.created if last is not None and exists else now,
                now,
                description,
                expires,
            )
            if await self._append(entry, last):
                return entry
        raise RepositoryUnavailable(f"The key '{key}' of '{namespace}' is written by others all the time.")

    async def delete(self, tenant_id: str, namespace: str, key: str, now: datetime) -> bool:
        """Mark an entry as deleted; False when there is none."""
        instant = to_micros(now)
        changed = await self._database.execute(_MARK_DELETED, (instant, tenant_id, namespace, key, instant))
        return bool(changed)

    async def keys(self, tenant_id: str, namespace: str, now: datetime, prefix: str = "") -> list[str]:
        """The keys of a namespace that begin with ``prefix``, sorted."""
        row = (tenant_id, namespace, to_micros(now), len(prefix), prefix)
        return [key for (key,) in await self._database.fetch(_KEYS, row)]

    async def entries(self, tenant_id: str, namespace: str, now: datetime) -> list[KvEntry]:
        """The entries of a namespace, sorted by key."""
        rows = await self._database.fetch(_ALL_VALID, (tenant_id, namespace, to_micros(now)))
        return [_entry(row) for row in rows]

    async def search(self, query: KvQuery) -> Page[KvEntry]:
        """One page of the entries that meet the conditions, and how many do.

        Raises:
            InvalidFilter: a condition cannot be searched for.
        """
        await load_search()
        from sqlalchemy import or_, select

        from windhover.repository.searching import all_match, all_of, fetch_page, occurs_in_any, ordered
        from windhover.repository.tables import kv_entries

        c: Any = kv_entries.c
        conditions = all_of(
            (
                c.tenant_id == query.tenant_id,
                c.latest.is_(True),
                c.deleted.is_(False),
                or_(c.expires.is_(None), c.expires > to_micros(query.now)),
                occurs_in_any((c.key,), query.text),
                all_match(c.namespace, query.namespace),
                all_match(c.key, query.key),
            )
        )
        columns: list[ColumnElement[Any]] = [c[query.sort.value], c.namespace, c.key]
        rows, total = await fetch_page(
            self._database,
            select(*(c[name] for name in _RECORD_COLUMNS)).where(conditions),
            [ordered(column, descending=query.descending) for column in columns],
            query.paging,
        )
        return Page([_entry(row) for row in rows], total)

    async def namespaces(self, tenant_id: str) -> list[str]:
        """The namespaces that hold entries, deleted and expired ones too, sorted."""
        return [namespace for (namespace,) in await self._database.fetch(_NAMESPACES, (tenant_id,))]

    async def namespace_exists(self, tenant_id: str, namespace: str) -> bool:
        """Whether a namespace, or one below it, has a flow, an entry or a file."""
        one = (tenant_id, namespace, f"{namespace}.", f"{namespace}/")
        rows = await self._database.fetch(_NAMESPACE_EXISTS, one * 3)
        return bool(rows[0][0])

    async def purge(
        self, tenant_id: str, namespaces: Collection[str], doomed: Callable[[KeptVersion], bool]
    ) -> list[KeptVersion]:
        """Delete versions for good: those that ``doomed`` picks; returns them."""
        gone: list[KeptVersion] = []
        for namespace in namespaces:
            rows = await self._database.fetch(_VERSIONS, (tenant_id, namespace))
            picked = [version for version in _ranked(rows) if doomed(version)]
            if picked:
                keys: list[Row] = [(tenant_id, namespace, each.name, each.version) for each in picked]
                await self._database.write([Write(_DELETE, keys)])
            gone += picked
        return gone

    async def purge_expired(self, now: datetime, limit: int) -> int:
        """Delete up to ``limit`` versions that have expired, of all tenants; how many there were."""
        rows = await self._database.fetch(_EXPIRED, (to_micros(now), limit))
        if rows:
            await self._database.write([Write(_DELETE, [tuple(row) for row in rows])])
        return len(rows)

    async def _append(self, entry: KvEntry, last: KvEntry | None) -> bool:
        """Write the next version; False when someone else has just written it."""
        writes = [Write(_INSERT, [_row(entry)])]
        if last is not None:
            key = (entry.tenant_id, entry.namespace, entry.key, last.version)
            writes.insert(0, Write(_SUPERSEDE, [key]))
        try:
            await self._database.write(writes)
        except ConstraintViolated:
            return False
        return True


@cache
def _valid_in(namespaces: int) -> Statement:
    marks = ", ".join("?" * namespaces)
    return sql(f"{_SELECT} WHERE tenant_id = ? AND key = ? AND namespace IN ({marks}) AND {_VALID}")


def _ranked(rows: Sequence[Row]) -> list[KeptVersion]:
    """The versions with their ranks; the latest of each key comes first in the rows, and speaks for all."""
    versions: list[KeptVersion] = []
    for key, version, deleted, updated, expires in rows:
        rank, gone, ends = 0, bool(deleted), None if expires is None else from_micros(expires)
        if versions and versions[-1].name == key:
            last = versions[-1]
            rank, gone, ends = last.rank + 1, last.deleted, last.expires
        versions.append(KeptVersion(key, version, rank, gone, from_micros(updated), ends))
    return versions


def _row(entry: KvEntry) -> Row:
    return (
        entry.tenant_id,
        entry.namespace,
        entry.key,
        entry.version,
        True,
        False,
        entry.content.type.value,
        json_text(entry.content.value),
        None if entry.description is None else storable_text(entry.description),
        to_micros(entry.created),
        to_micros(entry.updated),
        to_micros(entry.expires),
    )


def _entry(row: Row) -> KvEntry:
    tenant_id, namespace, key, version, _deleted, type_, value, description, created, updated, expires = row
    return KvEntry(
        tenant_id,
        namespace,
        key,
        version,
        KvValue(KvType(type_), msgspec.json.decode(value)),
        from_micros(created),
        from_micros(updated),
        description,
        None if expires is None else from_micros(expires),
    )
