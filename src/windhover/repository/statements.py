"""The statements of the hot path: what a commit writes and what a server reads to go on.

The columns are those of ``tables.py``, in any order; the types are PostgreSQL's, for its arrays.
"""

from __future__ import annotations

from windhover.model.state import TERMINATED
from windhover.repository.statement import delete, sql, upsert

#: The states in which nothing follows, as a list for SQL. Part of two indexes: changing it needs a migration.
ENDED = ", ".join(f"'{state.value}'" for state in sorted(TERMINATED))

EXECUTION_COLUMNS = {
    "id": "text",
    "tenant_id": "text",
    "namespace": "text",
    "flow_id": "text",
    "flow_revision": "integer",
    "state": "text",
    "start_date": "bigint",
    "end_date": "bigint",
    "duration": "bigint",
    "kind": "text",
    "parent_id": "text",
    "original_id": "text",
    "trigger_id": "text",
    "trigger_execution_id": "text",
    "schedule_date": "bigint",
    "data": "text",
    "contents": "text",
}
#: Where an execution comes from never changes, and not naming it spares the indexes over it.
EXECUTION_CHANGES = ("flow_revision", "state", "end_date", "duration", "schedule_date", "data", "contents")

LABEL_COLUMNS = {"execution_id": "text", "key": "text", "value": "text"}

TASK_RUN_COLUMNS = {
    "id": "text",
    "execution_id": "text",
    "position": "integer",
    "state": "text",
    "data": "text",
    "outputs": "text",
}
TASK_RUN_CHANGES = ("state", "data", "outputs")

HISTORY_PAGE_COLUMNS = {
    "execution_id": "text",
    "record_id": "text",
    "number": "integer",
    "states": "text",
    "attempts": "text",
}

LOG_COLUMNS = {
    "execution_id": "text",
    "sequence": "bigint",
    "tenant_id": "text",
    "namespace": "text",
    "flow_id": "text",
    "timestamp": "bigint",
    "level": "integer",
    "task_id": "text",
    "task_run_id": "text",
    "attempt_number": "integer",
    "trigger_id": "text",
    "thread": "text",
    "message": "text",
}

METRIC_COLUMNS = {
    "execution_id": "text",
    "digest": "text",
    "tenant_id": "text",
    "namespace": "text",
    "flow_id": "text",
    "task_id": "text",
    "task_run_id": "text",
    "type": "text",
    "name": "text",
    "value": "double precision",
    "timestamp": "bigint",
    "tags": "text",
}

TIMER_COLUMNS = {"execution_id": "text", "key": "text", "due": "bigint"}

FILE_LOAN_COLUMNS = {"lender_id": "text", "borrower_id": "text"}

RELEASED_FILE_COLUMNS = {
    "execution_id": "text",
    "tenant_id": "text",
    "namespace": "text",
    "flow_id": "text",
}

_EXECUTION_ID = {"execution_id": "text"}

UPSERT_EXECUTIONS = upsert("executions", EXECUTION_COLUMNS, ["id"], EXECUTION_CHANGES)
DELETE_EXECUTIONS = delete("executions", {"id": "text"})
INSERT_LABELS = upsert("execution_labels", LABEL_COLUMNS, list(LABEL_COLUMNS), [])
DELETE_LABELS = delete("execution_labels", _EXECUTION_ID)
UPSERT_TASK_RUNS = upsert("task_runs", TASK_RUN_COLUMNS, ["id"], TASK_RUN_CHANGES)
DELETE_TASK_RUNS = delete("task_runs", {"id": "text"})
DELETE_TASK_RUNS_OF = delete("task_runs", _EXECUTION_ID)
INSERT_PAGES = upsert("history_pages", HISTORY_PAGE_COLUMNS, ["record_id", "number"], [])
DELETE_PAGES = delete("history_pages", {"record_id": "text"})
DELETE_PAGES_OF = delete("history_pages", _EXECUTION_ID)
INSERT_LOGS = upsert("logs", LOG_COLUMNS, ["execution_id", "sequence"], [])
DELETE_LOGS_OF = delete("logs", _EXECUTION_ID)
DELETE_LOG_FLOORS_OF = delete("log_floors", _EXECUTION_ID)
INSERT_METRICS = upsert("metrics", METRIC_COLUMNS, ["execution_id", "digest"], [])
DELETE_METRICS_OF = delete("metrics", _EXECUTION_ID)
UPSERT_TIMERS = upsert("timers", TIMER_COLUMNS, ["execution_id", "key"])
DELETE_TIMERS = delete("timers", {"execution_id": "text", "key": "text"})
DELETE_TIMERS_OF = delete("timers", _EXECUTION_ID)
INSERT_FILE_LOANS = upsert("file_loans", FILE_LOAN_COLUMNS, list(FILE_LOAN_COLUMNS), [])
DELETE_FILE_LOANS_TO = delete("file_loans", {"borrower_id": "text"})
INSERT_RELEASED_FILES = upsert("released_files", RELEASED_FILE_COLUMNS, ["execution_id"], [])
DELETE_RELEASED_FILES = delete("released_files", _EXECUTION_ID)

LOAD_HEADER = sql("SELECT data, contents FROM executions WHERE id = ?")
LOAD_TASK_RUNS = sql("SELECT data, outputs FROM task_runs WHERE execution_id = ? ORDER BY position, id")
LOAD_PAGES = sql(
    "SELECT record_id, states, attempts FROM history_pages WHERE execution_id = ? ORDER BY record_id, number"
)
LOAD_PAGES_OF_RECORD = sql(
    "SELECT record_id, states, attempts FROM history_pages WHERE record_id = ? ORDER BY number"
)
LAST_LOG_SEQUENCE = sql(
    "SELECT max(sequence) FROM (SELECT max(sequence) AS sequence FROM logs WHERE execution_id = ? "
    "UNION ALL SELECT sequence FROM log_floors WHERE execution_id = ?) AS numbers"
)
DUE_TIMERS = sql("SELECT execution_id, key, due FROM timers WHERE due <= ? ORDER BY due LIMIT ?")
NEXT_TIMER = sql("SELECT min(due) FROM timers")
TIMERS_OF = sql("SELECT execution_id, key, due FROM timers WHERE execution_id = ? ORDER BY due, key")
UNSTARTED = sql(
    "SELECT e.data, e.contents, (SELECT max(sequence) FROM logs AS l WHERE l.execution_id = e.id) "
    f"FROM executions AS e WHERE e.state NOT IN ({ENDED}) AND e.state = 'CREATED' AND e.trigger_id "
    "IS NOT NULL AND e.schedule_date IS NULL "
    "AND NOT EXISTS (SELECT 1 FROM task_runs AS r WHERE r.execution_id = e.id) ORDER BY e.id LIMIT ?"
)
