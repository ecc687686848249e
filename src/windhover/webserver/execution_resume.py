"""The inputs that a pause asks for: read as those of a start are."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from msgspec.structs import replace
from starlette.requests import Request

from windhover.engine.inputs import ResolvedInputs
from windhover.engine.pause_inputs import PauseForm, pause_form, resolve_pause_inputs
from windhover.model.execution import Execution, TaskRun
from windhover.model.flow import Flow
from windhover.model.state import StateType
from windhover.webserver.errors import conflict
from windhover.webserver.execution_access import find_execution, find_flow
from windhover.webserver.execution_start import GivenInputs, read_given_inputs
from windhover.webserver.services import WebServices


@dataclass(frozen=True, slots=True)
class Paused:
    """A paused execution and what its pause asks for."""

    execution: Execution
    task_runs: list[TaskRun]
    flow: Flow
    form: PauseForm

    @property
    def as_flow(self) -> Flow:
        """The flow, as if the inputs of the pause were its own."""
        return self.flow.model_copy(update={"inputs": self.form.inputs})


async def find_paused(services: WebServices, tenant: str, execution_id: str) -> Paused:
    """A paused execution and what its pause asks for.

    Raises:
        ApiError: 404, there is no such execution; 409, it is not paused.
    """
    execution, task_runs = await find_execution(services, tenant, execution_id)
    if execution.state.current is not StateType.PAUSED:
        raise conflict(f"Execution '{execution_id}' is not paused, can't resume it")
    flow = await find_flow(services, tenant, execution.namespace, execution.flow_id, execution.flow_revision)
    return Paused(execution, task_runs, flow, pause_form(flow, task_runs))


async def read_resume_inputs(
    services: WebServices, request: Request, paused: Paused, given: GivenInputs
) -> ResolvedInputs:
    """Read what a request gives for the inputs of a pause, and check it.

    Raises:
        ApiError: the body cannot be read.
    """
    await read_given_inputs(services, request, paused.as_flow, paused.execution.id, given)
    return await resolve_resume_inputs(services, paused, given)


async def resolve_resume_inputs(services: WebServices, paused: Paused, given: GivenInputs) -> ResolvedInputs:
    """Type and check what was given for the inputs of a pause; expressions are rendered in a thread."""
    if not paused.form.inputs and not given.values:
        return ResolvedInputs({})
    return await asyncio.to_thread(
        resolve_pause_inputs,
        paused.form,
        given.values,
        paused.flow,
        paused.execution,
        paused.task_runs,
        replace(services.environment, encrypt=services.encrypt),
    )
