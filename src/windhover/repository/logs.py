"""The log lines of executions. They are written by the commits of the executor.

Documentation page: ``docs/logs.md``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import msgspec

from windhover.model.log import LogEntry, LogLevel
from windhover.repository.database import Database
from windhover.repository.filters import FIRST_PAGE, Page, Paging, TextMatch, TimeRange
from windhover.repository.lazy_search import load_search
from windhover.repository.records import log_of
from windhover.repository.statement import Statement, sql
from windhover.repository.statements import ENDED, LOG_COLUMNS

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

_STREAM = sql(
    f"SELECT {', '.join(LOG_COLUMNS)} FROM logs "
    "WHERE execution_id = ? AND sequence > ? AND level >= ? ORDER BY sequence LIMIT ?"
)
_DELETE_OF_EXECUTION = sql("DELETE FROM logs WHERE execution_id = ?")

#: Keeps the number of the last line of each execution under way, of those that ``{lines}`` selects.
_KEEP_FLOORS = (
    "INSERT INTO log_floors (execution_id, sequence) "
    "SELECT execution_id, max(sequence) FROM ({lines}) AS doomed "
    f"WHERE EXISTS (SELECT 1 FROM executions AS e WHERE e.id = execution_id AND e.state NOT IN ({ENDED})) "
    "GROUP BY execution_id ON CONFLICT (execution_id) DO UPDATE SET sequence = excluded.sequence"
)
_KEEP_FLOOR_OF_EXECUTION = sql(
    _KEEP_FLOORS.format(lines="SELECT execution_id, sequence FROM logs WHERE execution_id = ?")
)

#: Deleted lines from which it pays to give the space back; less is used again soon.
_RECLAIM_FROM = 10_000


class LogQuery(msgspec.Struct, frozen=True):
    """Conditions that a log line must meet, all of them; those left out say nothing.

    ``levels`` selects single levels, ``min_level`` a level and all above. ``text`` occurs in the message.
    ``kinds`` are those of the executions; ``without_kind`` selects lines of ordinary ones, which have none,
    and of triggers themselves. Lines of one execution are sorted by their sequence, others by time.
    """

    tenant_id: str
    execution_id: str | None = None
    text: str | None = None
    min_level: LogLevel | None = None
    levels: tuple[LogLevel, ...] = ()
    namespace: tuple[TextMatch, ...] = ()
    flow_id: tuple[TextMatch, ...] = ()
    execution_ids: tuple[TextMatch, ...] = ()
    task_id: tuple[TextMatch, ...] = ()
    task_run_id: tuple[TextMatch, ...] = ()
    trigger_id: tuple[TextMatch, ...] = ()
    attempt_number: int | None = None
    kinds: tuple[str, ...] = ()
    without_kind: bool = False
    time: TimeRange | None = None
    descending: bool = False
    paging: Paging = FIRST_PAGE


class LogRepository:
    """Reads and deletes log lines."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, query: LogQuery) -> Page[LogEntry]:
        """One page of the lines that meet the conditions, and how many do.

        Raises:
            InvalidFilter: a condition cannot be searched for.
        """
        await load_search()
        from sqlalchemy import select

        from windhover.repository.searching import fetch_page, ordered
        from windhover.repository.tables import logs

        selected = select(*(logs.c[name] for name in LOG_COLUMNS)).where(_conditions(query))
        key = (
            (logs.c.sequence,)
            if query.execution_id
            else (logs.c.timestamp, logs.c.execution_id, logs.c.sequence)
        )
        order = [ordered(column, descending=query.descending) for column in key]
        by_time = next(index for index in logs.indexes if index.name == "logs_by_time")
        rows, total = await fetch_page(
            self._database, selected, order, query.paging, None if query.execution_id else by_time
        )
        return Page([log_of(row) for row in rows], total)

    async def stream(
        self,
        execution_id: str,
        after_sequence: int = 0,
        *,
        min_level: LogLevel = LogLevel.TRACE,
        size: int = 1000,
    ) -> AsyncIterator[LogEntry]:
        """The lines of one execution after a given one, in order, ``size`` in memory at a time.

        Ends with the last line there is; lines that are committed meanwhile are part of it.
        """
        while True:
            rows = await self._database.fetch(_STREAM, (execution_id, after_sequence, int(min_level), size))
            for row in rows:
                entry = log_of(row)
                after_sequence = entry.sequence
                yield entry
            if len(rows) < size:
                return

    async def delete_execution(self, execution_id: str) -> int:
        """Delete all lines of one execution and return how many there were.

        One that is under way goes on numbering its lines where it was: whoever follows it misses none.
        """
        await self._database.execute(_KEEP_FLOOR_OF_EXECUTION, (execution_id,))
        return await self._database.execute(_DELETE_OF_EXECUTION, (execution_id,))

    async def delete(self, query: LogQuery) -> int:
        """Delete the lines that meet the conditions and return how many there were.

        It is one transaction: ask for a span of time at once rather than for years.
        """
        await load_search()
        from sqlalchemy import delete, select

        from windhover.repository.searching import compiled
        from windhover.repository.tables import logs

        doomed = select(logs.c.execution_id, logs.c.sequence).where(_conditions(query))
        lines, parameters = compiled(doomed, self._database.dialect)
        keep = Statement(
            sqlite=_KEEP_FLOORS.format(lines=lines.sqlite),
            postgresql=_KEEP_FLOORS.format(lines=lines.postgresql),
        )
        await self._database.execute(keep, parameters)
        statement = delete(logs).where(_conditions(query))
        deleted = await self._database.execute(*compiled(statement, self._database.dialect))
        if deleted > _RECLAIM_FROM:
            await self._database.reclaim_space()
        return deleted


def _conditions(query: LogQuery) -> ColumnElement[bool]:
    from windhover.repository.searching import all_match, all_of, occurs_in_any, one_of, within
    from windhover.repository.tables import logs

    c: Any = logs.c
    return all_of(
        (
            c.tenant_id == query.tenant_id,
            None if query.execution_id is None else c.execution_id == query.execution_id,
            occurs_in_any((c.message,), query.text),
            None if query.min_level is None else c.level >= int(query.min_level),
            one_of(c.level, [int(level) for level in query.levels]),
            all_match(c.namespace, query.namespace),
            all_match(c.flow_id, query.flow_id),
            all_match(c.execution_id, query.execution_ids),
            all_match(c.task_id, query.task_id),
            all_match(c.task_run_id, query.task_run_id),
            all_match(c.trigger_id, query.trigger_id),
            None if query.attempt_number is None else c.attempt_number == query.attempt_number,
            _of_kind(query),
            within(c.timestamp, query.time),
        )
    )


def _of_kind(query: LogQuery) -> ColumnElement[bool] | None:
    from sqlalchemy import or_, select

    from windhover.repository.tables import executions, logs

    if not query.kinds and not query.without_kind:
        return None
    kind = executions.c.kind
    of_kinds = logs.c.execution_id.in_(select(executions.c.id).where(kind.in_(query.kinds)))
    ordinary = logs.c.execution_id.not_in(select(executions.c.id).where(kind.is_not(None)))
    if not query.without_kind:
        return of_kinds
    return or_(ordinary, of_kinds) if query.kinds else ordinary
