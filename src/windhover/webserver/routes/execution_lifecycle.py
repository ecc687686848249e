"""What can be done to one execution: restart, replay, resume, pause, change, label, force.

Each action is reached under ``/executions/{id}/actions/{action}`` and, as older clients do,
``/executions/{id}/{action}``. The actions on many at a time are in ``execution_lifecycle_bulk``.

Documentation page: ``docs/restart.md``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import Response

from windhover.engine.checks import FailedCheck, check_lines, refusals
from windhover.engine.inputs import ResolvedInputs
from windhover.engine.messages import (
    ChangeStatus,
    ChangeTaskRunState,
    CommandRefused,
    ForceRun,
    PauseExecution,
    ReplayExecution,
    RestartExecution,
    ResumeExecution,
    ResumeFromBreakpoint,
    SetLabels,
    UnqueueExecution,
)
from windhover.engine.pause_inputs import needs_decision
from windhover.model.execution import Execution, JsonValue, Label
from windhover.model.flow import Flow
from windhover.model.labels import SYSTEM_PREFIX
from windhover.model.log import LogEntry
from windhover.model.state import StateType
from windhover.plugin.flowable import Decision
from windhover.queue.local import QueueClosed
from windhover.util.ids import new_id
from windhover.webserver.authentication import actor_of
from windhover.webserver.bodies import read_json
from windhover.webserver.commands import request as request_change
from windhover.webserver.errors import bad_request, conflict, invalid_entity
from windhover.webserver.execution_access import find_execution, find_flow, find_header
from windhover.webserver.execution_resume import find_paused, read_resume_inputs
from windhover.webserver.execution_start import (
    GivenInputs,
    check_or_refuse,
    put_away,
    read_breakpoints,
    read_given_inputs,
    refused_inputs,
    resolve,
    warning_line,
)
from windhover.webserver.openapi import answers, takes
from windhover.webserver.parameters import ExecutionId, Revision, Services, Tenant
from windhover.webserver.responses import JsonResponse
from windhover.webserver.services import WebServices
from windhover.webserver.uploads import Upload
from windhover.webserver.wire.executions import ExecutionJson, execution_json
from windhover.webserver.wire.inputs import InputsCheckJson, inputs_check_json

router = APIRouter(prefix="/api/v1/{tenant}/executions", tags=["Executions"])

TaskRunId = Annotated[
    str | None, Query(alias="taskRunId", description="The task run to begin from; else from the beginning.")
]
Breakpoints = Annotated[
    str | None, Query(description="Tasks to stop before, `id` or `id.value`, separated by commas.")
]

_FORM = takes(
    "multipart/form-data",
    {
        "type": "object",
        "description": "One field for each input, a file for an input of type FILE.",
        "additionalProperties": {"type": "string"},
    },
    required=False,
    description="The inputs.",
)


class StateRequest(msgspec.Struct, rename="camel"):
    """The state that a task run is to have."""

    task_run_id: str
    state: StateType


class _ExecutionIdConvertor(Convertor[str]):
    """Tells ``/{executionId}/restart`` from the start of a flow ``restart`` in some namespace."""

    regex = "[0-9A-Za-z]{20,24}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("execution_id", _ExecutionIdConvertor())

Endpoint = Callable[..., Awaitable[Response]]

LifecycleCommand = (
    RestartExecution
    | ReplayExecution
    | ChangeTaskRunState
    | ChangeStatus
    | SetLabels
    | PauseExecution
    | ResumeExecution
    | ResumeFromBreakpoint
    | ForceRun
    | UnqueueExecution
)


def action(name: str, operation_id: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
    """Serve an action on one execution under both of its paths."""
    options.setdefault("responses", answers(ExecutionJson))

    def register(endpoint: Endpoint) -> Endpoint:
        router.post(f"/{{executionId}}/actions/{name}", operation_id=operation_id, **options)(endpoint)
        router.post(f"/{{executionId:execution_id}}/{name}", include_in_schema=False)(endpoint)
        return endpoint

    return register


# ---------------------------------------------------------------- going back


@action("restart", "restartExecution")
async def restart(
    request: Request,
    services: Services,
    tenant: Tenant,
    execution_id: ExecutionId,
    revision: Revision = None,
) -> Response:
    """Take up what failed, or was killed; with another revision, in a new execution of that."""
    return await _change(services, tenant, RestartExecution(execution_id, revision, actor_of(request)))


@action("replay", "replayExecution")
async def replay(
    request: Request,
    services: Services,
    tenant: Tenant,
    execution_id: ExecutionId,
    task_run_id: TaskRunId = None,
    revision: Revision = None,
    breakpoints: Breakpoints = None,
) -> Response:
    """Run an execution again as a new one, from its beginning or from one of its task runs."""
    points = read_breakpoints(breakpoints)
    command = ReplayExecution(
        execution_id, task_run_id, revision, breakpoints=points, actor=actor_of(request)
    )
    return await _change(services, tenant, command)


@action("replay-with-inputs", "replayExecutionWithinputs", openapi_extra=_FORM)
async def replay_with_inputs(
    request: Request,
    services: Services,
    tenant: Tenant,
    execution_id: ExecutionId,
    task_run_id: TaskRunId = None,
    revision: Revision = None,
    breakpoints: Breakpoints = None,
) -> Response:
    """As replay, with other inputs; they, and the checks of the flow, are looked at as at a start."""
    execution = await find_header(services, tenant, execution_id)
    flow = await find_flow(
        services, tenant, execution.namespace, execution.flow_id, revision or execution.flow_revision
    )
    replayed_id = new_id()
    upload = Upload.for_new_execution(services, flow, replayed_id)
    given, failed = GivenInputs(upload), list[FailedCheck]()

    async def resolving() -> ResolvedInputs:
        await read_given_inputs(services, request, flow, replayed_id, given)
        resolved = await resolve(services, flow, given.values, replayed_id)
        if not resolved.problems:
            failed.extend(await check_or_refuse(services, flow, resolved.values, replayed_id))
        return resolved

    inputs = await _checked(services, flow, replayed_id, given, upload, resolving())
    replayed = msgspec.structs.replace(execution, id=replayed_id)
    command = ReplayExecution(
        execution_id,
        task_run_id,
        revision,
        inputs,
        replayed_id,
        read_breakpoints(breakpoints),
        actor_of(request),
        [*_warnings(services, replayed, given), *check_lines(failed, replayed, services.clock())],
        refusals(failed),
    )
    return await _change(services, tenant, command, upload)


@action("state", "updateTaskRunState", openapi_extra=takes("application/json", StateRequest))
async def change_state(
    request: Request, services: Services, tenant: Tenant, execution_id: ExecutionId
) -> Response:
    """Say that a task run of an ended execution ended otherwise; the execution goes on from there."""
    wanted = await read_json(request, StateRequest)
    command = ChangeTaskRunState(execution_id, wanted.task_run_id, wanted.state, actor_of(request))
    return await _change(services, tenant, command)


# ---------------------------------------------------------------- pausing and resuming


@action("pause", "pauseExecution")
async def pause(request: Request, services: Services, tenant: Tenant, execution_id: ExecutionId) -> Response:
    """Let nothing new start; what runs goes on to its end."""
    return await _change(services, tenant, PauseExecution(execution_id, actor_of(request)))


@action("resume", "resumeExecution", openapi_extra=_FORM)
async def resume(request: Request, services: Services, tenant: Tenant, execution_id: ExecutionId) -> Response:
    """Let a paused execution go on, with the inputs that its pause asks for."""
    paused = await find_paused(services, tenant, execution_id)
    if paused.form.comment is not None:
        raise conflict(needs_decision(execution_id))
    upload = Upload(services, tenant)
    given = GivenInputs(upload)
    reading = read_resume_inputs(services, request, paused, given)
    inputs = await _checked(services, paused.flow, execution_id, given, upload, reading)
    command = ResumeExecution(
        execution_id,
        inputs,
        actor_of(request),
        paused.form.task_run_id,
        logs=_warnings(services, paused.execution, given),
    )
    return await _change(services, tenant, command, upload)


@action("review", "reviewExecution", openapi_extra=_FORM)
async def review(
    request: Request,
    services: Services,
    tenant: Tenant,
    execution_id: ExecutionId,
    decision: Annotated[Literal["APPROVED", "DENIED"], Query(description="The decision.")],
    comment: Annotated[str | None, Query(description="Why it was decided so.")] = None,
) -> Response:
    """Decide what an Approval asks for, with the inputs of its form."""
    paused = await find_paused(services, tenant, execution_id)
    rule = paused.form.comment
    if rule is None:
        raise conflict(f"Execution '{execution_id}' does not wait for a decision")
    if rule.asks(Decision(decision)) and not (comment or "").strip():
        raise invalid_entity(f"A comment is required for the decision {decision}")
    upload = Upload(services, tenant)
    given = GivenInputs(upload)
    reading = read_resume_inputs(services, request, paused, given)
    inputs = await _checked(services, paused.flow, execution_id, given, upload, reading)
    command = ResumeExecution(
        execution_id,
        inputs,
        actor_of(request),
        paused.form.task_run_id,
        Decision(decision),
        comment or None,
        _warnings(services, paused.execution, given),
    )
    return await _change(services, tenant, command, upload)


@action(
    "resume/validate",
    "validateResumeExecutionInputs",
    responses=answers(list[InputsCheckJson]),
    openapi_extra=_FORM,
)
async def validate_resume(
    request: Request, services: Services, tenant: Tenant, execution_id: ExecutionId
) -> Response:
    """Check inputs as a resume would, without resuming: what each is, and what is wrong with it."""
    paused = await find_paused(services, tenant, execution_id)
    resolved = await read_resume_inputs(services, request, paused, GivenInputs())
    return JsonResponse([inputs_check_json(paused.as_flow, resolved)])


@action("resume-from-breakpoint", "resumeExecutionFromBreakpoint")
async def resume_from_breakpoint(
    request: Request,
    services: Services,
    tenant: Tenant,
    execution_id: ExecutionId,
    breakpoints: Breakpoints = None,
) -> Response:
    """Let an execution go on that stands at a breakpoint; `breakpoints` replace those that it has."""
    points = None if breakpoints is None else read_breakpoints(breakpoints)
    return await _change(services, tenant, ResumeFromBreakpoint(execution_id, points, actor_of(request)))


@action("force-run", "forceRunExecution")
async def force_run(
    request: Request, services: Services, tenant: Tenant, execution_id: ExecutionId
) -> Response:
    """Let an execution run now that waits for its date, for its turn, or for somebody to resume it."""
    return await _change(services, tenant, ForceRun(execution_id, actor_of(request)))


@action("unqueue", "unqueueExecution")
async def unqueue(
    request: Request,
    services: Services,
    tenant: Tenant,
    execution_id: ExecutionId,
    state: Annotated[
        StateType | None, Query(description="RUNNING, or a state in which it ends without having run.")
    ] = None,
) -> Response:
    """Take an execution out of the queue of its flow's concurrency limit."""
    command = UnqueueExecution(execution_id, state or StateType.RUNNING, actor_of(request))
    return await _change(services, tenant, command)


