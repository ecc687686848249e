"""The metrics that tasks reported. They are written by the commits of the executor.

Documentation page: ``docs/databases.md``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from windhover.model.log import Metric
from windhover.repository.database import Database
from windhover.repository.filters import TextMatch, TimeRange
from windhover.repository.instants import duration_micros, from_micros
from windhover.repository.lazy_search import load_search
from windhover.repository.records import metric_of
from windhover.repository.statement import sql
from windhover.repository.statements import METRIC_COLUMNS

_COLUMNS = ", ".join(METRIC_COLUMNS)
_OF_EXECUTION = sql(
    f"SELECT {_COLUMNS} FROM metrics WHERE execution_id = ? ORDER BY timestamp, task_run_id, name, digest"
)
_NAMES = sql(
    "SELECT DISTINCT name FROM metrics WHERE tenant_id = ? AND namespace = ? AND flow_id = ? ORDER BY 1"
)
_NAMES_OF_TASK = sql(
    "SELECT DISTINCT name FROM metrics "
    "WHERE tenant_id = ? AND namespace = ? AND flow_id = ? AND task_id = ? ORDER BY 1"
)
_TASKS = sql(
    "SELECT DISTINCT task_id FROM metrics WHERE tenant_id = ? AND namespace = ? AND flow_id = ? ORDER BY 1"
)
_DELETE_OF_EXECUTION = sql("DELETE FROM metrics WHERE execution_id = ?")


class Aggregation(StrEnum):
    """How the values of one span of time become one."""

    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"


class MetricAggregate(msgspec.Struct, frozen=True):
    """One value for one span of time, named by its start."""

    start: datetime
    value: float


class MetricRepository:
    """Reads and deletes metrics."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_execution(
        self, execution_id: str, *, task_run_id: str | None = None, task_id: str | None = None
    ) -> list[Metric]:
        """The metrics of one execution in the order of time, all or those of one task (run)."""
        metrics = [metric_of(row) for row in await self._database.fetch(_OF_EXECUTION, (execution_id,))]
        return [
            metric
            for metric in metrics
            if task_run_id in (None, metric.task_run_id) and task_id in (None, metric.task_id)
        ]

    async def names(
        self, tenant_id: str, namespace: str, flow_id: str, task_id: str | None = None
    ) -> list[str]:
        """The names of the metrics that a flow, or one of its tasks, ever reported."""
        key = (tenant_id, namespace, flow_id)
        if task_id is None:
            rows = await self._database.fetch(_NAMES, key)
        else:
            rows = await self._database.fetch(_NAMES_OF_TASK, (*key, task_id))
        return [row[0] for row in rows]

    async def tasks(self, tenant_id: str, namespace: str, flow_id: str) -> list[str]:
        """The ids of the tasks of a flow that ever reported a metric."""
        return [row[0] for row in await self._database.fetch(_TASKS, (tenant_id, namespace, flow_id))]

    async def aggregate(
        self,
        tenant_id: str,
        namespace: str,
        flow_id: str,
        name: str,
        *,
        time: TimeRange,
        bucket: timedelta,
        aggregation: Aggregation = Aggregation.SUM,
        task_id: str | None = None,
    ) -> list[MetricAggregate]:
        """The values of one metric over time, one for each span that has any. Spans count from 1970 (UTC)."""
        await load_search()
        from sqlalchemy import func, select

        from windhover.repository.searching import all_of, fetch, within
        from windhover.repository.tables import metrics

        c = metrics.c
        start = (c.timestamp - c.timestamp % duration_micros(bucket)).label("start")
        value = getattr(func, aggregation.value)(c.value)
        query = (
            select(start, value)
            .where(
                c.tenant_id == tenant_id,
                c.namespace == namespace,
                c.flow_id == flow_id,
                c.name == name,
                all_of((within(c.timestamp, time), None if task_id is None else c.task_id == task_id)),
            )
            .group_by(start)
            .order_by(start)
        )
        rows = await fetch(self._database, query)
        return [MetricAggregate(from_micros(start), float(value)) for start, value in rows]

    async def delete(
        self, tenant_id: str, *, namespace: tuple[TextMatch, ...], flow_id: str | None, time: TimeRange
    ) -> int:
        """Delete the values that meet the conditions and return how many there were."""
        await load_search()
        from sqlalchemy import delete

        from windhover.repository.searching import all_match, all_of, compiled, within
        from windhover.repository.tables import metrics

        c = metrics.c
        conditions = all_of(
            (
                c.tenant_id == tenant_id,
                all_match(c.namespace, namespace),
                None if flow_id is None else c.flow_id == flow_id,
                within(c.timestamp, time),
            )
        )
        statement = delete(metrics).where(conditions)
        return await self._database.execute(*compiled(statement, self._database.dialect))

    async def delete_execution(self, execution_id: str) -> int:
        """Delete all metrics of one execution and return how many there were."""
        return await self._database.execute(_DELETE_OF_EXECUTION, (execution_id,))
