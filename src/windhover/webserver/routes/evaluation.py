"""Rendering expressions: with the variables of an execution, and for display.

Evaluation is reached under ``/executions/{id}/eval`` and ``/executions/{id}/actions/eval``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from windhover.expression import to_text
from windhover.expression.registry import REQUIRED, Kind, definitions
from windhover.model.execution import JsonValue
from windhover.model.problem import FlowInvalid
from windhover.model.yaml.limits import DEFAULT_LIMITS
from windhover.webserver.bodies import read_json, read_text
from windhover.webserver.completion import offered_expressions
from windhover.webserver.errors import bad_request
from windhover.webserver.evaluation import display, evaluate, flow_variables, variables_of
from windhover.webserver.execution_access import find_execution, find_flow
from windhover.webserver.flow_sources import parse
from windhover.webserver.openapi import answers, takes
from windhover.webserver.parameters import ExecutionId, Services, Tenant
from windhover.webserver.responses import JsonResponse
from windhover.webserver.services import WebServices

router = APIRouter(prefix="/api/v1/{tenant}", tags=["Expressions"])
pebble_router = APIRouter(prefix="/api/v1/pebble", tags=["Expressions"])

#: The largest template that is rendered for a person, in bytes.
MAX_TEMPLATE_BYTES = 1024 * 1024
_MOST_EXPRESSIONS = 500

_TEMPLATE = takes("text/plain", {"type": "string"}, description="The template.")

TaskRunId = Annotated[str, Path(alias="taskRunId", description="The id of a task run of the execution.")]


CompletedTask = Annotated[
    str | None, Query(alias="taskId", description="Only outputs of tasks that run before this one.")
]


class EvalResultJson(msgspec.Struct, omit_defaults=True):
    """What a template renders to, or why it cannot be rendered and where in it (from 1)."""

    result: str | None = None
    error: str | None = None
    line: int | None = None
    column: int | None = None
    suggestion: str | None = None


class RenderRequestJson(msgspec.Struct, rename="camel"):
    """Templates to be shown, and what they are about: an execution, a stored flow, or a flow's source."""

    expressions: list[str]
    execution_id: str | None = None
    namespace: str | None = None
    flow_id: str | None = None
    flow: str | None = None


class RenderedJson(msgspec.Struct):
    """What is shown for each template."""

    rendered: dict[str, str]


class ExpressionContextJson(msgspec.Struct):
    """Expressions by category: ``taskOutputs``, ``inputs``, ``variables``, ``secrets``, ``filters``, .."""

    categories: dict[str, list[str]]


class PebbleArgumentJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """An argument of a function; ``default_value`` is absent where there is none."""

    name: str
    required: bool
    default_value: str | None = None


class PebbleFunctionJson(msgspec.Struct, rename="camel"):
    """A function of the expression language."""

    name: str
    description: str
    arguments: list[PebbleArgumentJson]


@router.post(
    "/executions/{executionId}/actions/eval",
    responses=answers(EvalResultJson),
    operation_id="evalExpression",
    openapi_extra=_TEMPLATE,
)
@router.post("/executions/{executionId}/eval", include_in_schema=False)
async def eval_expression(
    request: Request, services: Services, tenant: Tenant, execution_id: ExecutionId
) -> Response:
    """Render a template with the variables of an execution; secrets are masked."""
    return await _evaluate(request, services, tenant, execution_id, None)


@router.post(
    "/executions/{executionId}/actions/eval/{taskRunId}",
    responses=answers(EvalResultJson),
    operation_id="evalTaskRunExpression",
    openapi_extra=_TEMPLATE,
)
@router.post("/executions/{executionId}/eval/{taskRunId}", include_in_schema=False)
async def eval_task_run_expression(
    request: Request, services: Services, tenant: Tenant, execution_id: ExecutionId, task_run_id: TaskRunId
) -> Response:
    """Render a template with the variables of a task run; secrets are masked."""
    return await _evaluate(request, services, tenant, execution_id, task_run_id)


