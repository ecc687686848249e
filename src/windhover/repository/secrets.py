"""Secrets in the database: values as they were encrypted elsewhere, and what is told of them.

Documentation page: ``docs/secrets.md``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from windhover.model.secret import SealedSecret, SecretEntry, SecretTag
from windhover.repository.database import Database
from windhover.repository.filters import FIRST_PAGE, Page, Paging, TextMatch
from windhover.repository.instants import from_micros, to_micros
from windhover.repository.lazy_search import load_search
from windhover.repository.records import json_text, storable_text
from windhover.repository.statement import Row, Statement, Write, sql, upsert

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

SECRET_COLUMNS = {
    "tenant_id": "text",
    "namespace": "text",
    "key": "text",
    "sealed": "text",
    "description": "text",
    "tags": "text",
    "created": "bigint",
    "updated": "bigint",
}
#: All but the value, which only :meth:`SecretRepository.sealed` reads.
_ENTRY_COLUMNS = [name for name in SECRET_COLUMNS if name != "sealed"]
_THIS = "tenant_id = ? AND namespace = ? AND key = ?"

_PUT = upsert(
    "secrets",
    SECRET_COLUMNS,
    ["tenant_id", "namespace", "key"],
    ["sealed", "description", "tags", "updated"],
)
_GET = sql(f"SELECT {', '.join(_ENTRY_COLUMNS)} FROM secrets WHERE {_THIS}")
_DELETE = sql(f"DELETE FROM secrets WHERE {_THIS}")

_tags_decoder = msgspec.json.Decoder(tuple[SecretTag, ...])


class SecretSort(StrEnum):
    """What secrets can be sorted by, and the columns for it."""

    KEY = "key"
    NAMESPACE = "namespace"
    DESCRIPTION = "description"
    CREATED = "created"
    UPDATED = "updated"


class SecretQuery(msgspec.Struct, frozen=True):
    """Conditions that a secret must meet, all of them; those left out say nothing.

    ``text`` occurs in its key or description.
    """

    tenant_id: str
    text: str | None = None
    namespace: tuple[TextMatch, ...] = ()
    sort: SecretSort = SecretSort.KEY
    descending: bool = False
    paging: Paging = FIRST_PAGE


class SecretRepository:
    """Keeps secrets by tenant, namespace and key. Keys are taken as they are given."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(
        self,
        tenant_id: str,
        secret: SealedSecret,
        now: datetime,
        *,
        description: str | None = None,
        tags: Sequence[SecretTag] = (),
    ) -> None:
        """Write a secret, over one of the same namespace and key."""
        instant = to_micros(now)
        told = _stored_description(description), _stored_tags(tags)
        row = (tenant_id, secret.namespace, secret.key, secret.sealed, *told, instant, instant)
        await self._database.write([Write(_PUT, [row])])

    async def sealed(self, tenant_id: str, namespaces: Sequence[str], key: str) -> SealedSecret | None:
        """The encrypted value of a key in the first of the namespaces that has it; None when none has."""
        rows = await self._database.fetch(_sealed_in(len(namespaces)), (tenant_id, key, *namespaces))
        found = {namespace: SealedSecret(namespace, key, sealed) for namespace, sealed in rows}
        return next((found[namespace] for namespace in namespaces if namespace in found), None)

    async def get(self, tenant_id: str, namespace: str, key: str) -> SecretEntry | None:
        """What is told of one secret; None when there is none."""
        rows = await self._database.fetch(_GET, (tenant_id, namespace, key))
        return _entry(rows[0]) if rows else None

    async def describe(
        self,
        tenant_id: str,
        namespace: str,
        key: str,
        now: datetime,
        *,
        description: str | msgspec.UnsetType | None = msgspec.UNSET,
        tags: Sequence[SecretTag] | msgspec.UnsetType = msgspec.UNSET,
    ) -> bool:
        """Change what is told of a secret: what is given, and nothing else. False when there is none."""
        changes: dict[str, object] = {"updated": to_micros(now)}
        if description is not msgspec.UNSET:
            changes["description"] = _stored_description(description)
        if tags is not msgspec.UNSET:
            changes["tags"] = _stored_tags(tags)
        row = (*changes.values(), tenant_id, namespace, key)
        return bool(await self._database.execute(_update(tuple(changes)), row))

    async def delete(self, tenant_id: str, namespace: str, key: str) -> bool:
        """Delete a secret for good; False when there is none."""
        return bool(await self._database.execute(_DELETE, (tenant_id, namespace, key)))

    async def keys(self, tenant_id: str, namespaces: Collection[str]) -> list[tuple[str, str]]:
        """Namespace and key of all secrets of these namespaces, sorted."""
        rows = await self._database.fetch(_keys_in(len(namespaces)), (tenant_id, *namespaces))
        return [(namespace, key) for namespace, key in rows]

    async def search(self, query: SecretQuery) -> Page[SecretEntry]:
        """One page of the secrets that meet the conditions, and how many do.

        Raises:
            InvalidFilter: a condition cannot be searched for.
        """
        await load_search()
        from sqlalchemy import select

        from windhover.repository.searching import all_match, all_of, fetch_page, occurs_in_any, ordered
        from windhover.repository.tables import secrets

        c: Any = secrets.c
        conditions = all_of(
            (
                c.tenant_id == query.tenant_id,
                occurs_in_any((c.key, c.description), query.text),
                all_match(c.namespace, query.namespace),
            )
        )
        columns: list[ColumnElement[Any]] = [c[query.sort.value], c.key, c.namespace]
        rows, total = await fetch_page(
            self._database,
            select(*(c[name] for name in _ENTRY_COLUMNS)).where(conditions),
            [ordered(column, descending=query.descending) for column in columns],
            query.paging,
        )
        return Page([_entry(row) for row in rows], total)


@cache
def _sealed_in(namespaces: int) -> Statement:
    marks = ", ".join("?" * namespaces)
    return sql(
        f"SELECT namespace, sealed FROM secrets WHERE tenant_id = ? AND key = ? AND namespace IN ({marks})"
    )


@cache
def _keys_in(namespaces: int) -> Statement:
    marks = ", ".join("?" * namespaces)
    where = f"tenant_id = ? AND namespace IN ({marks})"
    return sql(f"SELECT namespace, key FROM secrets WHERE {where} ORDER BY namespace, key")


@cache
def _update(columns: tuple[str, ...]) -> Statement:
    return sql(f"UPDATE secrets SET {', '.join(f'{name} = ?' for name in columns)} WHERE {_THIS}")


def _stored_description(description: str | None) -> str | None:
    return None if description is None else storable_text(description)


def _stored_tags(tags: Sequence[SecretTag]) -> str:
    return json_text([SecretTag(storable_text(tag.key), storable_text(tag.value)) for tag in tags])


def _entry(row: Row) -> SecretEntry:
    tenant_id, namespace, key, description, tags, created, updated = row
    return SecretEntry(
        tenant_id,
        namespace,
        key,
        description,
        _tags_decoder.decode(tags),
        from_micros(created),
        from_micros(updated),
    )
