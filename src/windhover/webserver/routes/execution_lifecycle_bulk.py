"""The actions of ``execution_lifecycle`` on many executions: by their ids, or all that a search finds.

By ids nothing is done when one of them does not exist or is in a state that the action is not for; by a
search those are passed over.

Documentation page: ``docs/restart.md``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from windhover.engine.messages import (
    ChangeStatus,
    Command,
    ForceRun,
    IllegalExecutionState,
    PauseExecution,
    ReplayExecution,
    RestartExecution,
    ResumeExecution,
    SetLabels,
    UnqueueExecution,
)
from windhover.engine.pause_inputs import needs_decision
from windhover.model.execution import Execution, Label
from windhover.model.state import StateType
from windhover.webserver.authentication import actor_of
from windhover.webserver.bodies import read_json
from windhover.webserver.commands import ask
from windhover.webserver.errors import bad_request
from windhover.webserver.execution_access import find_flow
from windhover.webserver.execution_bulk import (
    IDS_BODY,
    BulkErrorJson,
    OperationJson,
    accepted,
    by_ids,
    each,
    for_each,
    found,
    refused,
)
from windhover.webserver.execution_filters import EXECUTION_FILTERS
from windhover.webserver.execution_resume import find_paused, resolve_resume_inputs
from windhover.webserver.execution_start import GivenInputs, refused_inputs
from windhover.webserver.openapi import answers, takes
from windhover.webserver.parameters import Services, Tenant
from windhover.webserver.routes.execution_lifecycle import checked_labels
from windhover.webserver.services import WebServices

router = APIRouter(prefix="/api/v1/{tenant}/executions", tags=["Executions"])

LatestRevision = Annotated[
    bool, Query(alias="latestRevision", description="Run the latest revision of the flow, not the old one.")
]
NewStatus = Annotated[StateType, Query(alias="newStatus", description="The end state to give them.")]
QueueState = Annotated[
    StateType | None, Query(description="RUNNING, or a state in which they end without having run.")
]

Endpoint = Callable[..., Awaitable[Response]]
#: Makes the command for one execution, on behalf of whoever is named.
MakeCommand = Callable[[WebServices, Execution, str | None], Awaitable[Command]]


class LabelsRequest(msgspec.Struct, rename="camel"):
    """Labels, and the executions that are to have them."""

    executions_id: list[str]
    execution_labels: list[Label]


@dataclass(frozen=True, slots=True)
class Action:
    """An action, and why it cannot be carried out in some states."""

    name: str
    fits: Callable[[StateType], bool]
    problem: str

    def problem_of(self, execution: Execution) -> str | None:
        return None if self.fits(execution.state.current) else self.problem


def _is_ended(state: StateType) -> bool:
    return state.is_terminated


def _is_under_way(state: StateType) -> bool:
    return not state.is_terminated


def _is(*states: StateType) -> Callable[[StateType], bool]:
    return lambda state: state in states


#: Ends after which there may be something to take up again. A pause is for somebody to end, one by one.
_RESTARTABLE = (StateType.FAILED, StateType.KILLED, StateType.CANCELLED, StateType.WARNING)

RESTART = Action(
    "restart", _is(*_RESTARTABLE), "execution has not ended, or nothing in it failed or was stopped"
)
REPLAY = Action("replay", lambda _: True, "execution cannot be replayed")
RESUME = Action("resume", _is(StateType.PAUSED), "execution is not paused")
PAUSE = Action("pause", _is(StateType.RUNNING), "execution is not running")
FORCE_RUN = Action("force run", _is_under_way, "execution has already ended")
UNQUEUE = Action("unqueue", _is(StateType.QUEUED), "execution is not queued")
CHANGE_STATUS = Action("change status", _is_ended, "execution has not ended")
SET_LABELS = Action("set labels", _is_ended, "execution has not ended")


# ---------------------------------------------------------------- actions without arguments


async def _restart(services: WebServices, execution: Execution, actor: str | None) -> Command:
    return RestartExecution(execution.id, actor=actor)


async def _pause(services: WebServices, execution: Execution, actor: str | None) -> Command:
    return PauseExecution(execution.id, actor)


async def _force_run(services: WebServices, execution: Execution, actor: str | None) -> Command:
    return ForceRun(execution.id, actor)


async def _resume(services: WebServices, execution: Execution, actor: str | None) -> Command:
    """Resume with no more than defaults: a pause that asks for more is passed over, and so is an Approval."""
    paused = await find_paused(services, execution.tenant_id, execution.id)
    if paused.form.comment is not None:
        raise IllegalExecutionState(needs_decision(execution.id))
    resolved = await resolve_resume_inputs(services, paused, GivenInputs())
    if resolved.problems:
        raise refused_inputs(resolved)
    return ResumeExecution(execution.id, resolved.values, actor, task_run_id=paused.form.task_run_id)


def _serve(path: str, operation: str, action: Action, command: MakeCommand, says: str) -> None:
    async def on_ids(request: Request, services: Services, tenant: Tenant) -> Response:
        return await _on_ids(request, services, tenant, await read_json(request, list[str]), action, command)

    async def on_query(request: Request, services: Services, tenant: Tenant) -> Response:
        return await _on_query(request, services, tenant, action, command)

    on_ids.__doc__ = f"{says} executions by their ids."
    on_query.__doc__ = f"{says} all executions that the conditions find and that it fits."
    _post(f"/{path}/by-ids", f"{operation}ByIds", openapi_extra=IDS_BODY)(on_ids)
    _post(f"/{path}/by-query", f"{operation}ByQuery", openapi_extra=EXECUTION_FILTERS)(on_query)


def _post(path: str, operation_id: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
    responses = answers(OperationJson, 202) | answers(BulkErrorJson, 400, "Refused")
    return router.post(path, status_code=202, responses=responses, operation_id=operation_id, **options)


_serve("restart", "restartExecutions", RESTART, _restart, "Restart")
_serve("resume", "resumeExecutions", RESUME, _resume, "Resume")
_serve("pause", "pauseExecutions", PAUSE, _pause, "Pause")
_serve("force-run", "forceRunExecutions", FORCE_RUN, _force_run, "Force to run")


# ---------------------------------------------------------------- actions with arguments


@_post("/replay/by-ids", "replayExecutionsByIds", openapi_extra=IDS_BODY)
async def replay_by_ids(
    request: Request, services: Services, tenant: Tenant, latest_revision: LatestRevision = False
) -> Response:
    """Run executions again from their beginning, as new ones."""
    ids = await read_json(request, list[str])
    return await _on_ids(request, services, tenant, ids, REPLAY, _replay(latest_revision))


@_post("/replay/by-query", "replayExecutionsByQuery", openapi_extra=EXECUTION_FILTERS)
async def replay_by_query(
    request: Request, services: Services, tenant: Tenant, latest_revision: LatestRevision = False
) -> Response:
    """Run all executions that the conditions find again from their beginning, as new ones."""
    return await _on_query(request, services, tenant, REPLAY, _replay(latest_revision))


@_post("/unqueue/by-ids", "unqueueExecutionsByIds", openapi_extra=IDS_BODY)
async def unqueue_by_ids(
    request: Request, services: Services, tenant: Tenant, state: QueueState = None
) -> Response:
    """Take executions out of the queues of their flows."""
    ids = await read_json(request, list[str])
    return await _on_ids(request, services, tenant, ids, UNQUEUE, _unqueue(state))


@_post("/unqueue/by-query", "unqueueExecutionsByQuery", openapi_extra=EXECUTION_FILTERS)
async def unqueue_by_query(
    request: Request,
    services: Services,
    tenant: Tenant,
    state: Annotated[StateType | None, Query(alias="newState")] = None,
) -> Response:
    """Take all executions that the conditions find out of the queues of their flows."""
    return await _on_query(request, services, tenant, UNQUEUE, _unqueue(state))


@_post("/change-status/by-ids", "updateExecutionsStatusByIds", openapi_extra=IDS_BODY)
async def change_status_by_ids(
    request: Request, services: Services, tenant: Tenant, status: NewStatus
) -> Response:
    """Give ended executions another end state."""
    ids = await read_json(request, list[str])
    return await _on_ids(request, services, tenant, ids, CHANGE_STATUS, _change_status(status))


@_post("/change-status/by-query", "updateExecutionsStatusByQuery", openapi_extra=EXECUTION_FILTERS)
async def change_status_by_query(
    request: Request, services: Services, tenant: Tenant, status: NewStatus
) -> Response:
    """Give all ended executions that the conditions find another end state."""
    return await _on_query(request, services, tenant, CHANGE_STATUS, _change_status(status))


@_post(
    "/labels/by-ids",
    "setLabelsOnTerminatedExecutionsByIds",
    openapi_extra=takes("application/json", LabelsRequest),
)
async def labels_by_ids(request: Request, services: Services, tenant: Tenant) -> Response:
    """Set labels of ended executions; those of other keys stay."""
    wanted = await read_json(request, LabelsRequest)
    command = _set_labels(checked_labels(wanted.execution_labels))
    return await _on_ids(request, services, tenant, wanted.executions_id, SET_LABELS, command)


@_post(
    "/labels/by-query",
    "setLabelsOnTerminatedExecutionsByQuery",
    openapi_extra={**EXECUTION_FILTERS, **takes("application/json", list[Label])},
)
async def labels_by_query(request: Request, services: Services, tenant: Tenant) -> Response:
    """Set labels of all ended executions that the conditions find; those of other keys stay."""
    command = _set_labels(checked_labels(await read_json(request, list[Label])))
    return await _on_query(request, services, tenant, SET_LABELS, command)


def _replay(latest_revision: bool) -> MakeCommand:
    async def command(services: WebServices, execution: Execution, actor: str | None) -> Command:
        if not latest_revision:
            return ReplayExecution(execution.id, actor=actor)
        flow = await find_flow(services, execution.tenant_id, execution.namespace, execution.flow_id)
        return ReplayExecution(execution.id, revision=flow.revision, actor=actor)

    return command


def _unqueue(state: StateType | None) -> MakeCommand:
    async def command(services: WebServices, execution: Execution, actor: str | None) -> Command:
        return UnqueueExecution(execution.id, state or StateType.RUNNING, actor)

    return command


def _change_status(status: StateType) -> MakeCommand:
    if not status.is_terminated:
        raise bad_request("You can only change the status of an execution to a terminal state.")

    async def command(services: WebServices, execution: Execution, actor: str | None) -> Command:
        return ChangeStatus(execution.id, status, actor)

    return command


def _set_labels(labels: list[Label]) -> MakeCommand:
    async def command(services: WebServices, execution: Execution, actor: str | None) -> Command:
        return SetLabels(execution.id, labels)

    return command


# ---------------------------------------------------------------- carrying them out


async def _on_ids(
    request: Request,
    services: WebServices,
    tenant: str,
    ids: Sequence[str],
    action: Action,
    command: MakeCommand,
) -> Response:
    executions, invalid = await by_ids(services, tenant, ids, action.problem_of)
    if invalid:
        return refused(f"invalid bulk {action.name}", invalid)
    return accepted(await _carry_out(services, each(executions), action, command, actor_of(request)))


async def _on_query(
    request: Request, services: WebServices, tenant: str, action: Action, command: MakeCommand
) -> Response:
    executions = found(request, services, tenant)
    return accepted(await _carry_out(services, executions, action, command, actor_of(request)))


async def _carry_out(
    services: WebServices,
    executions: AsyncIterator[Execution],
    action: Action,
    command: MakeCommand,
    actor: str | None,
) -> int:
    async def act(execution: Execution) -> None:
        problem = action.problem_of(execution)
        if problem is not None:
            raise IllegalExecutionState(problem)
        await ask(services, await command(services, execution, actor))

    return await for_each(executions, act)
