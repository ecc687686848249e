"""What all executions that a search finds have in common, and all of them as a table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from windhover.model.execution import Execution
from windhover.repository.execution_query import DistinctField, ExecutionQuery
from windhover.webserver.csv_lines import csv_line
from windhover.webserver.errors import bad_request
from windhover.webserver.execution_filters import EXECUTION_FILTERS, execution_query
from windhover.webserver.openapi import answers, answers_with
from windhover.webserver.parameters import PageSize, Services, Tenant
from windhover.webserver.responses import JsonResponse
from windhover.webserver.services import WebServices
from windhover.webserver.wire.dates import instant, optional_instant

router = APIRouter(prefix="/api/v1/{tenant}/executions", tags=["Executions"])

#: Executions may hold a great deal, and are read whole.
_WHOLE_AT_ONCE = 50

_COLUMNS = (
    "id",
    "namespace",
    "flowId",
    "flowRevision",
    "state",
    "startDate",
    "endDate",
    "duration",
    "labels",
    "inputs",
    "outputs",
    "triggerId",
    "triggerType",
    "parentId",
    "originalId",
    "scheduleDate",
    "kind",
)


@router.get(
    "/distinct-field-values",
    responses=answers(list[str]),
    operation_id="findDistinctFieldValues",
    openapi_extra=EXECUTION_FILTERS,
)
async def distinct_field_values(
    request: Request,
    services: Services,
    tenant: Tenant,
    field: Annotated[str, Query(description="The field, such as `flowId`.")],
    size: PageSize = 100,
) -> Response:
    """The values that a field has in the executions that a search finds, sorted."""
    if field not in set(DistinctField):
        raise bad_request(
            f"The values of `{field}` cannot be listed; those of {', '.join(DistinctField)} can."
        )
    query = _query(request, services, tenant)
    return JsonResponse(await services.executions.distinct(query, DistinctField(field), size))


@router.get(
    "/export/by-query/csv",
    responses=answers_with("text/csv", "The executions, a line each."),
    operation_id="exportExecutions",
    openapi_extra=EXECUTION_FILTERS,
)
async def export_executions(request: Request, services: Services, tenant: Tenant) -> Response:
    """The executions that a search finds, as comma-separated values, the oldest first."""
    query = _query(request, services, tenant)

    async def lines() -> AsyncIterator[str]:
        yield csv_line(_COLUMNS)
        async for execution in services.executions.stream(query, _WHOLE_AT_ONCE, whole=True):
            yield csv_line(_values(execution))

    headers = {"Content-Disposition": "attachment; filename=executions.csv"}
    return StreamingResponse(lines(), media_type="text/csv", headers=headers)


def _query(request: Request, services: WebServices, tenant: str) -> ExecutionQuery:
    namespace = services.settings.execution.system_namespace
    return execution_query(tenant, request.query_params, services.clock(), namespace)


def _values(execution: Execution) -> list[object]:
    state, trigger = execution.state, execution.trigger
    return [
        execution.id,
        execution.namespace,
        execution.flow_id,
        execution.flow_revision,
        state.current.value,
        instant(state.start_date),
        optional_instant(state.end_date),
        state.duration,
        ",".join(f"{label.key}:{label.value}" for label in execution.labels or ()),
        _json(execution.inputs),
        _json(execution.outputs),
        None if trigger is None else trigger.id,
        None if trigger is None else trigger.type,
        execution.parent_id,
        execution.original_id,
        optional_instant(execution.schedule_date),
        execution.kind,
    ]


def _json(value: object) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
