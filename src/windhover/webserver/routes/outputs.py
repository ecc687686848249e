"""Outputs of executions and task runs by themselves, as Kestra 2.0 reads them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path
from starlette.responses import Response

from windhover.engine.spill import holds_stored_values
from windhover.webserver.errors import not_found
from windhover.webserver.execution_access import find_execution, find_header
from windhover.webserver.openapi import answers
from windhover.webserver.parameters import ExecutionId, Services, Tenant
from windhover.webserver.responses import JsonResponse

router = APIRouter(prefix="/api/v1/{tenant}/outputs", tags=["Outputs"])


class TaskOutputInformationJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """A task run that has outputs. ``inline``: they are in the database and not in a file."""

    task_id: str
    task_run_id: str
    inline: bool
    value: str | None = None
    iteration: int | None = None


@router.get(
    "/executions/{executionId}", responses=answers(dict[str, Any]), operation_id="getExecutionOutputs"
)
async def execution_outputs(services: Services, tenant: Tenant, execution_id: ExecutionId) -> Response:
    """The outputs of the flow."""
    return JsonResponse((await find_header(services, tenant, execution_id)).outputs or {})


@router.get("/tasks/{executionId}", include_in_schema=False)
@router.get(
    "/{executionId}",
    responses=answers(list[TaskOutputInformationJson]),
    operation_id="getTaskOutputsInformation",
)
async def task_outputs(services: Services, tenant: Tenant, execution_id: ExecutionId) -> Response:
    """Which task runs have outputs."""
    _, task_runs = await find_execution(services, tenant, execution_id)
    return JsonResponse(
        [
            TaskOutputInformationJson(
                run.task_id, run.id, not holds_stored_values(run.outputs), run.value, run.iteration
            )
            for run in task_runs
            if run.outputs
        ]
    )


@router.get("/tasks/{executionId}/{taskRunId}", include_in_schema=False)
@router.get("/{executionId}/{taskRunId}", responses=answers(dict[str, Any]), operation_id="getTaskRunOutputs")
async def task_run_outputs(
    services: Services,
    tenant: Tenant,
    execution_id: ExecutionId,
    task_run_id: Annotated[str, Path(alias="taskRunId", description="The id of a task run.")],
) -> Response:
    """The outputs of one task run."""
    _, task_runs = await find_execution(services, tenant, execution_id)
    for run in task_runs:
        if run.id == task_run_id:
            return JsonResponse(run.outputs or {})
    raise not_found(f"Execution '{execution_id}' has no task run '{task_run_id}'")
