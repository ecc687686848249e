"""Flows, every revision of them, with their source byte for byte.

Documentation page: ``docs/databases.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from windhover.model.execution import Label
from windhover.repository.database import Database
from windhover.repository.errors import ConstraintViolated, FlowConflict
from windhover.repository.filters import (
    FIRST_PAGE,
    InvalidFilter,
    LabelMatch,
    Page,
    Paging,
    TextMatch,
    TextOperator,
)
from windhover.repository.instants import from_micros, to_micros
from windhover.repository.lazy_search import load_search
from windhover.repository.records import json_text, labels_of, labels_text, storable_text
from windhover.repository.statement import BulkStatement, Row, Write, delete, insert, sql
from windhover.repository.trigger_statements import DECLARE, FORGET_OTHERS

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

FLOW_COLUMNS = {
    "tenant_id": "text",
    "namespace": "text",
    "id": "text",
    "revision": "integer",
    "latest": "boolean",
    "deleted": "boolean",
    "disabled": "boolean",
    "listens": "boolean",
    "updated": "bigint",
    "description": "text",
    "labels": "text",
    "source": "text",
}
_RECORD_COLUMNS = [name for name in FLOW_COLUMNS if name not in ("latest", "listens")]
_SELECT = f"SELECT {', '.join(_RECORD_COLUMNS)} FROM flows"
_THIS_FLOW = "tenant_id = ? AND namespace = ? AND id = ?"

_LATEST = sql(f"{_SELECT} WHERE {_THIS_FLOW} AND latest")
_REVISION = sql(f"{_SELECT} WHERE {_THIS_FLOW} AND revision = ?")
_REVISIONS = sql(f"{_SELECT} WHERE {_THIS_FLOW} ORDER BY revision")
_ALL_LATEST = sql(f"{_SELECT} WHERE latest AND NOT deleted ORDER BY tenant_id, namespace, id")
_LISTENING = sql(f"{_SELECT} WHERE latest AND listens AND NOT deleted ORDER BY tenant_id, namespace, id")
_NAMESPACES = sql(
    "SELECT DISTINCT namespace FROM flows WHERE tenant_id = ? AND latest AND NOT deleted ORDER BY 1"
)
_INSERT = insert("flows", FLOW_COLUMNS)
_KEY = {"tenant_id": "text", "namespace": "text", "id": "text", "revision": "integer"}
_SUPERSEDE = BulkStatement(
    table="flows",
    sqlite=f"UPDATE flows SET latest = FALSE WHERE {_THIS_FLOW} AND revision = ?",
    postgresql=(
        "UPDATE flows SET latest = FALSE FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[]) "
        "AS old (tenant_id, namespace, id, revision) WHERE flows.tenant_id = old.tenant_id "
        "AND flows.namespace = old.namespace AND flows.id = old.id AND flows.revision = old.revision"
    ),
)
_DELETE_REVISIONS = delete("flows", _KEY)

#: How often a save without a base revision is tried again when another save came in between.
_SAVE_ATTEMPTS = 5


class DeclaredTrigger(msgspec.Struct, frozen=True):
    """A trigger of a flow whose state is kept.

    ``fingerprint`` changes with its definition. One that is not ``active``, because it or its flow is
    disabled, is never due. ``first_date`` is when a schedule runs first, if that is known: then nobody need
    look at it before.
    """

    id: str
    kind: str
    fingerprint: str
    active: bool = True
    first_date: datetime | None = None


class FlowDraft(msgspec.Struct, frozen=True):
    """A flow to be saved: its source, what of it is searched for, and its triggers that have a state.

    ``listens``: it has triggers that react to executions of other flows.
    """

    tenant_id: str
    namespace: str
    id: str
    source: str
    description: str | None = None
    labels: tuple[Label, ...] = ()
    disabled: bool = False
    triggers: tuple[DeclaredTrigger, ...] = ()
    listens: bool = False


class FlowRecord(msgspec.Struct, frozen=True):
    """One revision of a flow as it is kept. A deleted flow has a last revision that says so."""

    tenant_id: str
    namespace: str
    id: str
    revision: int
    source: str
    updated: datetime
    deleted: bool = False
    disabled: bool = False
    description: str | None = None
    labels: list[Label] = msgspec.field(default_factory=list)


class FlowSort(StrEnum):
    """What flows can be sorted by, named as the API names it."""

    ID = "id"
    NAMESPACE = "namespace"
    REVISION = "revision"
    UPDATED = "updated"


class FlowQuery(msgspec.Struct, frozen=True):
    """Conditions that the latest revision of a flow must meet, all of them; those left out say nothing.

    ``text`` occurs in its id, namespace or description.
    """

    tenant_id: str
    text: str | None = None
    namespace: tuple[TextMatch, ...] = ()
    flow_id: tuple[TextMatch, ...] = ()
    labels: tuple[LabelMatch, ...] = ()
    disabled: bool | None = None
    deleted: bool = False
    sort: FlowSort = FlowSort.ID
    descending: bool = False
    paging: Paging = FIRST_PAGE


class FlowRepository:
    """Keeps flows. Revisions count from 1, are never reused and never changed."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def save(self, draft: FlowDraft, now: datetime, base_revision: int | None = None) -> FlowRecord:
        """Save a flow and return the revision it has now.

        Unchanged source keeps its revision. A flow that was deleted goes on counting. ``base_revision`` is
        the revision that the edit started from, 0 for a flow that must be new; without it the last to
        save wins.

        Raises:
            FlowConflict: the flow is at another revision than the edit was based on.
        """
        for _ in range(_SAVE_ATTEMPTS):
            latest = await self._latest(draft.tenant_id, draft.namespace, draft.id)
            _check_base(draft.namespace, draft.id, latest, base_revision)
            if latest is not None and not latest.deleted and latest.source == draft.source:
                return latest
            record = FlowRecord(
                tenant_id=draft.tenant_id,
                namespace=draft.namespace,
                id=draft.id,
                revision=1 if latest is None else latest.revision + 1,
                source=draft.source,
                updated=now,
                disabled=draft.disabled,
                description=draft.description,
                labels=list(draft.labels),
            )
            if await self._append(record, latest, draft.triggers, listens=draft.listens):
                return record
        raise FlowConflict(f"Flow '{draft.namespace}.{draft.id}' is being saved by others all the time.")

    async def delete(
        self, tenant_id: str, namespace: str, flow_id: str, now: datetime, base_revision: int | None = None
    ) -> FlowRecord | None:
        """Mark a flow as deleted, by a revision of its own; None when there is none to delete.

        Raises:
            FlowConflict: the flow is at another revision than ``base_revision``.
        """
        for _ in range(_SAVE_ATTEMPTS):
            latest = await self._latest(tenant_id, namespace, flow_id)
            if latest is None or latest.deleted:
                return None
            _check_base(namespace, flow_id, latest, base_revision)
            record = FlowRecord(
                tenant_id=tenant_id,
                namespace=namespace,
                id=flow_id,
                revision=latest.revision + 1,
                source=latest.source,
                updated=now,
                deleted=True,
                disabled=latest.disabled,
                description=latest.description,
                labels=latest.labels,
            )
            if await self._append(record, latest):
                return record
        raise FlowConflict(f"Flow '{namespace}.{flow_id}' is being saved by others all the time.")

    async def get(
        self,
        tenant_id: str,
        namespace: str,
        flow_id: str,
        revision: int | None = None,
        *,
        allow_deleted: bool = False,
    ) -> FlowRecord | None:
        """One revision of a flow, or the latest; None when there is none.

        A deleted flow is found with ``allow_deleted`` only; an older revision, asked for by its number,
        is found always.
        """
        if revision is not None:
            rows = await self.database.fetch(_REVISION, (tenant_id, namespace, flow_id, revision))
            return _record(rows[0]) if rows else None
        latest = await self._latest(tenant_id, namespace, flow_id)
        return None if latest is not None and latest.deleted and not allow_deleted else latest

    async def revisions(self, tenant_id: str, namespace: str, flow_id: str) -> list[FlowRecord]:
        """All revisions of a flow, the oldest first, those that deleted it too."""
        rows = await self.database.fetch(_REVISIONS, (tenant_id, namespace, flow_id))
        return [_record(row) for row in rows]

    async def delete_revisions(
        self, tenant_id: str, namespace: str, flow_id: str, revisions: list[int]
    ) -> None:
        """Forget old revisions for good.

        Raises:
            FlowConflict: the latest is among them; it cannot be forgotten.
        """
        latest = await self._latest(tenant_id, namespace, flow_id)
        if latest is not None and latest.revision in revisions:
            raise FlowConflict(
                f"Revision {latest.revision} is the latest of flow '{namespace}.{flow_id}' and must be kept."
            )
        rows: list[Row] = [(tenant_id, namespace, flow_id, revision) for revision in sorted(set(revisions))]
        if rows:
            await self.database.write([Write(_DELETE_REVISIONS, rows)])

    async def all_latest(self) -> list[FlowRecord]:
        """The latest revision of every flow of every tenant that is not deleted."""
        return [_record(row) for row in await self.database.fetch(_ALL_LATEST)]

    async def listening(self) -> list[FlowRecord]:
        """The latest revision of every flow of every tenant that reacts to executions of other flows."""
        return [_record(row) for row in await self.database.fetch(_LISTENING)]

    async def namespaces(self, tenant_id: str) -> list[str]:
        """The namespaces that hold flows, sorted."""
        return [row[0] for row in await self.database.fetch(_NAMESPACES, (tenant_id,))]

    async def search(self, query: FlowQuery) -> Page[FlowRecord]:
        """One page of the flows whose latest revision meets the conditions, and how many do.

        Raises:
            InvalidFilter: a condition cannot be searched for.
        """
        await load_search()
        from windhover.repository.searching import occurs_in_any
        from windhover.repository.tables import flows

        c = flows.c
        text = occurs_in_any((c.id, c.namespace, c.description), query.text)
        return await self._page(query, text)

    async def search_source(self, query: FlowQuery) -> Page[FlowRecord]:
        """As :meth:`search`, but the text occurs in the source."""
        await load_search()
        from windhover.repository.searching import occurs_in_any
        from windhover.repository.tables import flows

        return await self._page(query, occurs_in_any((flows.c.source,), query.text))

    async def _page(self, query: FlowQuery, text: ColumnElement[bool] | None) -> Page[FlowRecord]:
        from sqlalchemy import select

        from windhover.repository.searching import all_match, all_of, fetch_page, ordered
        from windhover.repository.tables import flows

        c = flows.c
        conditions = all_of(
            (
                c.tenant_id == query.tenant_id,
                c.latest.is_(True),
                None if query.deleted else c.deleted.is_(False),
                None if query.disabled is None else c.disabled.is_(query.disabled),
                text,
                all_match(c.namespace, query.namespace),
                all_match(c.id, query.flow_id),
                *(_has_label(c.labels, label) for label in query.labels),
            )
        )
        sort_columns: list[ColumnElement[Any]] = [c[query.sort.value], c.namespace, c.id]
        rows, total = await fetch_page(
            self.database,
            select(*(c[name] for name in _RECORD_COLUMNS)).where(conditions),
            [ordered(column, descending=query.descending) for column in sort_columns],
            query.paging,
        )
        return Page([_record(row) for row in rows], total)

    async def _latest(self, tenant_id: str, namespace: str, flow_id: str) -> FlowRecord | None:
        rows = await self.database.fetch(_LATEST, (tenant_id, namespace, flow_id))
        return _record(rows[0]) if rows else None

    async def _append(
        self,
        record: FlowRecord,
        latest: FlowRecord | None,
        triggers: Sequence[DeclaredTrigger] = (),
        *,
        listens: bool = False,
    ) -> bool:
        """Write the next revision and its triggers; False when someone else has just written it."""
        key = (record.tenant_id, record.namespace, record.id)
        writes = [Write(_INSERT, [_row(record, listens)])]
        if latest is not None:
            writes.insert(0, Write(_SUPERSEDE, [(*key, latest.revision)]))
        if triggers:
            writes.append(Write(DECLARE, [_trigger_row(record, trigger) for trigger in triggers]))
        if latest is not None:
            writes.append(Write(FORGET_OTHERS, [(*key, record.revision)]))
        try:
            await self.database.write(writes)
        except ConstraintViolated:
            return False
        return True