# ---------------------------------------------------------------- changing what has ended


@action("change-status", "updateExecutionStatus")
async def change_status(
    request: Request,
    services: Services,
    tenant: Tenant,
    execution_id: ExecutionId,
    status: Annotated[StateType, Query(description="The end state to give it.")],
) -> Response:
    """Give an ended execution another end state. No task is run."""
    return await _change(services, tenant, ChangeStatus(execution_id, status, actor_of(request)))


@action("labels", "setLabelsOnTerminatedExecution", openapi_extra=takes("application/json", list[Label]))
async def set_labels(
    request: Request, services: Services, tenant: Tenant, execution_id: ExecutionId
) -> Response:
    """Set labels of an ended execution; those of other keys stay."""
    execution = await find_header(services, tenant, execution_id)
    labels = checked_labels(await read_json(request, list[Label]), execution.labels)
    if not execution.state.current.is_terminated:
        raise bad_request(NOT_TERMINATED)
    return await _change(services, tenant, SetLabels(execution_id, labels))


NOT_TERMINATED = "The execution is not terminated"


def checked_labels(labels: list[Label], present: Collection[Label] = ()) -> list[Label]:
    """Labels that people may set; those of the system only as they are ``present`` already.

    Raises:
        ApiError: 422, one is empty, or only the server may set it.
    """
    for label in labels:
        if not label.key or not label.value:
            raise invalid_entity("Invalid labels: a label needs a key and a value")
        if label.key.startswith(SYSTEM_PREFIX) and label not in present:
            raise invalid_entity(
                f"System labels can only be set by Kestra itself, offending label: {label.key}={label.value}"
            )
    return labels


