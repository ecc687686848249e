"""From a request to a new execution: labels, inputs and files checked, then the executor is asked.

Documentation page: ``docs/api.md``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request

from windhover.engine.checks import FailedCheck, begun, consequence, failed_checks
from windhover.engine.creation import CORRELATION_ID, FlowInputRenderer, new_execution
from windhover.engine.inputs import GivenValue, ResolvedInputs, resolve_inputs
from windhover.engine.messages import CommandRefused, CreateExecution
from windhover.engine.spill import StoredValue
from windhover.model.check import CheckBehavior
from windhover.model.execution import Breakpoint, Execution, JsonValue, Label, TaskFixture
from windhover.model.flow import Flow
from windhover.model.inputs import FileInput, InputBase
from windhover.model.inputs.graph import flatten
from windhover.model.labels import SYSTEM_PREFIX, USERNAME
from windhover.model.log import LogEntry, LogLevel
from windhover.queue.local import QueueClosed
from windhover.storage import StorageLimitError, input_uri
from windhover.util.ids import new_id
from windhover.webserver.authentication import actor_of
from windhover.webserver.bodies import read_json, read_text
from windhover.webserver.commands import ask
from windhover.webserver.errors import ApiError, ErrorDetail, bad_request, conflict, invalid_entity, too_large
from windhover.webserver.multipart import MultipartReader, Part
from windhover.webserver.services import WebServices
from windhover.webserver.uploads import Upload

logger = logging.getLogger(__name__)

#: All values of a form together, files apart, in bytes. What is larger belongs into a FILE input.
MAX_VALUE_BYTES = 16 * 1024 * 1024

#: Executions of this kind try a flow out.
TEST_KIND = "TEST"

#: The part under which older clients send all files; the name of the file is the id of the input.
_OLD_FILES_PART = "files"
_OLD_EXTENSION = ".upl"
_OLD_FILES_WARNING = (
    "Using a deprecated way to upload a FILE input. You must set the input 'id' as part name and set the "
    "name of the file using the regular 'filename' part attribute."
)


@dataclass(frozen=True, slots=True)
class StartOptions:
    """What the query of a start says, apart from the flow."""

    labels: tuple[Label, ...] = ()
    schedule_date: datetime | None = None
    kind: str | None = None
    breakpoints: tuple[Breakpoint, ...] = ()
    fixtures: tuple[TaskFixture, ...] = ()


@dataclass(slots=True)
class GivenInputs:
    """What a request brought: values by input id, files as the URIs they are stored under.

    Without an ``upload`` files are read to their end and not stored, though named as if they were.
    """

    upload: Upload | None = None
    values: dict[str, GivenValue] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def read_breakpoints(text: str | None) -> tuple[Breakpoint, ...]:
    """Read breakpoints separated by commas: ``task``, or ``task.value`` for one value of a loop."""
    points = []
    for written in (text or "").split(","):
        task, dot, value = written.strip().partition(".")
        if task:
            points.append(Breakpoint(task, value if dot else None))
    return tuple(points)


def read_fixtures(text: str | None, kind: str | None) -> tuple[TaskFixture, ...]:
    """Read the fixtures of a test: the JSON text of a list of maps with `id`, `value`, `state` and `outputs`.

    Raises:
        ApiError: 422, they are no such list, or the execution is no test.
    """
    if not text:
        return ()
    if kind != TEST_KIND:
        raise invalid_entity(f"Only executions of the kind {TEST_KIND} have fixtures")
    try:
        fixtures = msgspec.json.decode(text, type=tuple[TaskFixture, ...])
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise invalid_entity(f"Invalid fixtures: {error}") from None
    for fixture in fixtures:
        if not fixture.state.is_terminated:
            raise invalid_entity(
                f"Invalid fixtures: {fixture.state.value} is no end of the task '{fixture.id}'"
            )
    return fixtures


def read_labels(texts: Sequence[str]) -> tuple[Label, ...]:
    """Read labels of the form ``key:value``.

    Raises:
        ApiError: 422, one has another form, or only the server may set it.
    """
    labels: dict[str, str] = {}
    for text in texts:
        key, colon, value = text.partition(":")
        value = value.strip()
        if not colon or not key or not value:
            raise invalid_entity(f"Invalid labels: `{text}` is not of the form key:value")
        if key.startswith(SYSTEM_PREFIX) and key != CORRELATION_ID:
            raise invalid_entity(
                f"System labels can only be set by Kestra itself, offending label: {key}={value}"
            )
        labels[key] = value
    return tuple(Label(key, value) for key, value in labels.items())


def _username(request: Request) -> tuple[Label, ...]:
    """The label that says who started an execution, where users have to say who they are."""
    actor = actor_of(request)
    return () if actor is None else (Label(USERNAME, actor),)


@dataclass(frozen=True, slots=True)
class PreparedExecution:
    """An execution that has been checked and not been started, with the lines that its log begins with."""

    start: CreateExecution
    upload: Upload

    @property
    def execution(self) -> Execution:
        return self.start.execution


async def prepare_execution(
    services: WebServices, request: Request, flow: Flow, options: StartOptions
) -> PreparedExecution:
    """Read the inputs that a request brings and make the execution.

    Files that came are kept only when all is well.

    Raises:
        ApiError: 409, the flow is disabled; 422, inputs are wrong, all of them named, or a check of the
            flow blocks it; 4xx, the body cannot be read.
    """
    if flow.disabled:
        raise conflict("Requested Flow is disabled.")
    execution_id = new_id()
    upload = Upload.for_new_execution(services, flow, execution_id)
    given = GivenInputs(upload)
    try:
        await read_given_inputs(services, request, flow, execution_id, given)
        resolved = await resolve(services, flow, given.values, execution_id, options.labels)
        if resolved.problems:
            raise refused_inputs(resolved)
        failed = await check_or_refuse(services, flow, resolved.values, execution_id, options.labels)
        inputs = await put_away(services, flow, execution_id, resolved.values, upload)
    except BaseException:
        await upload.discard()
        raise
    now = services.clock()
    execution = new_execution(
        flow,
        inputs,
        execution_id,
        now,
        labels=(*options.labels, *_username(request)),
        schedule_date=options.schedule_date,
        kind=options.kind,
    )
    execution.breakpoints, execution.fixtures = options.breakpoints, options.fixtures
    warnings = [*given.warnings, *resolved.warnings]
    logs = [warning_line(execution, message, now) for message in warnings]
    return PreparedExecution(begun(execution, failed, logs), upload)


async def start(services: WebServices, prepared: PreparedExecution) -> Execution:
    """Ask the executor to start an execution, and return it as it was accepted.

    Raises:
        CommandRefused: it cannot be started; its files are removed.
        QueueClosed: the executor is stopping; its files are removed.
        ApiError: 503, there was no answer in time.
    """
    try:
        started = await ask(services, prepared.start)
    except (CommandRefused, QueueClosed):
        await prepared.upload.discard()
        raise
    await prepared.upload.settle()
    return started


async def resolve(
    services: WebServices,
    flow: Flow,
    values: Mapping[str, GivenValue],
    execution_id: str,
    labels: Sequence[Label] = (),
) -> ResolvedInputs:
    """Type and check what was given. Expressions may ask the server, so they are rendered in a thread."""
    if not flow.inputs and not values:
        return ResolvedInputs({})
    renderer = FlowInputRenderer(
        services.environment, flow, execution_id, labels=labels, start=services.clock()
    )
    return await asyncio.to_thread(
        resolve_inputs,
        flow.inputs,
        values,
        renderer,
        workflow=f"{flow.namespace}.{flow.id}",
        encrypt=services.encrypt,
    )


async def check(
    services: WebServices,
    flow: Flow,
    inputs: Mapping[str, JsonValue],
    execution_id: str,
    labels: Sequence[Label] = (),
) -> list[FailedCheck]:
    """The checks of a flow that fail for these inputs."""
    if not flow.checks:
        return []
    renderer = FlowInputRenderer(services.environment, flow, execution_id, labels=labels)
    return await asyncio.to_thread(failed_checks, flow.checks, inputs, renderer)


async def check_or_refuse(
    services: WebServices,
    flow: Flow,
    inputs: Mapping[str, JsonValue],
    execution_id: str,
    labels: Sequence[Label] = (),
) -> list[FailedCheck]:
    """The checks of a flow that fail for these inputs, if they let the execution be created.

    Raises:
        ApiError: 422, one of them blocks it.
    """
    failed = await check(services, flow, inputs, execution_id, labels)
    if consequence(failed) is CheckBehavior.BLOCK_EXECUTION:
        raise _blocked(failed)
    return failed


def _blocked(failed: Sequence[FailedCheck]) -> ApiError:
    details = [ErrorDetail(one.message, "checks") for one in failed]
    messages = "\n".join(one.message for one in failed)
    return invalid_entity(
        f"Flow execution blocked: one or more condition checks evaluated to false.\n{messages}", details
    )


def refused_inputs(resolved: ResolvedInputs) -> ApiError:
    """The error that names every input that is wrong."""
    details = [ErrorDetail(problem.message, problem.id) for problem in resolved.problems]
    return invalid_entity("\n".join(detail.message for detail in details), details)


async def put_away(
    services: WebServices, flow: Flow, execution_id: str, values: dict[str, JsonValue], upload: Upload
) -> dict[str, JsonValue]:
    """Move inputs that are too large for a row into the storage; a marker takes their place."""
    limit = services.settings.limits.inline_inputs
    kept = dict(values)
    for name, value in values.items():
        encoded = msgspec.json.encode(value)
        if len(encoded) > limit:
            uri = input_uri(flow.namespace, flow.id, execution_id, name, f"{name}.json")
            await upload.put(uri, encoded)
            kept[name] = StoredValue(uri, len(encoded)).marker()
    return kept


# ---------------------------------------------------------------- reading the body


async def read_given_inputs(
    services: WebServices,
    request: Request,
    flow: Flow,
    execution_id: str,
    given: GivenInputs,
) -> None:
    """Read the body of a request into ``given``, whatever usual form it has.

    Raises:
        ApiError: 400 or 413, it cannot be read; 415, it is of an unknown kind.
    """
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        if request.headers.get("content-length") != "0":
            await _read_form(services, request, content_type, flow, execution_id, given)
    elif kind == "application/json":
        body = await read_json(request, msgspec.Raw, MAX_VALUE_BYTES)
        given.values.update(_json_inputs(bytes(body)))
    elif kind == "application/x-www-form-urlencoded":
        text = await read_text(request, MAX_VALUE_BYTES)
        given.values.update(parse_qsl(text, keep_blank_values=True))
    elif await _has_body(request):
        raise ApiError(
            415,
            f"Unsupported Media Type: inputs are sent as multipart/form-data or application/json, not as "
            f"`{kind or 'a body without Content-Type'}`.",
        )


async def _has_body(request: Request) -> bool:
    if request.headers.get("content-length", "") not in ("", "0"):
        return True
    async for chunk in request.stream():
        if chunk:
            return True
    return False


def _json_inputs(body: bytes) -> dict[str, JsonValue]:
    try:
        return msgspec.json.decode(body, type=dict[str, JsonValue])
    except msgspec.DecodeError:
        raise bad_request("The JSON body must be an object that holds the inputs by id.") from None


async def _read_form(
    services: WebServices,
    request: Request,
    content_type: str,
    flow: Flow,
    execution_id: str,
    given: GivenInputs,
) -> None:
    declared = {name: flat.definition for name, flat in flatten(flow.inputs).items()}
    remaining = MAX_VALUE_BYTES
    limit = services.settings.server.max_request_size
    reader = MultipartReader(content_type, _limited(request, limit))
    async for part in reader.parts():
        input_id = part.name
        is_old_form = part.filename is not None and input_id == _OLD_FILES_PART and input_id not in declared
        if is_old_form:
            input_id = part.filename or ""
            given.warnings.append(_OLD_FILES_WARNING)
        definition = declared.get(input_id)
        if part.filename is not None and isinstance(definition, FileInput):
            name = _old_name(definition) if is_old_form else part.filename
            uri = input_uri(flow.namespace, flow.id, execution_id, input_id, name or _OLD_EXTENSION)
            given.values[input_id] = uri
            if given.upload is not None:
                await _store(services, uri, part, given.upload)
            else:
                await part.skip()
        elif part.filename is not None and definition is None:
            given.values[input_id] = part.filename
            await part.skip()
        else:
            text = await part.text(remaining)
            remaining -= len(text)
            given.values[input_id] = text


async def _store(services: WebServices, uri: str, part: Part, upload: Upload) -> None:
    """Stream a file into the storage."""
    limit = services.settings.server.max_upload_size
    try:
        await upload.put(uri, part, size_limit=limit)
    except StorageLimitError:
        raise too_large(
            f"The file of input `{part.name}` is larger than the limit of {limit} bytes."
        ) from None


def _old_name(definition: InputBase) -> str:
    extension = definition.extension if isinstance(definition, FileInput) else None
    return f"{definition.id}{extension or _OLD_EXTENSION}"


async def _limited(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The chunks of a body, as long as it is not too large."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise too_large(f"The body is larger than the limit of {limit} bytes.")
        if chunk:
            yield chunk


def warning_line(execution: Execution, message: str, now: datetime) -> LogEntry:
    return LogEntry(
        tenant_id=execution.tenant_id,
        namespace=execution.namespace,
        flow_id=execution.flow_id,
        execution_id=execution.id,
        timestamp=now,
        level=LogLevel.WARN,
        message=message,
    )
