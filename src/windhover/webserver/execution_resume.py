"""The inputs that a pause asks for: read and checked as those of a start are."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.requests import Request

from windhover.engine.inputs import ResolvedInputs, ScopedRenderer, resolve_inputs
from windhover.engine.live import LiveExecution
from windhover.engine.variables import execution_variables
from windhover.model.execution import Execution, TaskRun
from windhover.model.flow import Flow
from windhover.model.state import StateType
from windhover.plugin.flowable import FlowableTask
from windhover.webserver.errors import conflict
from windhover.webserver.execution_access import find_execution, find_flow
from windhover.webserver.execution_start import GivenInputs, read_given_inputs
from windhover.webserver.services import WebServices


@dataclass(frozen=True, slots=True)
class Paused:
    """A paused execution, and the task run that waits; None when somebody paused it by hand.

    ``form`` is its flow with the inputs of the pause in the place of its own.
    """

    execution: Execution
    task_runs: list[TaskRun]
    flow: Flow
    form: Flow
    task_run_id: str | None


async def find_paused(services: WebServices, tenant: str, execution_id: str) -> Paused:
    """A paused execution and what its pause asks for.

    Raises:
        ApiError: 404, there is no such execution; 409, it is not paused.
    """
    execution, task_runs = await find_execution(services, tenant, execution_id)
    if execution.state.current is not StateType.PAUSED:
        raise conflict(f"Execution '{execution_id}' is not paused, can't resume it")
    flow = await find_flow(services, tenant, execution.namespace, execution.flow_id, execution.flow_revision)
    for run in task_runs:
        if run.state.current is not StateType.PAUSED:
            continue
        task = flow.task_by_id(run.task_id)
        pause = task.body(run.resolved).pause if isinstance(task, FlowableTask) else None
        if pause is not None:
            form = flow.model_copy(update={"inputs": tuple(pause.inputs)})
            return Paused(execution, task_runs, flow, form, run.id)
    return Paused(execution, task_runs, flow, flow.model_copy(update={"inputs": ()}), None)


async def read_resume_inputs(
    services: WebServices, request: Request, paused: Paused, given: GivenInputs, *, keep_files: bool = True
) -> ResolvedInputs:
    """Read what a request gives for the inputs of a pause, and check it.

    Raises:
        ApiError: the body cannot be read.
    """
    execution = paused.execution
    await read_given_inputs(services, request, paused.form, execution.id, given, keep_files=keep_files)
    return await resolve_resume_inputs(services, paused, given)


async def resolve_resume_inputs(services: WebServices, paused: Paused, given: GivenInputs) -> ResolvedInputs:
    """Type and check what was given for the inputs of a pause; expressions are rendered in a thread."""
    if not paused.form.inputs:
        return ResolvedInputs({})
    return await asyncio.to_thread(_resolve, services, paused, given)


def _resolve(services: WebServices, paused: Paused, given: GivenInputs) -> ResolvedInputs:
    """Defaults may read what the execution has come to so far."""
    execution, environment = paused.execution, services.environment
    live = LiveExecution.restore(paused.flow, execution, paused.task_runs, 0)
    node = live.nodes[paused.task_run_id] if paused.task_run_id is not None else None
    variables = execution_variables(live, environment, node, load=environment.load_stored)
    return resolve_inputs(
        paused.form.inputs,
        given.values,
        ScopedRenderer(dict(variables), lambda found: environment.scope(found, execution.id)),
        workflow=f"{execution.namespace}.{execution.flow_id}",
        encrypt=services.encrypt,
    )
