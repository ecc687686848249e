"""The tables, once for all databases.

Instants are whole microseconds since 1970 (UTC) and durations whole microseconds, in both databases: they
sort, compare and divide into buckets the same way everywhere. Records are kept as JSON text (``data``);
beside it stand the columns that searches, purges and the start of a server need. There are no foreign
keys: what belongs to an execution is deleted by the transaction that deletes it.

Importing this module costs the import of SQLAlchemy. Only searches, migrations and tests do.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from windhover.repository.statements import ENDED

metadata = MetaData()

#: Text that is compared: bytewise, so that both databases sort alike and a prefix is a range of an index.
Key = Text().with_variant(Text(collation="C"), "postgresql")
#: Microseconds.
Instant = BigInteger
Duration = BigInteger

_NOT_ENDED = text(f"state NOT IN ({ENDED})")
_LATEST = text("latest")

flows = Table(
    "flows",
    metadata,
    Column("tenant_id", Key, nullable=False),
    Column("namespace", Key, nullable=False),
    Column("id", Key, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("latest", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("listens", Boolean, nullable=False),
    Column("updated", Instant, nullable=False),
    Column("description", Text),
    Column("labels", Text, nullable=False),
    Column("source", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "namespace", "id", "revision"),
    # The flows that an executor asks for at its start: those with Flow triggers.
    Index(
        "flows_listening",
        "tenant_id",
        "namespace",
        "id",
        sqlite_where=text("latest AND listens"),
        postgresql_where=text("latest AND listens"),
    ),
    Index(
        "flows_latest",
        "tenant_id",
        "namespace",
        "id",
        unique=True,
        sqlite_where=_LATEST,
        postgresql_where=_LATEST,
    ),
)

executions = Table(
    "executions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("tenant_id", Key, nullable=False),
    Column("namespace", Key, nullable=False),
    Column("flow_id", Key, nullable=False),
    Column("flow_revision", Integer, nullable=False),
    Column("state", Key, nullable=False),
    Column("start_date", Instant, nullable=False),
    Column("end_date", Instant),
    Column("duration", Duration),
    Column("kind", Key),
    Column("parent_id", Key),
    Column("original_id", Key, nullable=False),
    Column("trigger_id", Key),
    Column("trigger_execution_id", Key),
    Column("schedule_date", Instant),
    Column("data", Text, nullable=False),
    Column("contents", Text),
    Index("executions_by_start", "tenant_id", "start_date"),
    Index("executions_by_flow", "tenant_id", "namespace", "flow_id", "start_date"),
    # With the flow, so that counting failures below a namespace reads the index alone.
    Index("executions_by_state", "tenant_id", "state", "start_date", "namespace", "flow_id"),
    Index("executions_not_ended", "id", sqlite_where=_NOT_ENDED, postgresql_where=_NOT_ENDED),
    Index(
        "executions_by_parent",
        "parent_id",
        sqlite_where=text("parent_id IS NOT NULL"),
        postgresql_where=text("parent_id IS NOT NULL"),
    ),
    Index(
        "executions_by_original",
        "original_id",
        sqlite_where=text("original_id <> id"),
        postgresql_where=text("original_id <> id"),
    ),
    Index(
        "executions_by_trigger_execution",
        "trigger_execution_id",
        sqlite_where=text("trigger_execution_id IS NOT NULL"),
        postgresql_where=text("trigger_execution_id IS NOT NULL"),
    ),
)

execution_labels = Table(
    "execution_labels",
    metadata,
    Column("execution_id", Key, nullable=False),
    Column("key", Key, nullable=False),
    Column("value", Key, nullable=False),
    PrimaryKeyConstraint("execution_id", "key", "value"),
    Index("execution_labels_by_value", "key", "value", "execution_id"),
    sqlite_with_rowid=False,
)

task_runs = Table(
    "task_runs",
    metadata,
    Column("id", Key, primary_key=True),
    Column("execution_id", Key, nullable=False),
    Column("position", Integer, nullable=False),
    Column("state", Key, nullable=False),
    Column("data", Text, nullable=False),
    Column("outputs", Text),
    Index("task_runs_by_execution", "execution_id", "position"),
    Index("task_runs_not_ended", "execution_id", sqlite_where=_NOT_ENDED, postgresql_where=_NOT_ENDED),
)

#: What executions and task runs have been through, as far as their own rows do not hold it: written once.
history_pages = Table(
    "history_pages",
    metadata,
    Column("execution_id", Key, nullable=False),
    Column("record_id", Key, nullable=False),
    Column("number", Integer, nullable=False),
    Column("states", Text, nullable=False),
    Column("attempts", Text, nullable=False),
    PrimaryKeyConstraint("record_id", "number"),
    Index("history_pages_by_execution", "execution_id"),
    sqlite_with_rowid=False,
)

logs = Table(
    "logs",
    metadata,
    Column("execution_id", Key, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("tenant_id", Key, nullable=False),
    Column("namespace", Key, nullable=False),
    Column("flow_id", Key, nullable=False),
    Column("timestamp", Instant, nullable=False),
    Column("level", Integer, nullable=False),
    Column("task_id", Key),
    Column("task_run_id", Key),
    Column("attempt_number", Integer),
    Column("trigger_id", Key),
    Column("thread", Text),
    Column("message", Text, nullable=False),
    PrimaryKeyConstraint("execution_id", "sequence"),
    Index("logs_by_time", "tenant_id", "timestamp"),
    Index("logs_by_flow", "tenant_id", "namespace", "flow_id", "timestamp"),
    sqlite_with_rowid=False,
)

#: The number of the last line of executions under way whose lines were deleted: numbers never come again.
log_floors = Table(
    "log_floors",
    metadata,
    Column("execution_id", Key, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

metrics = Table(
    "metrics",
    metadata,
    Column("execution_id", Key, nullable=False),
    Column("digest", Key, nullable=False),
    Column("tenant_id", Key, nullable=False),
    Column("namespace", Key, nullable=False),
    Column("flow_id", Key, nullable=False),
    Column("task_id", Key, nullable=False),
    Column("task_run_id", Key, nullable=False),
    Column("type", Key, nullable=False),
    Column("name", Key, nullable=False),
    Column("value", Float(53), nullable=False),
    Column("timestamp", Instant, nullable=False),
    Column("tags", Text, nullable=False),
    PrimaryKeyConstraint("execution_id", "digest"),
    Index("metrics_by_flow", "tenant_id", "namespace", "flow_id", "name", "timestamp"),
    sqlite_with_rowid=False,
)

timers = Table(
    "timers",
    metadata,
    Column("execution_id", Key, nullable=False),
    Column("key", Key, nullable=False),
    Column("due", Instant, nullable=False),
    PrimaryKeyConstraint("execution_id", "key"),
    Index("timers_by_due", "due"),
    sqlite_with_rowid=False,
)

#: Executions that were given files of others when they were made: the lender's are kept for the borrower.
file_loans = Table(
    "file_loans",
    metadata,
    Column("lender_id", Key, nullable=False),
    Column("borrower_id", Key, nullable=False),
    PrimaryKeyConstraint("lender_id", "borrower_id"),
    Index("file_loans_by_borrower", "borrower_id"),
    sqlite_with_rowid=False,
)

#: Executions whose files are to be deleted, once nobody borrows them: a row goes when they are gone.
released_files = Table(
    "released_files",
    metadata,
    Column("execution_id", Key, primary_key=True),
    Column("tenant_id", Key, nullable=False),
    Column("namespace", Key, nullable=False),
    Column("flow_id", Key, nullable=False),
    sqlite_with_rowid=False,
)

services = Table(
    "services",
    metadata,
    Column("id", Key, primary_key=True),
    Column("type", Key, nullable=False),
    Column("state", Key, nullable=False),
    Column("created", Instant, nullable=False),
    Column("heartbeat", Instant, nullable=False),
    Column("data", Text, nullable=False),
    Index("services_by_state", "state", "heartbeat"),
    sqlite_with_rowid=False,
)

settings = Table(
    "settings",
    metadata,
    Column("key", Key, primary_key=True),
    Column("value", Text, nullable=False),
    Column("updated", Instant, nullable=False),
    sqlite_with_rowid=False,
)

kv_entries = Table(
    "kv_entries",
    metadata,
    Column("tenant_id", Key, nullable=False),
    Column("namespace", Key, nullable=False),
    Column("key", Key, nullable=False),
    Column("version", Integer, nullable=False),
    Column("latest", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("type", Key, nullable=False),
    Column("value", Text, nullable=False),
    Column("description", Text),
    Column("created", Instant, nullable=False),
    Column("updated", Instant, nullable=False),
    Column("expires", Instant),
    PrimaryKeyConstraint("tenant_id", "namespace", "key", "version"),
    Index(
        "kv_entries_latest",
        "tenant_id",
        "namespace",
        "key",
        unique=True,
        sqlite_where=_LATEST,
        postgresql_where=_LATEST,
    ),
    Index(
        "kv_entries_by_expiry",
        "expires",
        sqlite_where=text("expires IS NOT NULL"),
        postgresql_where=text("expires IS NOT NULL"),
    ),
)

#: ``sealed`` is the encrypted value. ``key`` is in upper case, ``tags`` a JSON list.
secrets = Table(
    "secrets",
    metadata,
    Column("tenant_id", Key, nullable=False),
    Column("namespace", Key, nullable=False),
    Column("key", Key, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("description", Text),
    Column("tags", Text, nullable=False),
    Column("created", Instant, nullable=False),
    Column("updated", Instant, nullable=False),
    PrimaryKeyConstraint("tenant_id", "namespace", "key"),
)

#: ``path`` ends with a slash for a directory, which has one version and no content.
namespace_files = Table(
    "namespace_files",
    metadata,
    Column("tenant_id", Key, nullable=False),
    Column("namespace", Key, nullable=False),
    Column("path", Key, nullable=False),
    Column("version", Integer, nullable=False),
    Column("latest", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("content", Text),
    Column("created", Instant, nullable=False),
    Column("updated", Instant, nullable=False),
    PrimaryKeyConstraint("tenant_id", "namespace", "path", "version"),
    Index(
        "namespace_files_latest",
        "tenant_id",
        "namespace",
        "path",
        unique=True,
        sqlite_where=_LATEST,
        postgresql_where=_LATEST,
    ),
)

#: ``active`` is what its flow says, ``disabled`` what people and tasks do. ``due`` is when a scheduler looks
#: next, or, while ``lease_owner`` names an evaluation, when that loses it.
triggers = Table(
    "triggers",
    metadata,
    Column("tenant_id", Key, nullable=False),
    Column("namespace", Key, nullable=False),
    Column("flow_id", Key, nullable=False),
    Column("trigger_id", Key, nullable=False),
    Column("kind", Key, nullable=False),
    Column("flow_revision", Integer, nullable=False),
    Column("fingerprint", Key, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("updated", Instant, nullable=False),
    Column("due", Instant),
    Column("next_date", Instant),
    Column("last_triggered", Instant),
    Column("execution_id", Key),
    Column("worker_id", Key),
    Column("lease_owner", Key),
    Column("data", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "namespace", "flow_id", "trigger_id"),
    Index(
        "triggers_by_due",
        "due",
        sqlite_where=text("due IS NOT NULL"),
        postgresql_where=text("due IS NOT NULL"),
    ),
    Index(
        "triggers_by_execution",
        "execution_id",
        sqlite_where=text("execution_id IS NOT NULL"),
        postgresql_where=text("execution_id IS NOT NULL"),
    ),
    Index(
        "triggers_by_lease",
        "lease_owner",
        sqlite_where=text("lease_owner IS NOT NULL"),
        postgresql_where=text("lease_owner IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

#: One row for each event that has started an execution: its key makes sure that no event starts two.
trigger_events = Table(
    "trigger_events",
    metadata,
    Column("tenant_id", Key, nullable=False),
    Column("namespace", Key, nullable=False),
    Column("flow_id", Key, nullable=False),
    Column("trigger_id", Key, nullable=False),
    Column("key", Key, nullable=False),
    Column("execution_id", Key, nullable=False),
    Column("slot", Instant),
    Column("created", Instant, nullable=False),
    PrimaryKeyConstraint("tenant_id", "namespace", "flow_id", "trigger_id", "key"),
    Index("trigger_events_by_execution", "execution_id"),
    Index("trigger_events_by_age", "created"),
    Index(
        "trigger_events_by_slot",
        "tenant_id",
        "namespace",
        "flow_id",
        "trigger_id",
        "slot",
        sqlite_where=text("slot IS NOT NULL"),
        postgresql_where=text("slot IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

#: Events that wait to become one execution with others. ``batch_id`` is the id of that execution, once it is
#: settled which events it has; they are deleted as it is written. ``due`` is how long each may wait.
batched_events = Table(
    "batched_events",
    metadata,
    Column("id", Key, primary_key=True),
    Column("tenant_id", Key, nullable=False),
    Column("namespace", Key, nullable=False),
    Column("flow_id", Key, nullable=False),
    Column("trigger_id", Key, nullable=False),
    Column("batch_id", Key),
    Column("size", BigInteger, nullable=False),
    Column("received", Instant, nullable=False),
    Column("due", Instant, nullable=False),
    Column("data", Text, nullable=False),
    Index(
        "batched_events_waiting",
        "tenant_id",
        "namespace",
        "flow_id",
        "trigger_id",
        "received",
        "size",
        "due",
        sqlite_where=text("batch_id IS NULL"),
        postgresql_where=text("batch_id IS NULL"),
    ),
    Index(
        "batched_events_by_batch",
        "batch_id",
        sqlite_where=text("batch_id IS NOT NULL"),
        postgresql_where=text("batch_id IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

#: ``due`` is null while a backfill is paused, or has as many executions under way as it may.
backfills = Table(
    "backfills",
    metadata,
    Column("id", Key, primary_key=True),
    Column("tenant_id", Key, nullable=False),
    Column("namespace", Key, nullable=False),
    Column("flow_id", Key, nullable=False),
    Column("trigger_id", Key, nullable=False),
    Column("version", Integer, nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("due", Instant),
    Column("data", Text, nullable=False),
    Index("backfills_by_trigger", "tenant_id", "namespace", "flow_id", "trigger_id"),
    Index(
        "backfills_by_due",
        "due",
        sqlite_where=text("due IS NOT NULL"),
        postgresql_where=text("due IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

#: What Flow triggers have gathered. ``due`` is when a window ends whose miss is to be told.
gatherings = Table(
    "gatherings",
    metadata,
    Column("tenant_id", Key, nullable=False),
    Column("namespace", Key, nullable=False),
    Column("flow_id", Key, nullable=False),
    Column("trigger_id", Key, nullable=False),
    Column("gathering_id", Key, nullable=False),
    Column("due", Instant),
    Column("data", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "namespace", "flow_id", "trigger_id", "gathering_id"),
    Index(
        "gatherings_by_due",
        "due",
        sqlite_where=text("due IS NOT NULL"),
        postgresql_where=text("due IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

#: What is declared for the flows of a namespace and of those below it.
namespaces = Table(
    "namespaces",
    metadata,
    Column("tenant_id", Key, nullable=False),
    Column("id", Key, nullable=False),
    Column("updated", Instant, nullable=False),
    Column("data", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    sqlite_with_rowid=False,
)

templates = Table(
    "templates",
    metadata,
    Column("tenant_id", Key, nullable=False),
    Column("namespace", Key, nullable=False),
    Column("id", Key, nullable=False),
    Column("updated", Instant, nullable=False),
    Column("source", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "namespace", "id"),
    sqlite_with_rowid=False,
)
