"""A batch of the executor as statements and rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from windhover.model.execution import Execution, Label
from windhover.model.state import TERMINATED
from windhover.repository import statements
from windhover.repository.batch import CommitBatch
from windhover.repository.file_loans import gathering_borrower, gathering_loan_rows, loan_rows, released_row
from windhover.repository.gatherings import DELETE_GATHERINGS, UPSERT_GATHERINGS, gathering_row
from windhover.repository.records import (
    execution_row,
    label_rows,
    log_row,
    metric_rows,
    page_row,
    task_run_row,
    timer_row,
)
from windhover.repository.statement import BulkStatement, Row, Write
from windhover.repository.trigger_changes import stop_write
from windhover.util.turn import Turn

#: Labels by the id of their execution.
Labels = Mapping[str, tuple[Label, ...]]

#: After how many rows others may have their turn on the event loop.
_ROWS_AT_ONCE = 50

_Record = TypeVar("_Record")

#: What goes with an execution, always. Logs and metrics may be kept.
DELETE_EXECUTION: Sequence[BulkStatement] = (
    statements.DELETE_EXECUTIONS,
    statements.DELETE_LABELS,
    statements.DELETE_TASK_RUNS_OF,
    statements.DELETE_PAGES_OF,
    statements.DELETE_TIMERS_OF,
    statements.DELETE_LOG_FLOORS_OF,
)


class CommitWriter:
    """Turns batches into statements.

    An execution is written at each of its steps and its labels hardly ever change, so the writer remembers
    which labels it wrote for the executions under way and leaves the table of labels alone while they are
    the same.
    """

    def __init__(self) -> None:
        self._written_labels: dict[str, tuple[Label, ...]] = {}

    async def prepare(self, batch: CommitBatch) -> tuple[list[Write], Labels]:
        """The statements of a batch, and the labels to :meth:`remember` once they are committed.

        Of records that are in the batch twice the last counts. A large batch is read bit by bit, so that it
        does not hold up others on the event loop.
        """
        turn = Turn()
        executions = {execution.id: execution for execution in (*batch.created, *batch.updated)}
        created = {execution.id for execution in batch.created}
        relabelled = [execution for execution in executions.values() if not self._has_labels(execution)]
        # Until this is committed, nothing is known of their labels.
        for id_ in (*(execution.id for execution in relabelled), *batch.deleted_executions):
            self.forget(id_)
        old_labels = _keys(execution.id for execution in relabelled if execution.id not in created)

        execution_rows = await _rows(execution_row, executions.values(), turn)
        task_runs = {run.id: run for run in batch.task_runs}
        task_run_rows = await _rows(task_run_row, task_runs.values(), turn)
        page_rows = await _rows(page_row, batch.pages, turn)
        log_rows = await _rows(log_row, batch.logs, turn)
        released = {execution.id: execution for execution in batch.released_files}
        kept_for_good = [id_ for id_ in batch.deleted_executions if id_ not in released]
        gatherings = list({kept.key: kept for kept in batch.gatherings}.values())
        gathering_rows = [gathering_row(kept) for kept in gatherings]
        changed = [*(kept.key for kept in gatherings), *batch.forgotten_gatherings]

        removed, deleted = _keys(batch.removed_task_runs), _keys(batch.deleted_executions)

        writes = [
            Write(statements.DELETE_TIMERS, list(dict.fromkeys(batch.timers_cleared))),
            Write(statements.UPSERT_EXECUTIONS, execution_rows),
            Write(statements.DELETE_LABELS, old_labels),
            Write(statements.INSERT_LABELS, [row for each in relabelled for row in label_rows(each)]),
            Write(statements.UPSERT_TASK_RUNS, task_run_rows),
            Write(statements.INSERT_PAGES, page_rows),
            Write(
                statements.UPSERT_TIMERS,
                [
                    timer_row(timer)
                    for timer in {(t.execution_id, t.key): t for t in batch.timers_set}.values()
                ],
            ),
            Write(statements.INSERT_LOGS, log_rows),
            Write(statements.INSERT_METRICS, metric_rows(batch.metrics)),
            Write(statements.DELETE_TASK_RUNS, removed),
            Write(statements.DELETE_PAGES, removed),
            *(Write(statement, deleted) for statement in DELETE_EXECUTION),
            Write(statements.DELETE_LOGS_OF, _keys(batch.deleted_logs)),
            Write(statements.DELETE_METRICS_OF, _keys(batch.deleted_metrics)),
            Write(statements.DELETE_FILE_LOANS_TO, _keys(map(gathering_borrower, changed))),
            Write(
                statements.INSERT_FILE_LOANS,
                [
                    *loan_rows(created, execution_rows, task_run_rows),
                    *gathering_loan_rows(gatherings, gathering_rows),
                ],
            ),
            Write(statements.DELETE_FILE_LOANS_TO, _keys(kept_for_good)),
            Write(statements.INSERT_RELEASED_FILES, [released_row(each) for each in released.values()]),
            Write(statements.DELETE_RELEASED_FILES, _keys(batch.reclaimed_files)),
            stop_write(batch.stopped_triggers),
            Write(UPSERT_GATHERINGS, gathering_rows),
            Write(DELETE_GATHERINGS, list(dict.fromkeys(batch.forgotten_gatherings))),
        ]
        return [write for write in writes if write.rows], {
            execution.id: tuple(execution.labels)
            for execution in relabelled
            if execution.state.current not in TERMINATED
        }

    def remember(self, labels: Labels) -> None:
        """Note which labels are in the database."""
        self._written_labels.update(labels)

    def forget(self, execution_id: str) -> None:
        """Note that someone else may have written the labels of an execution."""
        self._written_labels.pop(execution_id, None)

    def _has_labels(self, execution: Execution) -> bool:
        if execution.state.current in TERMINATED:
            written = self._written_labels.pop(execution.id, None)
        else:
            written = self._written_labels.get(execution.id)
        return written is not None and written == tuple(execution.labels)


async def _rows(row_of: Callable[[_Record], Row], records: Collection[_Record], turn: Turn) -> list[Row]:
    if len(records) <= _ROWS_AT_ONCE:
        return [row_of(record) for record in records]
    left = iter(records)
    rows: list[Row] = []
    while some := [row_of(record) for record in islice(left, _ROWS_AT_ONCE)]:
        rows += some
        await turn.give_way()
    return rows


def _keys(ids: Iterable[str]) -> list[Row]:
    return [(id_,) for id_ in dict.fromkeys(ids)]
