-- Made from tables.py by `python -m windhover.repository.migrate`.
CREATE TABLE backfills (
    id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    ended BOOLEAN NOT NULL,
    due BIGINT,
    data TEXT NOT NULL,
    PRIMARY KEY (id)
)
 WITHOUT ROWID;
CREATE INDEX backfills_by_due ON backfills (due) WHERE due IS NOT NULL;
CREATE INDEX backfills_by_trigger ON backfills (tenant_id, namespace, flow_id, trigger_id);
CREATE TABLE batched_events (
    id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    batch_id TEXT,
    size BIGINT NOT NULL,
    received BIGINT NOT NULL,
    due BIGINT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (id)
)
 WITHOUT ROWID;
CREATE INDEX batched_events_by_batch ON batched_events (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX batched_events_waiting ON batched_events (tenant_id, namespace, flow_id, trigger_id, received, size, due) WHERE batch_id IS NULL;
CREATE TABLE execution_labels (
    execution_id TEXT NOT NULL,
    "key" TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (execution_id, "key", value)
)
 WITHOUT ROWID;
CREATE INDEX execution_labels_by_value ON execution_labels ("key", value, execution_id);
CREATE TABLE executions (
    id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    flow_revision INTEGER NOT NULL,
    state TEXT NOT NULL,
    start_date BIGINT NOT NULL,
    end_date BIGINT,
    duration BIGINT,
    kind TEXT,
    parent_id TEXT,
    original_id TEXT NOT NULL,
    trigger_id TEXT,
    trigger_execution_id TEXT,
    schedule_date BIGINT,
    data TEXT NOT NULL,
    contents TEXT,
    PRIMARY KEY (id)
);
CREATE INDEX executions_by_flow ON executions (tenant_id, namespace, flow_id, start_date);
CREATE INDEX executions_by_original ON executions (original_id) WHERE original_id <> id;
CREATE INDEX executions_by_parent ON executions (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX executions_by_start ON executions (tenant_id, start_date);
CREATE INDEX executions_by_state ON executions (tenant_id, state, start_date, namespace, flow_id);
CREATE INDEX executions_by_trigger_execution ON executions (trigger_execution_id) WHERE trigger_execution_id IS NOT NULL;
CREATE INDEX executions_not_ended ON executions (id) WHERE state NOT IN ('CANCELLED', 'FAILED', 'KILLED', 'RESUBMITTED', 'RETRIED', 'SKIPPED', 'SUCCESS', 'WARNING');
CREATE TABLE file_loans (
    lender_id TEXT NOT NULL,
    borrower_id TEXT NOT NULL,
    PRIMARY KEY (lender_id, borrower_id)
)
 WITHOUT ROWID;
CREATE INDEX file_loans_by_borrower ON file_loans (borrower_id);
CREATE TABLE flows (
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    latest BOOLEAN NOT NULL,
    deleted BOOLEAN NOT NULL,
    disabled BOOLEAN NOT NULL,
    listens BOOLEAN NOT NULL,
    updated BIGINT NOT NULL,
    description TEXT,
    labels TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (tenant_id, namespace, id, revision)
);
CREATE UNIQUE INDEX flows_latest ON flows (tenant_id, namespace, id) WHERE latest;
CREATE INDEX flows_listening ON flows (tenant_id, namespace, id) WHERE latest AND listens;
CREATE TABLE gatherings (
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    gathering_id TEXT NOT NULL,
    due BIGINT,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant_id, namespace, flow_id, trigger_id, gathering_id)
)
 WITHOUT ROWID;
CREATE INDEX gatherings_by_due ON gatherings (due) WHERE due IS NOT NULL;
CREATE TABLE history_pages (
    execution_id TEXT NOT NULL,
    record_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    states TEXT NOT NULL,
    attempts TEXT NOT NULL,
    PRIMARY KEY (record_id, number)
)
 WITHOUT ROWID;
CREATE INDEX history_pages_by_execution ON history_pages (execution_id);
CREATE TABLE kv_entries (
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    "key" TEXT NOT NULL,
    version INTEGER NOT NULL,
    latest BOOLEAN NOT NULL,
    deleted BOOLEAN NOT NULL,
    type TEXT NOT NULL,
    value TEXT NOT NULL,
    description TEXT,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    expires BIGINT,
    PRIMARY KEY (tenant_id, namespace, "key", version)
);
CREATE INDEX kv_entries_by_expiry ON kv_entries (expires) WHERE expires IS NOT NULL;
CREATE UNIQUE INDEX kv_entries_latest ON kv_entries (tenant_id, namespace, "key") WHERE latest;
CREATE TABLE log_floors (
    execution_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (execution_id)
)
 WITHOUT ROWID;
CREATE TABLE logs (
    execution_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    timestamp BIGINT NOT NULL,
    level INTEGER NOT NULL,
    task_id TEXT,
    task_run_id TEXT,
    attempt_number INTEGER,
    trigger_id TEXT,
    thread TEXT,
    message TEXT NOT NULL,
    PRIMARY KEY (execution_id, sequence)
)
 WITHOUT ROWID;
CREATE INDEX logs_by_flow ON logs (tenant_id, namespace, flow_id, timestamp);
CREATE INDEX logs_by_time ON logs (tenant_id, timestamp);
CREATE TABLE metrics (
    execution_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    task_run_id TEXT NOT NULL,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    value FLOAT NOT NULL,
    timestamp BIGINT NOT NULL,
    tags TEXT NOT NULL,
    PRIMARY KEY (execution_id, digest)
)
 WITHOUT ROWID;
CREATE INDEX metrics_by_flow ON metrics (tenant_id, namespace, flow_id, name, timestamp);
CREATE TABLE namespace_files (
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    path TEXT NOT NULL,
    version INTEGER NOT NULL,
    latest BOOLEAN NOT NULL,
    deleted BOOLEAN NOT NULL,
    size BIGINT NOT NULL,
    content TEXT,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, namespace, path, version)
);
CREATE UNIQUE INDEX namespace_files_latest ON namespace_files (tenant_id, namespace, path) WHERE latest;
CREATE TABLE namespaces (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    updated BIGINT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
)
 WITHOUT ROWID;
