"""Executions, their task runs and their timers.

Documentation page: ``docs/databases.md``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
from datetime import datetime, timedelta

import msgspec

from windhover.model.execution import Execution, TaskRun
from windhover.model.state import TERMINATED, StateType
from windhover.repository import statements
from windhover.repository.batch import CommitBatch, Timer
from windhover.repository.commit import CommitWriter
from windhover.repository.database import Database
from windhover.repository.execution_query import DistinctField, ExecutionQuery
from windhover.repository.filters import Page
from windhover.repository.instants import duration_micros, from_micros, to_micros
from windhover.repository.lazy_search import load_search
from windhover.repository.records import add_pages, execution_of, task_run_of, timer_of
from windhover.repository.statement import Row, Statement, sql

#: The states in which a server that starts has something to do at once. The others wait for someone, or
#: for a timer.
ACTIVE_STATES = frozenset(StateType) - TERMINATED - {StateType.PAUSED, StateType.QUEUED, StateType.BREAKPOINT}


class ExecutionCount(msgspec.Struct, frozen=True):
    """How many executions started in one span of time and are in one state."""

    start: datetime
    state: StateType
    count: int
    #: The sum over those that have ended.
    duration: timedelta


class ExecutionRepository:
    """Keeps executions. All changes to them come in batches, each one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._commits = CommitWriter()

    async def commit(self, batch: CommitBatch) -> None:
        """Write a batch, all of it or nothing; when this returns it survives a power cut.

        Its records must not change before this returns. Writing the same batch again changes nothing. Timers
        are cleared before others are set: one that is in both lists is set afterwards. Task runs are removed,
        and executions deleted, after all the rest.

        Raises:
            RepositoryUnavailable: nothing is known to be written; commit the batch again.
            UnstorableRecord: one record cannot be written as JSON; nothing was written.
            RepositoryError: the database refuses the batch for good.
        """
        writes, labels = await self._commits.prepare(batch)
        if writes:
            await self._database.write(writes)
            self._commits.remember(labels)

    async def load(self, execution_id: str) -> tuple[Execution, list[TaskRun]] | None:
        """An execution and its task runs by position, as of one instant; None when it is not there."""
        headers, rows, pages = await self._database.fetch_together(
            [
                (statements.LOAD_HEADER, (execution_id,)),
                (statements.LOAD_TASK_RUNS, (execution_id,)),
                (statements.LOAD_PAGES, (execution_id,)),
            ]
        )
        if not headers:
            return None
        self._commits.forget(execution_id)
        header, runs = execution_of(*headers[0]), [task_run_of(row) for row in rows]
        _complete([header, *runs], pages)
        return header, runs

    async def header(self, execution_id: str) -> Execution | None:
        """An execution without its task runs; None when it is not there."""
        rows = await self._database.fetch(statements.LOAD_HEADER, (execution_id,))
        return (await self._executions(rows))[0] if rows else None

    async def task_runs(self, execution_id: str) -> list[TaskRun]:
        """The task runs of an execution by position."""
        rows = await self._database.fetch(statements.LOAD_TASK_RUNS, (execution_id,))
        runs = [task_run_of(row) for row in rows]
        if any(run.paged is not None for run in runs):
            _complete(runs, await self._database.fetch(statements.LOAD_PAGES, (execution_id,)))
        return runs

    async def _executions(self, rows: Iterable[Row]) -> list[Execution]:
        """The executions of rows of ``data``, and ``contents`` where they are to be whole, with the whole
        history of their states."""
        executions = [execution_of(*row) for row in rows]
        for execution in executions:
            if execution.paged is not None:
                pages = await self._database.fetch(statements.LOAD_PAGES_OF_RECORD, (execution.id,))
                _complete([execution], pages)
        return executions

    async def exists(self, execution_id: str) -> bool:
        return bool(await self._database.fetch(sql("SELECT 1 FROM executions WHERE id = ?"), (execution_id,)))

    async def unfinished(
        self,
        after: str | None = None,
        limit: int = 1000,
        states: Collection[StateType] = ACTIVE_STATES,
    ) -> list[str]:
        """Ids, in order, of executions that are in one of ``states`` or have a task run in one of them.

        So an execution is found that has ended while its last tasks still run, or that is paused while a
        branch goes on. States in which nothing follows find nothing.
        """
        names = [state.value for state in states if state not in TERMINATED]
        if not names:
            return []
        rows = await self._database.fetch(
            _unfinished(len(names)), [*names, after or "", *names, after or "", limit]
        )
        return [row[0] for row in rows]

    async def started_by(self, execution_id: str) -> dict[str, bool]:
        """What an execution has started, what that has started and so on, nearest first.

        Each with whether there may be something to stop: it has not ended, or runs tasks after its end, or
        was retried, so that another may be about to take its place.
        """
        rows = await self._database.fetch(_STARTED_BY, [execution_id])
        return {row[0]: bool(row[1]) for row in rows}

    async def kinds(self, ids: Collection[str]) -> dict[str, str]:
        """Of these executions those that are of a kind, by id; ordinary ones are of none."""
        if not ids:
            return {}
        marks = ", ".join("?" * len(ids))
        statement = sql(f"SELECT id, kind FROM executions WHERE id IN ({marks}) AND kind IS NOT NULL")
        return {row[0]: row[1] for row in await self._database.fetch(statement, sorted(ids))}

    async def flows_with(self, state: StateType) -> list[tuple[str, str, str]]:
        """The flows that have executions in a state which is no end: tenant, namespace and id, in order."""
        # The first condition is that of an index, which would not be used without it.
        rows = await self._database.fetch(
            sql(
                "SELECT DISTINCT tenant_id, namespace, flow_id FROM executions "
                f"WHERE state NOT IN ({statements.ENDED}) AND state = ? ORDER BY 1, 2, 3"
            ),
            (state.value,),
        )
        return [(row[0], row[1], row[2]) for row in rows]

    async def unstarted(self, limit: int = 1000) -> list[tuple[Execution, int]]:
        """Executions of triggers that are written and have not begun, with the number of their log lines."""
        rows = await self._database.fetch(statements.UNSTARTED, (limit,))
        return [(execution_of(data, contents), lines or 0) for data, contents, lines in rows]

    async def due_timers(self, now: datetime, limit: int = 1000) -> list[Timer]:
        """Timers whose instant has come, the most overdue first."""
        rows = await self._database.fetch(statements.DUE_TIMERS, (to_micros(now), limit))
        return [timer_of(row) for row in rows]

    async def next_timer(self) -> datetime | None:
        """The instant of the timer that is due first; None when there is none."""
        rows = await self._database.fetch(statements.NEXT_TIMER)
        return None if rows[0][0] is None else from_micros(rows[0][0])

    async def timers(self, execution_id: str) -> list[Timer]:
        """The timers of one execution, the earliest first."""
        return [timer_of(row) for row in await self._database.fetch(statements.TIMERS_OF, (execution_id,))]

    async def last_log_sequence(self, execution_id: str) -> int:
        """The number of the last log line that an execution had, 0 when it never had one."""
        rows = await self._database.fetch(statements.LAST_LOG_SEQUENCE, (execution_id, execution_id))
        return rows[0][0] or 0

    async def search(self, query: ExecutionQuery) -> Page[Execution]:
        """One page of the executions that meet the conditions, and how many do.

        Large values are left out of them (see ``abridged.py``): what a page costs does not depend on what its
        executions hold.

        Raises:
            InvalidFilter: a condition cannot be searched for.
        """
        await load_search()
        from windhover.repository import execution_search
        from windhover.repository.searching import fetch_page

        rows, total = await fetch_page(
            self._database,
            execution_search.records(query),
            execution_search.order(query),
            query.paging,
            execution_search.ordered_index(query),
        )
        return Page(await self._executions(rows), total)

    async def ids(self, query: ExecutionQuery, after: str | None = None, limit: int = 1000) -> list[str]:
        """Ids of the executions that meet the conditions, from the oldest on, after a given one.

        Paging by the last id seen costs the same on every page and skips nothing when rows are deleted
        meanwhile: for actions on all that a search finds. Sort and paging of the query do not matter.
        """
        await load_search()
        from windhover.repository import execution_search
        from windhover.repository.searching import fetch

        rows = await fetch(self._database, execution_search.ids_after(query, after, limit))
        return [row[0] for row in rows]

    async def distinct(self, query: ExecutionQuery, field: DistinctField, limit: int) -> list[str]:
        """The values of a field in the executions that meet the conditions, sorted, ``limit`` at most."""
        await load_search()
        from windhover.repository import execution_search
        from windhover.repository.searching import fetch

        rows = await fetch(self._database, execution_search.distinct_values(query, field, limit))
        return [str(value) for (value,) in rows]

    async def stream(
        self, query: ExecutionQuery, size: int = 500, *, whole: bool = False
    ) -> AsyncIterator[Execution]:
        """All executions that meet the conditions, from the oldest on, ``size`` in memory at a time.

        Unless they are to be ``whole``, large values are left out of them, as of a page of a search.
        """
        await load_search()
        from windhover.repository import execution_search
        from windhover.repository.searching import fetch

        after: str | None = None
        while True:
            rows = await fetch(
                self._database, execution_search.records_after(query, after, size, whole=whole)
            )
            for execution in await self._executions(rows):
                after = execution.id
                yield execution
            if len(rows) < size:
                return

    async def count_by_state(self, query: ExecutionQuery) -> dict[StateType, int]:
        """How many executions meet the conditions, by state; states without any are left out."""
        await load_search()
        from windhover.repository import execution_search
        from windhover.repository.searching import fetch

        rows = await fetch(self._database, execution_search.counts_by_state(query))
        return {StateType(state): count for state, count in rows}

    async def count_by_flow(self, query: ExecutionQuery) -> dict[tuple[str, str], int]:
        """How many executions meet the conditions, by namespace and id of their flow."""
        await load_search()
        from windhover.repository import execution_search
        from windhover.repository.searching import fetch

        rows = await fetch(self._database, execution_search.counts_by_flow(query))
        return {(namespace, flow_id): count for namespace, flow_id, count in rows}

    async def count_over_time(self, query: ExecutionQuery, bucket: timedelta) -> list[ExecutionCount]:
        """How many executions started in each span of time, by state, in order; empty spans are left out.

        Spans are counted from 1970 in UTC.
        """
        await load_search()
        from windhover.repository import execution_search
        from windhover.repository.searching import fetch

        rows = await fetch(self._database, execution_search.counts_over_time(query, duration_micros(bucket)))
        return [
            ExecutionCount(
                from_micros(start), StateType(state), count, timedelta(microseconds=int(duration or 0))
            )
            for start, state, count, duration in rows
        ]


