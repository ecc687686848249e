-- Made from tables.py by `python -m windhover.repository.migrate`.
CREATE TABLE backfills (
    id TEXT COLLATE "C" NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    flow_id TEXT COLLATE "C" NOT NULL,
    trigger_id TEXT COLLATE "C" NOT NULL,
    version INTEGER NOT NULL,
    ended BOOLEAN NOT NULL,
    due BIGINT,
    data TEXT NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX backfills_by_due ON backfills (due) WHERE due IS NOT NULL;
CREATE INDEX backfills_by_trigger ON backfills (tenant_id, namespace, flow_id, trigger_id);
CREATE TABLE batched_events (
    id TEXT COLLATE "C" NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    flow_id TEXT COLLATE "C" NOT NULL,
    trigger_id TEXT COLLATE "C" NOT NULL,
    batch_id TEXT COLLATE "C",
    size BIGINT NOT NULL,
    received BIGINT NOT NULL,
    due BIGINT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX batched_events_by_batch ON batched_events (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX batched_events_waiting ON batched_events (tenant_id, namespace, flow_id, trigger_id, received, size, due) WHERE batch_id IS NULL;
CREATE TABLE execution_labels (
    execution_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (execution_id, key, value)
);
CREATE INDEX execution_labels_by_value ON execution_labels (key, value, execution_id);
CREATE TABLE executions (
    id TEXT COLLATE "C" NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    flow_id TEXT COLLATE "C" NOT NULL,
    flow_revision INTEGER NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    start_date BIGINT NOT NULL,
    end_date BIGINT,
    duration BIGINT,
    kind TEXT COLLATE "C",
    parent_id TEXT COLLATE "C",
    original_id TEXT COLLATE "C" NOT NULL,
    trigger_id TEXT COLLATE "C",
    trigger_execution_id TEXT COLLATE "C",
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
    lender_id TEXT COLLATE "C" NOT NULL,
    borrower_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (lender_id, borrower_id)
);
CREATE INDEX file_loans_by_borrower ON file_loans (borrower_id);
CREATE TABLE flows (
    tenant_id TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
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
    tenant_id TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    flow_id TEXT COLLATE "C" NOT NULL,
    trigger_id TEXT COLLATE "C" NOT NULL,
    gathering_id TEXT COLLATE "C" NOT NULL,
    due BIGINT,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant_id, namespace, flow_id, trigger_id, gathering_id)
);
CREATE INDEX gatherings_by_due ON gatherings (due) WHERE due IS NOT NULL;
CREATE TABLE history_pages (
    execution_id TEXT COLLATE "C" NOT NULL,
    record_id TEXT COLLATE "C" NOT NULL,
    number INTEGER NOT NULL,
    states TEXT NOT NULL,
    attempts TEXT NOT NULL,
    PRIMARY KEY (record_id, number)
);
CREATE INDEX history_pages_by_execution ON history_pages (execution_id);
CREATE TABLE kv_entries (
    tenant_id TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    version INTEGER NOT NULL,
    latest BOOLEAN NOT NULL,
    deleted BOOLEAN NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    value TEXT NOT NULL,
    description TEXT,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    expires BIGINT,
    PRIMARY KEY (tenant_id, namespace, key, version)
);
CREATE INDEX kv_entries_by_expiry ON kv_entries (expires) WHERE expires IS NOT NULL;
CREATE UNIQUE INDEX kv_entries_latest ON kv_entries (tenant_id, namespace, key) WHERE latest;
CREATE TABLE log_floors (
    execution_id TEXT COLLATE "C" NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (execution_id)
);
CREATE TABLE logs (
    execution_id TEXT COLLATE "C" NOT NULL,
    sequence BIGINT NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    flow_id TEXT COLLATE "C" NOT NULL,
    timestamp BIGINT NOT NULL,
    level INTEGER NOT NULL,
    task_id TEXT COLLATE "C",
    task_run_id TEXT COLLATE "C",
    attempt_number INTEGER,
    trigger_id TEXT COLLATE "C",
    thread TEXT,
    message TEXT NOT NULL,
    PRIMARY KEY (execution_id, sequence)
);
CREATE INDEX logs_by_flow ON logs (tenant_id, namespace, flow_id, timestamp);
CREATE INDEX logs_by_time ON logs (tenant_id, timestamp);
CREATE TABLE metrics (
    execution_id TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    flow_id TEXT COLLATE "C" NOT NULL,
    task_id TEXT COLLATE "C" NOT NULL,
    task_run_id TEXT COLLATE "C" NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    value FLOAT(53) NOT NULL,
    timestamp BIGINT NOT NULL,
    tags TEXT NOT NULL,
    PRIMARY KEY (execution_id, digest)
);
CREATE INDEX metrics_by_flow ON metrics (tenant_id, namespace, flow_id, name, timestamp);
CREATE TABLE namespace_files (
    tenant_id TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
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
    tenant_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    updated BIGINT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE TABLE released_files (
    execution_id TEXT COLLATE "C" NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    flow_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (execution_id)
);
CREATE TABLE secrets (
    tenant_id TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    sealed TEXT NOT NULL,
    description TEXT,
    tags TEXT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, namespace, key)
);
CREATE TABLE services (
    id TEXT COLLATE "C" NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    heartbeat BIGINT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX services_by_state ON services (state, heartbeat);
CREATE TABLE settings (
    key TEXT COLLATE "C" NOT NULL,
    value TEXT NOT NULL,
    updated BIGINT NOT NULL,
    PRIMARY KEY (key)
);
CREATE TABLE task_runs (
    id TEXT COLLATE "C" NOT NULL,
    execution_id TEXT COLLATE "C" NOT NULL,
    position INTEGER NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    data TEXT NOT NULL,
    outputs TEXT,
    PRIMARY KEY (id)
);
CREATE INDEX task_runs_by_execution ON task_runs (execution_id, position);
CREATE INDEX task_runs_not_ended ON task_runs (execution_id) WHERE state NOT IN ('CANCELLED', 'FAILED', 'KILLED', 'RESUBMITTED', 'RETRIED', 'SKIPPED', 'SUCCESS', 'WARNING');
CREATE TABLE templates (
    tenant_id TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    updated BIGINT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (tenant_id, namespace, id)
);
CREATE TABLE timers (
    execution_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    due BIGINT NOT NULL,
    PRIMARY KEY (execution_id, key)
);
CREATE INDEX timers_by_due ON timers (due);
CREATE TABLE trigger_events (
    tenant_id TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    flow_id TEXT COLLATE "C" NOT NULL,
    trigger_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    execution_id TEXT COLLATE "C" NOT NULL,
    slot BIGINT,
    created BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, namespace, flow_id, trigger_id, key)
);
CREATE INDEX trigger_events_by_age ON trigger_events (created);
CREATE INDEX trigger_events_by_execution ON trigger_events (execution_id);
CREATE INDEX trigger_events_by_slot ON trigger_events (tenant_id, namespace, flow_id, trigger_id, slot) WHERE slot IS NOT NULL;
CREATE TABLE triggers (
    tenant_id TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    flow_id TEXT COLLATE "C" NOT NULL,
    trigger_id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    flow_revision INTEGER NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL,
    active BOOLEAN NOT NULL,
    disabled BOOLEAN NOT NULL,
    updated BIGINT NOT NULL,
    due BIGINT,
    next_date BIGINT,
    last_triggered BIGINT,
    execution_id TEXT COLLATE "C",
    worker_id TEXT COLLATE "C",
    lease_owner TEXT COLLATE "C",
    data TEXT NOT NULL,
    PRIMARY KEY (tenant_id, namespace, flow_id, trigger_id)
);
CREATE INDEX triggers_by_due ON triggers (due) WHERE due IS NOT NULL;
CREATE INDEX triggers_by_execution ON triggers (execution_id) WHERE execution_id IS NOT NULL;
CREATE INDEX triggers_by_lease ON triggers (lease_owner) WHERE lease_owner IS NOT NULL;
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
INSERT INTO alembic_version (version_num) VALUES ('0001');