async def _evaluate(
    request: Request, services: WebServices, tenant: str, execution_id: str, task_run_id: str | None
) -> Response:
    template = await read_text(request, MAX_TEMPLATE_BYTES, "The template")
    execution, task_runs = await find_execution(services, tenant, execution_id)
    flow = await find_flow(services, tenant, execution.namespace, execution.flow_id, execution.flow_revision)
    found = await evaluate(services, flow, execution, task_runs, template, task_run_id)
    return JsonResponse(EvalResultJson(found.result, found.error, found.line, found.column, found.suggestion))


@router.post(
    "/expressions/render",
    responses=answers(RenderedJson),
    operation_id="renderExpressions",
    openapi_extra=takes("application/json", RenderRequestJson),
)
async def render_expressions(request: Request, services: Services, tenant: Tenant) -> Response:
    """Render templates for display: one that names what is not known stays as it is written.

    Functions that ask the server or give something else each time are not called, and a secret is shown by
    its name.
    """
    asked = await read_json(request, RenderRequestJson)
    if not 1 <= len(asked.expressions) <= _MOST_EXPRESSIONS:
        raise bad_request(f"`expressions` holds 1 to {_MOST_EXPRESSIONS} templates.")
    variables = await _variables_for(services, tenant, asked)

    def render() -> dict[str, str]:
        return {template: display(services, variables, template) for template in asked.expressions}

    return JsonResponse(RenderedJson(await asyncio.to_thread(render)))


async def _variables_for(
    services: WebServices, tenant: str, asked: RenderRequestJson
) -> Mapping[str, JsonValue]:
    if asked.execution_id is not None:
        execution, task_runs = await find_execution(services, tenant, asked.execution_id)
        flow = await find_flow(
            services, tenant, execution.namespace, execution.flow_id, execution.flow_revision
        )
        return await asyncio.to_thread(variables_of, services, flow, execution, task_runs)
    if asked.flow is not None:
        try:
            return flow_variables(services, (await parse(services, asked.flow)).flow)
        except FlowInvalid:  # a flow that is being written is shown all the same
            return {"globals": services.environment.globals}
    if asked.namespace is not None and asked.flow_id is not None:
        return flow_variables(services, await find_flow(services, tenant, asked.namespace, asked.flow_id))
    return {"globals": services.environment.globals}


@router.post(
    "/flows/expressions",
    responses=answers(ExpressionContextJson),
    operation_id="expressions",
    openapi_extra=takes("application/x-yaml", {"type": "string"}, description="The YAML of a flow."),
)
async def flow_expressions(
    request: Request, services: Services, tenant: Tenant, task_id: CompletedTask = None
) -> Response:
    """Expressions that may be written in a flow, by category, for the completion of an editor."""
    source = await read_text(request, DEFAULT_LIMITS.size, "The flow")
    return JsonResponse(ExpressionContextJson(await offered_expressions(services, tenant, source, task_id)))


@pebble_router.get("/filters", responses=answers(list[str]), operation_id="getExpressionFilters")
async def expression_filters() -> Response:
    """The names of all filters."""
    return JsonResponse(sorted(definitions(Kind.FILTER)))


@pebble_router.get(
    "/functions", responses=answers(list[PebbleFunctionJson]), operation_id="getExpressionFunctions"
)
async def expression_functions() -> Response:
    """All functions with their arguments."""
    return JsonResponse(
        [
            PebbleFunctionJson(
                found.name,
                found.summary,
                [
                    PebbleArgumentJson(
                        parameter.name,
                        parameter.required,
                        None if parameter.default in (REQUIRED, None) else to_text(parameter.default),
                    )
                    for parameter in found.parameters
                ],
            )
            for _, found in sorted(definitions(Kind.FUNCTION).items())
        ]
    )