def _check_base(namespace: str, flow_id: str, latest: FlowRecord | None, base: int | None) -> None:
    if base is None:
        return
    current = 0 if latest is None or (latest.deleted and base == 0) else latest.revision
    if current != base:
        was = f"based on revision {base}" if base else "made as that of a new flow"
        raise FlowConflict(
            f"Flow '{namespace}.{flow_id}' is at revision {current}, and the change was {was}: "
            "read it again and repeat the change."
        )


def _row(record: FlowRecord, listens: bool) -> Row:
    return (
        record.tenant_id,
        record.namespace,
        record.id,
        record.revision,
        True,
        record.deleted,
        record.disabled,
        listens,
        to_micros(record.updated),
        None if record.description is None else storable_text(record.description),
        labels_text(record.labels),
        record.source,
    )


def _trigger_row(record: FlowRecord, trigger: DeclaredTrigger) -> Row:
    now = to_micros(record.updated)
    first_date = to_micros(trigger.first_date) if trigger.active else None
    due = (first_date or now) if trigger.active else None
    return (
        record.tenant_id,
        record.namespace,
        record.id,
        trigger.id,
        trigger.kind,
        record.revision,
        trigger.fingerprint,
        trigger.active,
        False,
        now,
        due,
        first_date,
        "{}",
    )


def _record(row: Row) -> FlowRecord:
    tenant_id, namespace, id_, revision, deleted, disabled, updated, description, labels, source = row
    return FlowRecord(
        tenant_id=tenant_id,
        namespace=namespace,
        id=id_,
        revision=revision,
        source=source,
        updated=from_micros(updated),
        deleted=bool(deleted),
        disabled=bool(disabled),
        description=description,
        labels=labels_of(labels),
    )


def _has_label(column: ColumnElement[Any], label: LabelMatch) -> ColumnElement[bool]:
    """The list of labels, which is JSON text, holds one: quotes inside a text are escaped there."""
    from sqlalchemy import func, literal, not_

    if label.value is None:
        wanted = f'{{"key":{json_text(label.key)},'
    elif label.value.operator is TextOperator.EQUALS and label.value.values:
        wanted = labels_text([Label(label.key, label.value.values[0])])[1:-1]
    else:
        raise InvalidFilter(f"Labels of flows can be compared by EQUALS only, not by {label.value.operator}.")
    found = func.replace(column, literal(wanted), literal("")) != column
    return not_(found) if label.excluded else found
