"""Rendering templates for a person who looks at an execution or a flow: nothing is changed, nothing told.

Secrets are masked before any filter can get hold of them. Rendering goes on in a thread and has its limits,
so that no template holds up the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from msgspec.structs import replace

from windhover.engine.environment import EngineEnvironment
from windhover.engine.live import LiveExecution
from windhover.engine.messages import JobIdentity
from windhover.engine.task_views import TaskStates
from windhover.engine.variables import LayeredVariables, execution_variables
from windhover.expression import (
    MASK,
    EvaluationError,
    ExpressionError,
    Limits,
    Scope,
    ServerPort,
    UndefinedError,
    compile_template,
)
from windhover.expression.registry import Kind, definition
from windhover.model.execution import Execution, JsonValue, TaskRun
from windhover.model.flow import Flow
from windhover.model.labels import nested_labels
from windhover.webserver.errors import not_found
from windhover.webserver.services import WebServices

#: What one template may cost; templates of tasks, for which nobody waits, may cost far more.
LIMITS = Limits(max_output=4 * 1024 * 1024, max_iterations=100_000, max_seconds=5.0, regex_seconds=1.0)

#: Seconds that a template may wait for what it asks of the server, such as ``http()``.
ANSWER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of a template: a text, or why there is none and where in the template (from 1)."""

    result: str | None = None
    error: str | None = None
    line: int | None = None
    column: int | None = None
    suggestion: str | None = None


async def evaluate(
    services: WebServices,
    flow: Flow,
    execution: Execution,
    task_runs: Sequence[TaskRun],
    template: str,
    task_run_id: str | None = None,
) -> Evaluation:
    """Render a template as a task of an execution would, or as the task run of that id did.

    Raises:
        ApiError: 404, the execution has no such task run.
    """
    task_run = next((run for run in task_runs if run.id == task_run_id), None)
    if task_run_id is not None and task_run is None:
        raise not_found(f"Task run '{task_run_id}' not found in the execution '{execution.id}'")
    port = _port(services, execution, task_run)

    def render() -> str:
        variables = variables_of(services, flow, execution, task_runs, task_run_id)
        return compile_template(template).render(masked_scope(services, variables, port))

    return await in_thread(render)


async def in_thread(render: Callable[[], str]) -> Evaluation:
    """Render off the event loop, and say what came of it."""
    try:
        return Evaluation(await asyncio.wait_for(asyncio.to_thread(render), ANSWER_SECONDS))
    except TimeoutError:
        return Evaluation(error=f"The expression was not rendered within {ANSWER_SECONDS:g} seconds")
    except ExpressionError as error:
        suggestion = error.suggestion if isinstance(error, UndefinedError) else None
        return Evaluation(None, str(error), error.line, error.column, suggestion)


def variables_of(
    services: WebServices,
    flow: Flow,
    execution: Execution,
    task_runs: Sequence[TaskRun],
    task_run_id: str | None = None,
) -> Mapping[str, JsonValue]:
    """The variables of an execution as it is now, SECRET inputs masked; reads the storage on demand."""
    live = LiveExecution.restore(flow, execution, task_runs, 0)
    node = live.nodes[task_run_id] if task_run_id is not None else None
    environment = masked(services.environment)
    variables = execution_variables(live, environment, node, load=environment.load_stored)
    if node is None:
        return variables
    # The task run saw itself as CREATED; who looks at it afterwards sees what came of it.
    return LayeredVariables({"tasks": TaskStates(live, None)}, variables)


def masked(environment: EngineEnvironment) -> EngineEnvironment:
    """The same environment, in which SECRET inputs read ``******``."""
    return replace(environment, decrypt=lambda encrypted: MASK)


def masked_scope(services: WebServices, variables: Mapping[str, JsonValue], port: ServerPort | None) -> Scope:
    """The scope of one rendering."""
    settings = services.settings
    limits = replace(
        LIMITS,
        regex_seconds=min(LIMITS.regex_seconds, settings.execution.regex_timeout.total_seconds()),
    )
    return Scope(
        variables,
        port,
        limits=limits,
        clock=services.clock,
        recursive=settings.variables.recursive_rendering,
        mask_secrets=True,
    )


def _port(services: WebServices, execution: Execution, task_run: TaskRun | None) -> ServerPort | None:
    if services.expression_port is None:
        return None
    identity = JobIdentity(
        tenant_id=execution.tenant_id,
        namespace=execution.namespace,
        flow_id=execution.flow_id,
        flow_revision=execution.flow_revision,
        execution_id=execution.id,
        task_id=task_run.task_id if task_run is not None else "",
        task_run_id=task_run.id if task_run is not None else "",
        attempt=0,
        dispatch=0,
    )
    return services.expression_port(identity)


# ---------------------------------------------------------------- for display


def flow_variables(services: WebServices, flow: Flow) -> Mapping[str, JsonValue]:
    """What is known of a flow that does not run."""
    environment = services.environment
    known: dict[str, JsonValue] = {
        "flow": {
            "id": flow.id,
            "namespace": flow.namespace,
            "revision": flow.revision,
            "tenantId": flow.tenant_id,
        },
        "globals": environment.globals,
        "kestra": environment.server,
    }
    if flow.variables:
        known["vars"] = flow.variables
    if declared := environment.namespace_variables(flow.namespace):
        known["namespace"] = declared
    if flow.labels:
        known["labels"] = nested_labels(list(flow.labels))
    return known


def display(services: WebServices, variables: Mapping[str, JsonValue], template: str) -> str:
    """A template as a screen shows it: rendered if all of it is known and pure, else as it is written."""
    try:
        compiled = compile_template(template)
        if compiled.reads_everything or not all(_is_shown(call.name) for call in compiled.calls):
            return template
        scope = masked_scope(services, variables, cast("ServerPort", _DisplayPort()))
        scope.mask_secrets = False  # its secrets are names
        return compiled.render(scope)
    except ExpressionError:
        return template


#: Modules of functions that give something else each time, or ask the server.
_IMPURE_FAMILIES = frozenset({"data", "identifiers"})
_NOT_SHOWN = frozenset({"errorLogs", "encrypt", "decrypt", "now"})


def _is_shown(function: str) -> bool:
    if function == "secret":
        return True
    found = definition(Kind.FUNCTION, function)
    return found is None or (found.family not in _IMPURE_FAMILIES and function not in _NOT_SHOWN)


class _DisplayPort:
    """The server, of which nothing is asked: a secret is shown by its name."""

    def secret(self, key: str, namespace: str | None) -> str:
        return f"[secret: {key}]"

    def __getattr__(self, name: str) -> object:
        raise EvaluationError(f"'{name}' is not asked of the server for display")