CREATE TABLE released_files (
    execution_id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    PRIMARY KEY (execution_id)
)
 WITHOUT ROWID;
CREATE TABLE secrets (
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    "key" TEXT NOT NULL,
    sealed TEXT NOT NULL,
    description TEXT,
    tags TEXT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, namespace, "key")
);
CREATE TABLE services (
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    state TEXT NOT NULL,
    created BIGINT NOT NULL,
    heartbeat BIGINT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (id)
)
 WITHOUT ROWID;
CREATE INDEX services_by_state ON services (state, heartbeat);
CREATE TABLE settings (
    "key" TEXT NOT NULL,
    value TEXT NOT NULL,
    updated BIGINT NOT NULL,
    PRIMARY KEY ("key")
)
 WITHOUT ROWID;
CREATE TABLE task_runs (
    id TEXT NOT NULL,
    execution_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    state TEXT NOT NULL,
    data TEXT NOT NULL,
    outputs TEXT,
    PRIMARY KEY (id)
);
CREATE INDEX task_runs_by_execution ON task_runs (execution_id, position);
CREATE INDEX task_runs_not_ended ON task_runs (execution_id) WHERE state NOT IN ('CANCELLED', 'FAILED', 'KILLED', 'RESUBMITTED', 'RETRIED', 'SKIPPED', 'SUCCESS', 'WARNING');
CREATE TABLE templates (
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    id TEXT NOT NULL,
    updated BIGINT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (tenant_id, namespace, id)
)
 WITHOUT ROWID;
