"""What people and tasks do to the states of triggers: to one, or to many in one transaction.

Documentation page: ``docs/triggers.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from windhover.model.trigger_state import TriggerKey, TriggerMemory
from windhover.repository.instants import to_micros
from windhover.repository.records import json_text
from windhover.repository.statement import BulkStatement, Row, Write, delete
from windhover.repository.trigger_statements import KEY_COLUMNS, same_trigger, unnested

_THIS = "tenant_id = ?1 AND namespace = ?2 AND flow_id = ?3 AND trigger_id = ?4"


class Disable(msgspec.Struct, frozen=True):
    """Let a trigger do nothing until it is enabled; a look under way starts nothing any more."""

    key: TriggerKey


class Enable(msgspec.Struct, frozen=True):
    """Let a trigger work again.

    With ``go_on`` a schedule makes up for the dates that have passed meanwhile. Otherwise it goes on with
    ``from_date``, or with the first date to come.
    """

    key: TriggerKey
    go_on: bool = False
    from_date: datetime | None = None


class Unlock(msgspec.Struct, frozen=True):
    """Let a trigger fire though its execution, or an evaluation of it, is under way."""

    key: TriggerKey


class Restart(msgspec.Struct, frozen=True):
    """Begin anew with a trigger, as if it had just been declared."""

    key: TriggerKey


class Delete(msgspec.Struct, frozen=True):
    """Forget the state of a trigger. If its flow still declares it, the next edit brings it back."""

    key: TriggerKey


TriggerChange = Disable | Enable | Unlock | Restart | Delete


def _update(columns: dict[str, str], sqlite: str, postgresql: str) -> BulkStatement:
    """Change the triggers whose keys the rows begin with; ``columns`` are the others of a row."""
    given = unnested({**KEY_COLUMNS, **columns}, "c")
    return BulkStatement(
        table="triggers",
        sqlite=f"UPDATE triggers SET {sqlite} WHERE {_THIS}",
        postgresql=f"UPDATE triggers SET {postgresql} FROM {given} WHERE {same_trigger('c')}",
    )


_DISABLE = _update(
    {"updated": "bigint"},
    "disabled = TRUE, updated = ?5, lease_owner = NULL, due = NULL",
    "disabled = TRUE, updated = c.updated, lease_owner = NULL, due = NULL",
)
_ENABLE = _update(
    {"updated": "bigint", "other_date": "boolean", "next_date": "bigint"},
    "disabled = FALSE, updated = ?5, lease_owner = NULL, "
    "due = CASE WHEN active AND execution_id IS NULL THEN ?5 END, "
    "next_date = CASE WHEN ?6 THEN ?7 ELSE next_date END",
    "disabled = FALSE, updated = c.updated, lease_owner = NULL, "
    "due = CASE WHEN triggers.active AND triggers.execution_id IS NULL THEN c.updated END, "
    "next_date = CASE WHEN c.other_date THEN c.next_date ELSE triggers.next_date END",
)
_UNLOCK = _update(
    {"updated": "bigint"},
    "execution_id = NULL, lease_owner = NULL, updated = ?5, "
    "due = CASE WHEN disabled OR NOT active THEN NULL ELSE ?5 END",
    "execution_id = NULL, lease_owner = NULL, updated = c.updated, "
    "due = CASE WHEN triggers.disabled OR NOT triggers.active THEN NULL ELSE c.updated END",
)
_RESTART = _update(
    {"updated": "bigint", "data": "text"},
    "execution_id = NULL, lease_owner = NULL, next_date = NULL, updated = ?5, "
    "due = CASE WHEN disabled OR NOT active THEN NULL ELSE ?5 END, data = ?6",
    "execution_id = NULL, lease_owner = NULL, next_date = NULL, updated = c.updated, "
    "due = CASE WHEN triggers.disabled OR NOT triggers.active THEN NULL ELSE c.updated END, data = c.data",
)
_DELETE = delete("triggers", KEY_COLUMNS)
_FORGOTTEN = json_text(TriggerMemory())


def change_writes(changes: Iterable[TriggerChange], now: datetime) -> Sequence[Write]:
    """The statements that make changes; of several to one trigger the last of each kind counts."""
    at = to_micros(now)
    rows: dict[BulkStatement, dict[TriggerKey, Row]] = {}
    for change in changes:
        statement, more = _row(change, at)
        rows.setdefault(statement, {})[change.key] = (*change.key, *more)
    return [Write(statement, list(found.values())) for statement, found in rows.items()]


def stop_write(stopped: Mapping[TriggerKey, datetime]) -> Write:
    """The statement that disables triggers, each at its time."""
    return Write(_DISABLE, [(*key, to_micros(at)) for key, at in stopped.items()])


def _row(change: TriggerChange, at: int) -> tuple[BulkStatement, Row]:
    match change:
        case Disable():
            return _DISABLE, (at,)
        case Enable():
            return _ENABLE, (at, not change.go_on, to_micros(change.from_date))
        case Unlock():
            return _UNLOCK, (at,)
        case Restart():
            return _RESTART, (at, _FORGOTTEN)
        case Delete():
            return _DELETE, ()