async def _change(
    services: WebServices, tenant: str, command: LifecycleCommand, upload: Upload | None = None
) -> Response:
    """Carry out a command on an execution of the tenant, and answer with the execution that comes of it.

    Raises:
        CommandRefused: it cannot be carried out; the files that came with it are removed.
    """
    await find_header(services, tenant, command.execution_id)
    try:
        done = await request_change(services, command)
    except (CommandRefused, QueueClosed):
        if upload is not None:
            await upload.discard()
        raise
    if upload is not None:
        await upload.settle()
    if done.task_runs is not None:
        return JsonResponse(execution_json(done.execution, done.task_runs))
    return JsonResponse(execution_json(*await find_execution(services, tenant, done.execution.id)))


def _warnings(services: WebServices, execution: Execution, given: GivenInputs) -> list[LogEntry]:
    return [warning_line(execution, message, services.clock()) for message in given.warnings]


async def _checked(
    services: WebServices,
    flow: Flow,
    execution_id: str,
    given: GivenInputs,
    upload: Upload,
    resolving: Awaitable[ResolvedInputs],
) -> dict[str, JsonValue]:
    """Inputs that are all right, large ones in the storage; else what came with them is removed.

    What is to be said of them is added to the warnings of ``given``.

    Raises:
        ApiError: 422, inputs are wrong, all of them named; or the body cannot be read.
    """
    try:
        resolved = await resolving
        if resolved.problems:
            raise refused_inputs(resolved)
        given.warnings += resolved.warnings
        return await put_away(services, flow, execution_id, resolved.values, upload)
    except BaseException:
        await upload.discard()
        raise
