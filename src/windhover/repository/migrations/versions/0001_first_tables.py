"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NOT_ENDED = (
    "state NOT IN ('CANCELLED', 'FAILED', 'KILLED', 'RESUBMITTED', "
    "'RETRIED', 'SKIPPED', 'SUCCESS', 'WARNING')"
)

SQLITE_STATISTICS = (
    ("executions", "sqlite_autoindex_executions_1", "1000000 1"),
    ("executions", "executions_by_start", "1000000 1000000 1"),
    ("executions", "executions_by_flow", "1000000 1000000 50000 5000 1"),
    ("executions", "executions_by_state", "1000000 1000000 20000 1 1 1"),
    ("executions", "executions_not_ended", "1000 1"),
    ("executions", "executions_by_parent", "10000 2"),
    ("executions", "executions_by_original", "10000 2"),
    ("executions", "executions_by_trigger_execution", "100000 5"),
    ("execution_labels", "execution_labels", "3000000 3 1 1"),
    ("execution_labels", "execution_labels_by_value", "3000000 500000 50 1"),
    ("task_runs", "sqlite_autoindex_task_runs_1", "5000000 1"),
    ("task_runs", "task_runs_by_execution", "5000000 5 1"),
    ("task_runs", "task_runs_not_ended", "1000 2"),
    ("history_pages", "history_pages", "100000 10 1"),
    ("history_pages", "history_pages_by_execution", "100000 20"),
    ("logs", "logs", "10000000 10 1"),
    ("logs", "logs_by_time", "10000000 10000000 1"),
    ("logs", "logs_by_flow", "10000000 10000000 500000 50000 1"),
    ("metrics", "metrics", "1000000 2 1"),
    ("metrics", "metrics_by_flow", "1000000 1000000 50000 5000 1000 1"),
    ("file_loans", "file_loans", "100000 5 1"),
    ("file_loans", "file_loans_by_borrower", "100000 2 1"),
    ("triggers", "triggers", "100000 100000 5000 5 1"),
    ("triggers", "triggers_by_due", "100000 2"),
    ("triggers", "triggers_by_execution", "1000 1"),
    ("triggers", "triggers_by_lease", "1000 100"),
    ("trigger_events", "trigger_events", "1000000 1000000 50000 5000 1000 1"),
    ("trigger_events", "trigger_events_by_execution", "1000000 1"),
    ("trigger_events", "trigger_events_by_age", "1000000 2"),
    ("trigger_events", "trigger_events_by_slot", "1000000 1000000 50000 5000 1000 1"),
)

TRIGGER_KEY = ("tenant_id", "namespace", "flow_id", "trigger_id")


