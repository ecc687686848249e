"""What SQLite is told of its indexes before there are any rows."""

from __future__ import annotations

#: How many rows an index has, and how many of them share a value of its first column, its first two, and so
#: on, in a large database. SQLite chooses its plans by these. Left to itself it would know nothing of a young
#: database and take the column that all rows share (the tenant) for a better start than a label or an id.
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