CREATE TABLE timers (
    execution_id TEXT NOT NULL,
    "key" TEXT NOT NULL,
    due BIGINT NOT NULL,
    PRIMARY KEY (execution_id, "key")
)
 WITHOUT ROWID;
CREATE INDEX timers_by_due ON timers (due);
CREATE TABLE trigger_events (
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    "key" TEXT NOT NULL,
    execution_id TEXT NOT NULL,
    slot BIGINT,
    created BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, namespace, flow_id, trigger_id, "key")
)
 WITHOUT ROWID;
CREATE INDEX trigger_events_by_age ON trigger_events (created);
CREATE INDEX trigger_events_by_execution ON trigger_events (execution_id);
CREATE INDEX trigger_events_by_slot ON trigger_events (tenant_id, namespace, flow_id, trigger_id, slot) WHERE slot IS NOT NULL;
CREATE TABLE triggers (
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    flow_revision INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    disabled BOOLEAN NOT NULL,
    updated BIGINT NOT NULL,
    due BIGINT,
    next_date BIGINT,
    last_triggered BIGINT,
    execution_id TEXT,
    worker_id TEXT,
    lease_owner TEXT,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant_id, namespace, flow_id, trigger_id)
)
 WITHOUT ROWID;
CREATE INDEX triggers_by_due ON triggers (due) WHERE due IS NOT NULL;
CREATE INDEX triggers_by_execution ON triggers (execution_id) WHERE execution_id IS NOT NULL;
CREATE INDEX triggers_by_lease ON triggers (lease_owner) WHERE lease_owner IS NOT NULL;
ANALYZE sqlite_schema;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('executions', 'sqlite_autoindex_executions_1', '1000000 1'),
    ('executions', 'executions_by_start', '1000000 1000000 1'),
    ('executions', 'executions_by_flow', '1000000 1000000 50000 5000 1'),
    ('executions', 'executions_by_state', '1000000 1000000 20000 1 1 1'),
    ('executions', 'executions_not_ended', '1000 1'),
    ('executions', 'executions_by_parent', '10000 2'),
    ('executions', 'executions_by_original', '10000 2'),
    ('executions', 'executions_by_trigger_execution', '100000 5'),
    ('execution_labels', 'execution_labels', '3000000 3 1 1'),
    ('execution_labels', 'execution_labels_by_value', '3000000 500000 50 1'),
    ('task_runs', 'sqlite_autoindex_task_runs_1', '5000000 1'),
    ('task_runs', 'task_runs_by_execution', '5000000 5 1'),
    ('task_runs', 'task_runs_not_ended', '1000 2'),
    ('history_pages', 'history_pages', '100000 10 1'),
    ('history_pages', 'history_pages_by_execution', '100000 20'),
    ('logs', 'logs', '10000000 10 1'),
    ('logs', 'logs_by_time', '10000000 10000000 1'),
    ('logs', 'logs_by_flow', '10000000 10000000 500000 50000 1'),
    ('metrics', 'metrics', '1000000 2 1'),
    ('metrics', 'metrics_by_flow', '1000000 1000000 50000 5000 1000 1'),
    ('file_loans', 'file_loans', '100000 5 1'),
    ('file_loans', 'file_loans_by_borrower', '100000 2 1'),
    ('triggers', 'triggers', '100000 100000 5000 5 1'),
    ('triggers', 'triggers_by_due', '100000 2'),
    ('triggers', 'triggers_by_execution', '1000 1'),
    ('triggers', 'triggers_by_lease', '1000 100'),
    ('trigger_events', 'trigger_events', '1000000 1000000 50000 5000 1000 1'),
    ('trigger_events', 'trigger_events_by_execution', '1000000 1'),
    ('trigger_events', 'trigger_events_by_age', '1000000 2'),
    ('trigger_events', 'trigger_events_by_slot', '1000000 1000000 50000 5000 1000 1');
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
INSERT INTO alembic_version (version_num) VALUES ('0001');
