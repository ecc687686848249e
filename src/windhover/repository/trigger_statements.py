"""The statements of triggers: taking what is due, and storing what fired together with what it started.

Whether an event has started an execution before is decided by the key of its row in ``trigger_events``: only
the execution that this row names is written. So a whole batch is one transaction without a question in it.
"""

from __future__ import annotations

from windhover.repository.statement import BulkStatement, Statement, delete, insert, sql
from windhover.repository.statements import ENDED, EXECUTION_COLUMNS, LABEL_COLUMNS, LOG_COLUMNS

KEY_COLUMNS = {"tenant_id": "text", "namespace": "text", "flow_id": "text", "trigger_id": "text"}
STATE_COLUMNS = {
    **KEY_COLUMNS,
    "kind": "text",
    "flow_revision": "integer",
    "fingerprint": "text",
    "active": "boolean",
    "disabled": "boolean",
    "updated": "bigint",
    "due": "bigint",
    "next_date": "bigint",
    "last_triggered": "bigint",
    "execution_id": "text",
    "worker_id": "text",
    "lease_owner": "text",
    "data": "text",
}
THIS_TRIGGER = "tenant_id = ? AND namespace = ? AND flow_id = ? AND trigger_id = ?"
SELECT_STATES = f"SELECT {', '.join(STATE_COLUMNS)} FROM triggers"


def same_trigger(alias: str) -> str:
    """That a row of ``triggers`` and one of the alias are of the same trigger."""
    return " AND ".join(f"triggers.{name} = {alias}.{name}" for name in KEY_COLUMNS)


def unnested(columns: dict[str, str], alias: str) -> str:
    """Rows that PostgreSQL is given as one array for each column, as a table."""
    arrays = ", ".join(f"${number}::{type_}[]" for number, type_ in enumerate(columns.values(), 1))
    return f"unnest({arrays}) AS {alias} ({', '.join(columns)})"


def guarded(
    table: str,
    columns: dict[str, str],
    execution: str,
    guard: tuple[str, str] = ("trigger_events", "execution_id"),
    condition: str = "TRUE",
) -> BulkStatement:
    """Insert rows of executions (the column ``execution``) that the guard, a table and its column, names.

    ``condition`` must hold of the row of the guard, which is called ``e``.
    """
    guarding, named = guard
    names = ", ".join(columns)
    numbered = ", ".join(f"?{number}" for number in range(1, len(columns) + 1))
    own = list(columns).index(execution) + 1
    return BulkStatement(
        table=table,
        sqlite=(
            f"INSERT INTO {table} ({names}) SELECT {numbered} WHERE EXISTS "
            f"(SELECT 1 FROM {guarding} AS e WHERE e.{named} = ?{own} AND {condition}) ON CONFLICT DO NOTHING"
        ),
        postgresql=(
            f"INSERT INTO {table} ({names}) SELECT {names} FROM {unnested(columns, 'given')} WHERE EXISTS "
            f"(SELECT 1 FROM {guarding} AS e WHERE e.{named} = given.{execution} AND {condition}) "
            "ON CONFLICT DO NOTHING"
        ),
        reads=(guarding,),
    )


_EVENT_COLUMNS = {
    **KEY_COLUMNS,
    "key": "text",
    "execution_id": "text",
    "slot": "bigint",
    "created": "bigint",
}
_OFFERED_COLUMNS = {**_EVENT_COLUMNS, "lease": "text"}
_HELD = (
    "SELECT 1 FROM triggers AS t WHERE t.tenant_id = {0} AND t.namespace = {1} AND t.flow_id = {2} "
    "AND t.trigger_id = {3} AND t.lease_owner = {4} AND t.active AND NOT t.disabled"
)
_EVENT_NAMES = ", ".join(_EVENT_COLUMNS)

