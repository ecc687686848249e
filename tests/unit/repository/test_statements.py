"""The hot path's statements against the tables they are for."""

from __future__ import annotations

import pytest
from sqlalchemy import BigInteger, Boolean, Float, Integer, Table, Text

from windhover.model.state import TERMINATED
from windhover.repository import (
    batched_events,
    flows,
    namespaces,
    secrets,
    services,
    settings,
    statements,
    tables,
    templates,
)
from windhover.repository.migrate import render_ddl
from windhover.repository.schema import HEAD, ddl
from windhover.repository.statement import delete, sql, together, upsert

_TYPES = {
    "text": Text,
    "integer": Integer,
    "bigint": BigInteger,
    "boolean": Boolean,
    "double precision": Float,
}


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        (tables.executions, statements.EXECUTION_COLUMNS),
        (tables.execution_labels, statements.LABEL_COLUMNS),
        (tables.task_runs, statements.TASK_RUN_COLUMNS),
        (tables.logs, statements.LOG_COLUMNS),
        (tables.metrics, statements.METRIC_COLUMNS),
        (tables.timers, statements.TIMER_COLUMNS),
        (tables.file_loans, statements.FILE_LOAN_COLUMNS),
        (tables.released_files, statements.RELEASED_FILE_COLUMNS),
        (tables.flows, flows.FLOW_COLUMNS),
        (tables.services, services.SERVICE_COLUMNS),
        (tables.settings, settings.SETTING_COLUMNS),
        (tables.secrets, secrets.SECRET_COLUMNS),
        (tables.namespaces, namespaces.NAMESPACE_COLUMNS),
        (tables.templates, templates.TEMPLATE_COLUMNS),
        (tables.batched_events, batched_events.BATCHED_COLUMNS),
    ],
    ids=lambda value: value.name if isinstance(value, Table) else "",
)
def test_columns_are_those_of_the_table(table: Table, columns: dict[str, str]) -> None:
    assert {column.name: type(column.type) for column in table.columns} == {
        name: _TYPES[type_] for name, type_ in columns.items()
    }


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_the_text_of_the_tables_is_that_of_their_definition(dialect: str) -> None:
    rendered = [part.strip() for part in render_ddl(dialect).split(";\n") if part.strip()]
    assert list(ddl(dialect)) == rendered


def test_the_head_is_the_newest_migration() -> None:
    from alembic.script import ScriptDirectory

    from windhover.repository.migrate import _config

    assert ScriptDirectory.from_config(_config()).get_current_head() == HEAD


def test_the_indexes_of_open_states_know_all_ended_ones() -> None:
    assert {name.strip("'") for name in statements.ENDED.split(", ")} == {state.value for state in TERMINATED}


def test_parameters_are_numbered_for_postgresql() -> None:
    statement = sql("SELECT a FROM t WHERE b = ? AND c > ? LIMIT ?")
    assert statement.postgresql == "SELECT a FROM t WHERE b = $1 AND c > $2 LIMIT $3"


def test_statements_on_different_tables_become_one() -> None:
    first = upsert("t", {"id": "text", "n": "integer"}, ["id"])
    second = delete("u", {"id": "text"})
    assert together((first, second, first)) == (
        "WITH w0 AS (INSERT INTO t (id, n) SELECT * FROM unnest($1::text[], $2::integer[]) "
        "ON CONFLICT (id) DO UPDATE SET n = excluded.n), "
        "w1 AS (DELETE FROM u USING unnest($3::text[]) AS doomed (id) WHERE u.id = doomed.id) "
        "INSERT INTO t (id, n) SELECT * FROM unnest($4::text[], $5::integer[]) "
        "ON CONFLICT (id) DO UPDATE SET n = excluded.n"
    )
    assert together((second,)) == second.postgresql


def test_an_upsert_without_changes_leaves_rows_alone() -> None:
    assert upsert("t", {"id": "text"}, ["id"], []).sqlite == (
        "INSERT INTO t (id) VALUES (?) ON CONFLICT (id) DO NOTHING"
    )