def _complete(records: Iterable[Execution | TaskRun], pages: Iterable[Row]) -> None:
    """Give records what stands on pages: rows of the record's id and the page, in order."""
    by_record: dict[str, list[Row]] = {}
    for record_id, *page in pages:
        by_record.setdefault(record_id, []).append(page)
    for record in records:
        if record.paged is not None:
            add_pages(record, by_record.get(record.id, ()))


_OPEN_TASK_RUN = (
    "EXISTS (SELECT 1 FROM task_runs AS t "
    f"WHERE t.execution_id = started.id AND t.state NOT IN ({statements.ENDED}))"
)
_STARTED_BY = sql(
    "WITH RECURSIVE started (id, state, depth) AS ("
    "SELECT id, state, 1 FROM executions WHERE trigger_execution_id = ? UNION ALL "
    "SELECT e.id, e.state, s.depth + 1 FROM started AS s "
    "JOIN executions AS e ON e.trigger_execution_id = s.id) "
    f"SELECT id, state NOT IN ({statements.ENDED}) OR state = 'RETRIED' OR {_OPEN_TASK_RUN} "
    "FROM started ORDER BY depth, id"
)


def _unfinished(states: int) -> Statement:
    marks = ", ".join("?" * states)
    # The first condition repeats that of the index: without it the index would not be used.
    open_ = f"state NOT IN ({statements.ENDED}) AND state IN ({marks})"
    return sql(
        f"SELECT id FROM executions WHERE {open_} AND id > ? "
        f"UNION SELECT execution_id FROM task_runs WHERE {open_} AND execution_id > ? "
        "ORDER BY 1 LIMIT ?"
    )