#: Rows are those of ``trigger_events`` and the lease under which the event was seen, or NULL for those that
#: need none. An event of a lease that is lost, or of a trigger that was disabled meanwhile, is not taken.
TAKE_EVENTS = BulkStatement(
    table="trigger_events",
    sqlite=(
        f"INSERT INTO trigger_events ({_EVENT_NAMES}) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 "
        f"WHERE ?9 IS NULL OR EXISTS ({_HELD.format('?1', '?2', '?3', '?4', '?9')}) ON CONFLICT DO NOTHING"
    ),
    postgresql=(
        f"INSERT INTO trigger_events ({_EVENT_NAMES}) SELECT {_EVENT_NAMES} "
        f"FROM {unnested(_OFFERED_COLUMNS, 'o')} WHERE o.lease IS NULL OR EXISTS "
        f"({_HELD.format('o.tenant_id', 'o.namespace', 'o.flow_id', 'o.trigger_id', 'o.lease')}) "
        "ON CONFLICT DO NOTHING"
    ),
    reads=("triggers",),
)
_FORGOTTEN_COLUMNS = {**KEY_COLUMNS, "low": "text", "high": "text", "lease": "text"}
#: Keys of a trigger from ``low`` to before ``high``: those who come with one of them later are other events.
FORGET_KEYS = BulkStatement(
    table="trigger_events",
    sqlite=(
        "DELETE FROM trigger_events WHERE tenant_id = ?1 AND namespace = ?2 AND flow_id = ?3 "
        "AND trigger_id = ?4 AND key >= ?5 AND key < ?6 "
        f"AND EXISTS ({_HELD.format('?1', '?2', '?3', '?4', '?7')})"
    ),
    postgresql=(
        f"DELETE FROM trigger_events AS v USING {unnested(_FORGOTTEN_COLUMNS, 'f')} "
        "WHERE v.tenant_id = f.tenant_id AND v.namespace = f.namespace AND v.flow_id = f.flow_id "
        "AND v.trigger_id = f.trigger_id AND v.key >= f.low AND v.key < f.high AND EXISTS "
        f"({_HELD.format('f.tenant_id', 'f.namespace', 'f.flow_id', 'f.trigger_id', 'f.lease')})"
    ),
    reads=("triggers",),
)
IS_HELD = sql("SELECT 1 FROM triggers WHERE lease_owner = ? AND active AND NOT disabled")
INSERT_FIRED = guarded("executions", EXECUTION_COLUMNS, "id")
INSERT_FIRED_LABELS = guarded("execution_labels", LABEL_COLUMNS, "execution_id")
INSERT_FIRED_LOGS = guarded("logs", LOG_COLUMNS, "execution_id")

_EVALUATED_COLUMNS = {
    **KEY_COLUMNS,
    "held": "text",
    "updated": "bigint",
    "due": "bigint",
    "next_date": "bigint",
    "last_triggered": "bigint",
    "execution_id": "text",
    "worker_id": "text",
    "lease_owner": "text",
    "data": "text",
}
#: What an evaluation makes of its trigger, if it still holds it. ``lease_owner`` is NULL when it lets go of
#: it. Whoever disabled it meanwhile wins. A schedule without a next
#: date counts from when it was updated, so that stays: looks that fail lose no date.
EVALUATED = BulkStatement(
    table="triggers",
    sqlite=(
        "UPDATE triggers SET "
        "updated = CASE WHEN kind = 'SCHEDULE' AND ?8 IS NULL THEN updated ELSE ?6 END, "
        "due = CASE WHEN disabled OR NOT active THEN NULL ELSE ?7 END, "
        "next_date = ?8, last_triggered = ?9, execution_id = ?10, worker_id = ?11, lease_owner = ?12, "
        "data = ?13 WHERE tenant_id = ?1 AND namespace = ?2 "
        "AND flow_id = ?3 AND trigger_id = ?4 AND lease_owner = ?5"
    ),
    postgresql=(
        "UPDATE triggers SET updated = CASE WHEN triggers.kind = 'SCHEDULE' AND e.next_date IS NULL "
        "THEN triggers.updated ELSE e.updated END, "
        "due = CASE WHEN triggers.disabled OR NOT triggers.active THEN NULL ELSE e.due END, "
        "next_date = e.next_date, "
        "last_triggered = e.last_triggered, execution_id = e.execution_id, worker_id = e.worker_id, "
        f"lease_owner = e.lease_owner, data = e.data FROM {unnested(_EVALUATED_COLUMNS, 'e')} "
        f"WHERE {same_trigger('e')} AND triggers.lease_owner = e.held"
    ),
    reads=("trigger_events",),
)