def where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    op.create_table(
        "execution_labels",
        sa.Column("execution_id", Key, nullable=False),
        sa.Column("key", Key, nullable=False),
        sa.Column("value", Key, nullable=False),
        sa.PrimaryKeyConstraint("execution_id", "key", "value"),
        sqlite_with_rowid=False,
    )
    op.create_index("execution_labels_by_value", "execution_labels", ["key", "value", "execution_id"])
    op.create_table(
        "executions",
        sa.Column("id", Key, nullable=False),
        sa.Column("tenant_id", Key, nullable=False),
        sa.Column("namespace", Key, nullable=False),
        sa.Column("flow_id", Key, nullable=False),
        sa.Column("flow_revision", sa.Integer(), nullable=False),
        sa.Column("state", Key, nullable=False),
        sa.Column("start_date", sa.BigInteger(), nullable=False),
        sa.Column("end_date", sa.BigInteger()),
        sa.Column("duration", sa.BigInteger()),
        sa.Column("kind", Key),
        sa.Column("parent_id", Key),
        sa.Column("original_id", Key, nullable=False),
        sa.Column("trigger_id", Key),
        sa.Column("trigger_execution_id", Key),
        sa.Column("schedule_date", sa.BigInteger()),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("contents", sa.Text()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("executions_by_flow", "executions", ["tenant_id", "namespace", "flow_id", "start_date"])
    op.create_index("executions_by_original", "executions", ["original_id"], **where("original_id <> id"))
    op.create_index("executions_by_parent", "executions", ["parent_id"], **where("parent_id IS NOT NULL"))
    op.create_index("executions_by_start", "executions", ["tenant_id", "start_date"])
    op.create_index(
        "executions_by_state", "executions", ["tenant_id", "state", "start_date", "namespace", "flow_id"]
    )
    op.create_index(
        "executions_by_trigger_execution",
        "executions",
        ["trigger_execution_id"],
        **where("trigger_execution_id IS NOT NULL"),
    )
    op.create_index("executions_not_ended", "executions", ["id"], **where(NOT_ENDED))
    op.create_table(
        "flows",
        sa.Column("tenant_id", Key, nullable=False),
        sa.Column("namespace", Key, nullable=False),
        sa.Column("id", Key, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("latest", sa.Boolean(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("listens", sa.Boolean(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "namespace", "id", "revision"),
    )
    op.create_index(
        "flows_listening", "flows", ["tenant_id", "namespace", "id"], **where("latest AND listens")
    )
    op.create_index("flows_latest", "flows", ["tenant_id", "namespace", "id"], unique=True, **where("latest"))
    op.create_table(
        "kv_entries",
        sa.Column("tenant_id", Key, nullable=False),
        sa.Column("namespace", Key, nullable=False),
        sa.Column("key", Key, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("latest", sa.Boolean(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("type", Key, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger()),
        sa.PrimaryKeyConstraint("tenant_id", "namespace", "key", "version"),
    )
    op.create_index("kv_entries_by_expiry", "kv_entries", ["expires"], **where("expires IS NOT NULL"))
    op.create_index(
        "kv_entries_latest", "kv_entries", ["tenant_id", "namespace", "key"], unique=True, **where("latest")
    )
    op.create_table(
        "history_pages",
        sa.Column("execution_id", Key, nullable=False),
        sa.Column("record_id", Key, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("states", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", "number"),
        sqlite_with_rowid=False,
    )
    op.create_index("history_pages_by_execution", "history_pages", ["execution_id"])
    op.create_table(
        "logs",
        sa.Column("execution_id", Key, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("tenant_id", Key, nullable=False),
        sa.Column("namespace", Key, nullable=False),
        sa.Column("flow_id", Key, nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("task_id", Key),
        sa.Column("task_run_id", Key),
        sa.Column("attempt_number", sa.Integer()),
        sa.Column("trigger_id", Key),
        sa.Column("thread", sa.Text()),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("execution_id", "sequence"),
        sqlite_with_rowid=False,
    )
    op.create_index("logs_by_flow", "logs", ["tenant_id", "namespace", "flow_id", "timestamp"])
    op.create_index("logs_by_time", "logs", ["tenant_id", "timestamp"])
    op.create_table(
        "log_floors",
        sa.Column("execution_id", Key, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("execution_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "file_loans",
        sa.Column("lender_id", Key, nullable=False),
        sa.Column("borrower_id", Key, nullable=False),
        sa.PrimaryKeyConstraint("lender_id", "borrower_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("file_loans_by_borrower", "file_loans", ["borrower_id"])
    op.create_table(
        "released_files",
        sa.Column("execution_id", Key, nullable=False),
        sa.Column("tenant_id", Key, nullable=False),
        sa.Column("namespace", Key, nullable=False),
        sa.Column("flow_id", Key, nullable=False),
        sa.PrimaryKeyConstraint("execution_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "metrics",
        sa.Column("execution_id", Key, nullable=False),
        sa.Column("digest", Key, nullable=False),
        sa.Column("tenant_id", Key, nullable=False),
        sa.Column("namespace", Key, nullable=False),
        sa.Column("flow_id", Key, nullable=False),
        sa.Column("task_id", Key, nullable=False),
        sa.Column("task_run_id", Key, nullable=False),
        sa.Column("type", Key, nullable=False),
        sa.Column("name", Key, nullable=False),
        sa.Column("value", sa.Float(53), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("execution_id", "digest"),
        sqlite_with_rowid=False,
    )
    op.create_index("metrics_by_flow", "metrics", ["tenant_id", "namespace", "flow_id", "name", "timestamp"])
    op.create_table(
        "namespace_files",
        sa.Column("tenant_id", Key, nullable=False),
        sa.Column("namespace", Key, nullable=False),
        sa.Column("path", Key, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("latest", sa.Boolean(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text()),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "namespace", "path", "version"),
    )
    op.create_index(
        "namespace_files_latest",
        "namespace_files",
        ["tenant_id", "namespace", "path"],
        unique=True,
        **where("latest"),
    )
    op.create_table(
        "secrets",
        sa.Column("tenant_id", Key, nullable=False),
        sa.Column("namespace", Key, nullable=False),
        sa.Column("key", Key, nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "namespace", "key"),
    )
    op.create_table(
        "services",
        sa.Column("id", Key, nullable=False),
        sa.Column("type", Key, nullable=False),
        sa.Column("state", Key, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("heartbeat", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    op.create_index("services_by_state", "services", ["state", "heartbeat"])
    op.create_table(
        "settings",
        sa.Column("key", Key, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "task_runs",
        sa.Column("id", Key, nullable=False),
        sa.Column("execution_id", Key, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", Key, nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("outputs", sa.Text()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("task_runs_by_execution", "task_runs", ["execution_id", "position"])
    op.create_index("task_runs_not_ended", "task_runs", ["execution_id"], **where(NOT_ENDED))
    op.create_table(
        "timers",
        sa.Column("execution_id", Key, nullable=False),
        sa.Column("key", Key, nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("execution_id", "key"),
        sqlite_with_rowid=False,
    )
    op.create_index("timers_by_due", "timers", ["due"])
    op.create_table(
        "triggers",
        *(sa.Column(name, Key, nullable=False) for name in TRIGGER_KEY),
        sa.Column("kind", Key, nullable=False),
        sa.Column("flow_revision", sa.Integer(), nullable=False),
        sa.Column("fingerprint", Key, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger()),
        sa.Column("next_date", sa.BigInteger()),
        sa.Column("last_triggered", sa.BigInteger()),
        sa.Column("execution_id", Key),
        sa.Column("worker_id", Key),
        sa.Column("lease_owner", Key),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(*TRIGGER_KEY),
        sqlite_with_rowid=False,
    )
    op.create_index("triggers_by_due", "triggers", ["due"], **where("due IS NOT NULL"))
    op.create_index(
        "triggers_by_execution", "triggers", ["execution_id"], **where("execution_id IS NOT NULL")
    )
    op.create_index("triggers_by_lease", "triggers", ["lease_owner"], **where("lease_owner IS NOT NULL"))
    op.create_table(
        "trigger_events",
        *(sa.Column(name, Key, nullable=False) for name in TRIGGER_KEY),
        sa.Column("key", Key, nullable=False),
        sa.Column("execution_id", Key, nullable=False),
        sa.Column("slot", sa.BigInteger()),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*TRIGGER_KEY, "key"),
        sqlite_with_rowid=False,
    )
    op.create_index("trigger_events_by_execution", "trigger_events", ["execution_id"])
    op.create_index("trigger_events_by_age", "trigger_events", ["created"])
    op.create_index(
        "trigger_events_by_slot", "trigger_events", [*TRIGGER_KEY, "slot"], **where("slot IS NOT NULL")
    )
    op.create_table(
        "batched_events",
        sa.Column("id", Key, nullable=False),
        *(sa.Column(name, Key, nullable=False) for name in TRIGGER_KEY),
        sa.Column("batch_id", Key),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "batched_events_waiting",
        "batched_events",
        [*TRIGGER_KEY, "received", "size", "due"],
        **where("batch_id IS NULL"),
    )
    op.create_index(
        "batched_events_by_batch", "batched_events", ["batch_id"], **where("batch_id IS NOT NULL")
    )
    op.create_table(
        "backfills",
        sa.Column("id", Key, nullable=False),
        *(sa.Column(name, Key, nullable=False) for name in TRIGGER_KEY),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.Column("due", sa.BigInteger()),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    op.create_index("backfills_by_trigger", "backfills", [*TRIGGER_KEY])
    op.create_index("backfills_by_due", "backfills", ["due"], **where("due IS NOT NULL"))
    op.create_table(
        "gatherings",
        *(sa.Column(name, Key, nullable=False) for name in TRIGGER_KEY),
        sa.Column("gathering_id", Key, nullable=False),
        sa.Column("due", sa.BigInteger()),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(*TRIGGER_KEY, "gathering_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("gatherings_by_due", "gatherings", ["due"], **where("due IS NOT NULL"))
    op.create_table(
        "namespaces",
        sa.Column("tenant_id", Key, nullable=False),
        sa.Column("id", Key, nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "templates",
        sa.Column("tenant_id", Key, nullable=False),
        sa.Column("namespace", Key, nullable=False),
        sa.Column("id", Key, nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "namespace", "id"),
        sqlite_with_rowid=False,
    )
    if op.get_context().dialect.name == "sqlite":
        op.execute("ANALYZE sqlite_schema")
        for table, index, statistics in SQLITE_STATISTICS:
            op.execute(f"INSERT INTO sqlite_stat1 VALUES ('{table}', '{index}', '{statistics}')")
