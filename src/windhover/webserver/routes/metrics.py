"""Metrics that tasks reported."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from windhover.model.log import Metric
from windhover.repository.filters import TimeRange
from windhover.repository.metrics import Aggregation
from windhover.webserver.errors import bad_request
from windhover.webserver.execution_access import find_kind
from windhover.webserver.openapi import answers
from windhover.webserver.parameters import (
    ExecutionId,
    FlowId,
    Namespace,
    PageNumber,
    PageSize,
    Services,
    Sort,
    Tenant,
    paging,
    read_date,
    split_sort,
)
from windhover.webserver.responses import JsonResponse
from windhover.webserver.services import WebServices
from windhover.webserver.wire.dates import Instant, instant
from windhover.webserver.wire.logs import MetricPageJson, metric_json

router = APIRouter(prefix="/api/v1/{tenant}/metrics", tags=["Metrics"])

#: Spans of time that values are gathered in, by the length of the whole: at most about a hundred points.
_SPANS = (
    (timedelta(hours=6), timedelta(minutes=1), "minute"),
    (timedelta(days=3), timedelta(hours=1), "hour"),
    (timedelta(days=180), timedelta(days=1), "day"),
    (timedelta.max, timedelta(weeks=1), "week"),
)
_DEFAULT_RANGE = timedelta(days=30)

#: What the metrics of an execution can be sorted by.
_SORT_KEYS: dict[str, Callable[[Metric], str | float | datetime]] = {
    "timestamp": lambda metric: metric.timestamp,
    "name": lambda metric: metric.name,
    "value": lambda metric: metric.value,
    "taskId": lambda metric: metric.task_id,
    "taskRunId": lambda metric: metric.task_run_id,
    "type": lambda metric: metric.type,
}

TaskId = Annotated[str, Path(alias="taskId", description="The id of a task.")]
MetricName = Annotated[str, Path(description="The name of a metric.")]


class MetricAggregationJson(msgspec.Struct):
    """One value of one span of time."""

    name: str
    value: float
    date: Instant


class MetricAggregationsJson(msgspec.Struct, rename="camel"):
    """Values over time; ``groupBy`` names the length of a span."""

    group_by: str
    aggregations: list[MetricAggregationJson]


@router.get("/names/{namespace}/{flowId}", responses=answers(list[str]), operation_id="listFlowMetrics")
async def flow_metric_names(
    services: Services, tenant: Tenant, namespace: Namespace, flow_id: FlowId
) -> Response:
    """The names of the metrics that a flow ever reported."""
    return JsonResponse(await services.metrics.names(tenant, namespace, flow_id))


@router.get(
    "/names/{namespace}/{flowId}/{taskId}", responses=answers(list[str]), operation_id="listTaskMetrics"
)
async def task_metric_names(
    services: Services, tenant: Tenant, namespace: Namespace, flow_id: FlowId, task_id: TaskId
) -> Response:
    """The names of the metrics that a task ever reported."""
    return JsonResponse(await services.metrics.names(tenant, namespace, flow_id, task_id))


@router.get("/tasks/{namespace}/{flowId}", responses=answers(list[str]), operation_id="listTasksWithMetrics")
async def tasks_with_metrics(
    services: Services, tenant: Tenant, namespace: Namespace, flow_id: FlowId
) -> Response:
    """The tasks of a flow that ever reported a metric."""
    return JsonResponse(await services.metrics.tasks(tenant, namespace, flow_id))


@router.get(
    "/aggregates/{namespace}/{flowId}/{metric}",
    responses=answers(MetricAggregationsJson),
    operation_id="aggregateMetricsFromFlow",
)
async def aggregate_flow_metric(
    services: Services,
    tenant: Tenant,
    namespace: Namespace,
    flow_id: FlowId,
    metric: MetricName,
    start_date: Annotated[str | None, Query(alias="startDate")] = None,
    end_date: Annotated[str | None, Query(alias="endDate")] = None,
    aggregation: str = "sum",
) -> Response:
    """A metric of a flow over time, by default over the last 30 days."""
    key = (tenant, namespace, flow_id, metric)
    return await _aggregated(services, key, start_date, end_date, aggregation)


@router.get(
    "/aggregates/{namespace}/{flowId}/{taskId}/{metric}",
    responses=answers(MetricAggregationsJson),
    operation_id="aggregateMetricsFromTask",
)
async def aggregate_task_metric(
    services: Services,
    tenant: Tenant,
    namespace: Namespace,
    flow_id: FlowId,
    task_id: TaskId,
    metric: MetricName,
    start_date: Annotated[str | None, Query(alias="startDate")] = None,
    end_date: Annotated[str | None, Query(alias="endDate")] = None,
    aggregation: str = "sum",
) -> Response:
    """A metric of a task over time, by default over the last 30 days."""
    key = (tenant, namespace, flow_id, metric)
    return await _aggregated(services, key, start_date, end_date, aggregation, task_id)


@router.get("/{executionId}", responses=answers(MetricPageJson), operation_id="searchByExecution")
async def list_metrics(
    services: Services,
    tenant: Tenant,
    execution_id: ExecutionId,
    page: PageNumber = 1,
    size: PageSize = 10,
    task_run_id: Annotated[str | None, Query(alias="taskRunId")] = None,
    task_id: Annotated[str | None, Query(alias="taskId")] = None,
    sort: Sort = None,
) -> Response:
    """The metrics of one execution, in the order of time unless `sort` says otherwise."""
    metrics = await services.metrics.of_execution(execution_id, task_run_id=task_run_id, task_id=task_id)
    kept = any(metric.tenant_id == tenant for metric in metrics)
    kind = await find_kind(services, tenant, execution_id, left=kept)
    for key, descending in reversed([split_sort(one) for one in sort or ()]):
        if key not in _SORT_KEYS:
            raise bad_request(f"Metrics cannot be sorted by `{key}`; they can by {', '.join(_SORT_KEYS)}.")
        metrics.sort(key=_SORT_KEYS[key], reverse=descending)
    offset = paging(page, size).offset
    shown = [metric_json(metric, kind) for metric in metrics[offset : offset + size]]
    return JsonResponse(MetricPageJson(shown, len(metrics)))


async def _aggregated(
    services: WebServices,
    key: tuple[str, str, str, str],
    start_date: str | None,
    end_date: str | None,
    aggregation: str,
    task_id: str | None = None,
) -> Response:
    if aggregation.lower() not in set(Aggregation):
        raise bad_request(f"There is no aggregation `{aggregation}`; there are {', '.join(Aggregation)}.")
    until = read_date("endDate", end_date) or services.clock()
    since = read_date("startDate", start_date) or until - _DEFAULT_RANGE
    bucket, name = next((span, name) for longest, span, name in _SPANS if until - since <= longest)
    found = await services.metrics.aggregate(
        *key,
        time=TimeRange(since, until),
        bucket=bucket,
        aggregation=Aggregation(aggregation.lower()),
        task_id=task_id,
    )
    points = [MetricAggregationJson(key[3], point.value, instant(point.start)) for point in found]
    return JsonResponse(MetricAggregationsJson(name, points))