def claim_due(condition: str = "TRUE") -> Statement:
    """Take triggers that are due. Parameters: the lease, its end, now, how many at most."""
    due = f"FROM triggers WHERE due <= {{now}} AND {condition} ORDER BY due LIMIT {{limit}}"
    key = ", ".join(KEY_COLUMNS)
    return Statement(
        sqlite=(
            f"UPDATE triggers SET lease_owner = ?1, due = ?2 WHERE ({key}) IN "
            f"(SELECT {key} {due.format(now='?3', limit='?4')})"
        ),
        postgresql=(
            "UPDATE triggers SET lease_owner = $1, due = $2 FROM "
            f"(SELECT {key} {due.format(now='$3', limit='$4')} FOR UPDATE SKIP LOCKED) AS d "
            f"WHERE {same_trigger('d')}"
        ),
    )


#: Only what a scheduler needs no worker for.
SCHEDULES_ALONE = "kind = 'SCHEDULE'"
CLAIM_DUE = claim_due()
CLAIM_DUE_SCHEDULES = claim_due(SCHEDULES_ALONE)
CLAIMED = sql(f"{SELECT_STATES} WHERE lease_owner = ?")
NEXT_DUE = sql("SELECT min(due) FROM triggers WHERE due IS NOT NULL")
NEXT_DUE_SCHEDULE = sql(f"SELECT min(due) FROM triggers WHERE due IS NOT NULL AND {SCHEDULES_ALONE}")
#: Triggers whose execution is over, or was never written, or is gone; and its state.
HELD_BY_ENDED = sql(
    "SELECT t.tenant_id, t.namespace, t.flow_id, t.trigger_id, t.execution_id FROM triggers AS t "
    "LEFT JOIN executions AS e ON e.id = t.execution_id WHERE t.execution_id IS NOT NULL "
    f"AND (e.id IS NULL OR e.state IN ({ENDED}))"
)
_RELEASE_COLUMNS = {
    **KEY_COLUMNS,
    "execution_id": "text",
    "due": "bigint",
    "updated": "bigint",
}
#: The execution that held a trigger is over: it is due again, unless it is disabled. A schedule without a
#: next date counts from when it was updated last, so that stays.
RELEASE = BulkStatement(
    table="triggers",
    sqlite=(
        "UPDATE triggers SET execution_id = NULL, "
        "updated = CASE WHEN next_date IS NULL THEN updated ELSE ?7 END, "
        "due = CASE WHEN disabled OR NOT active THEN NULL ELSE max(?6, coalesce(next_date, ?6)) END "
        "WHERE tenant_id = ?1 AND namespace = ?2 AND flow_id = ?3 AND trigger_id = ?4 AND execution_id = ?5"
    ),
    postgresql=(
        "UPDATE triggers SET execution_id = NULL, "
        "updated = CASE WHEN triggers.next_date IS NULL THEN triggers.updated ELSE r.updated END, "
        "due = CASE WHEN triggers.disabled OR NOT triggers.active THEN NULL "
        "ELSE greatest(r.due, coalesce(triggers.next_date, r.due)) END "
        f"FROM {unnested(_RELEASE_COLUMNS, 'r')} "
        f"WHERE {same_trigger('r')} AND triggers.execution_id = r.execution_id"
    ),
)
#: Keep a trigger for longer; changes no row when it is lost.
RENEW = sql("UPDATE triggers SET due = ? WHERE lease_owner = ? AND active AND NOT disabled")
#: Take triggers from all workers that hold them. Parameters: when they are due again, now.
RELEASE_WORKERS = sql(
    "UPDATE triggers SET due = ?, updated = ?, lease_owner = NULL, worker_id = NULL "
    "WHERE lease_owner IS NOT NULL AND kind IN ('POLLING', 'REALTIME') AND active AND NOT disabled"
)

_DECLARATION_COLUMNS = {
    **KEY_COLUMNS,
    "kind": "text",
    "flow_revision": "integer",
    "fingerprint": "text",
    "active": "boolean",
    "disabled": "boolean",
    "updated": "bigint",
    "due": "bigint",
    "next_date": "bigint",
    "data": "text",
}
_DECLARATION_NAMES = ", ".join(_DECLARATION_COLUMNS)
#: What saving a flow makes of the triggers it declares. A schedule that is new may have its first date.
#: One whose definition changed begins anew and is looked at, but stays disabled if somebody disabled it, and
#: waits for its execution if it has one. One that its flow disables loses the evaluation under way; enabled
#: again, it leaves the past alone.
_REDECLARE = (
    "ON CONFLICT (tenant_id, namespace, flow_id, trigger_id) DO UPDATE SET kind = excluded.kind, "
    "flow_revision = excluded.flow_revision, "
    "updated = CASE WHEN triggers.fingerprint = excluded.fingerprint AND triggers.active "
    "AND triggers.next_date IS NULL THEN triggers.updated ELSE excluded.updated END, "
    "fingerprint = excluded.fingerprint, active = excluded.active, "
    "next_date = CASE WHEN triggers.fingerprint = excluded.fingerprint AND triggers.active "
    "THEN triggers.next_date END, "
    "lease_owner = CASE WHEN excluded.active AND triggers.fingerprint = excluded.fingerprint "
    "THEN triggers.lease_owner END, "
    "due = CASE WHEN triggers.disabled OR triggers.execution_id IS NOT NULL THEN NULL "
    "WHEN excluded.due IS NULL THEN NULL "
    "WHEN triggers.fingerprint = excluded.fingerprint THEN coalesce(triggers.due, excluded.updated) "
    "ELSE excluded.updated END"
)
DECLARE = BulkStatement(
    table="triggers",
    sqlite=(
        f"INSERT INTO triggers ({_DECLARATION_NAMES}) "
        f"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) {_REDECLARE}"
    ),
    postgresql=(
        f"INSERT INTO triggers ({_DECLARATION_NAMES}) SELECT {_DECLARATION_NAMES} "
        f"FROM {unnested(_DECLARATION_COLUMNS, 'd')} {_REDECLARE}"
    ),
)
#: Forget the triggers of a flow that its revision does not declare.
FORGET_OTHERS = BulkStatement(
    table="triggers",
    sqlite=(
        "DELETE FROM triggers WHERE tenant_id = ? AND namespace = ? AND flow_id = ? AND flow_revision <> ?"
    ),
    postgresql=(
        "DELETE FROM triggers USING unnest($1::text[], $2::text[], $3::text[], $4::integer[]) "
        "AS f (tenant_id, namespace, flow_id, flow_revision) WHERE triggers.tenant_id = f.tenant_id "
        "AND triggers.namespace = f.namespace AND triggers.flow_id = f.flow_id "
        "AND triggers.flow_revision <> f.flow_revision"
    ),
)

BACKFILL_COLUMNS = {
    "id": "text",
    **KEY_COLUMNS,
    "version": "integer",
    "ended": "boolean",
    "due": "bigint",
    "data": "text",
}
INSERT_BACKFILL = insert("backfills", BACKFILL_COLUMNS)
DELETE_BACKFILLS = delete("backfills", {"id": "text"})
DELETE_BACKFILLS_OF = delete("backfills", KEY_COLUMNS)
