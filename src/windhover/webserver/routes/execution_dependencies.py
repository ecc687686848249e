"""Following the executions that an execution depends on, and those that depend on it, by server-sent events.

Documentation page: ``docs/api.md``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from windhover.model.execution import Execution
from windhover.repository.execution_query import ExecutionQuery
from windhover.webserver.event_stream import END, HEARTBEAT, EventStream, event
from windhover.webserver.execution_access import find_header
from windhover.webserver.openapi import answers_with
from windhover.webserver.parameters import ExecutionId, Services, Tenant
from windhover.webserver.responses import no_content
from windhover.webserver.services import WebServices
from windhover.webserver.wire.executions import StateJson, state_json

router = APIRouter(prefix="/api/v1/{tenant}/executions", tags=["Executions"])

#: How many executions one stream follows at most; what a loop has started beyond that is left out.
_MOST = 500

_encode = msgspec.json.Encoder().encode


class ExecutionStatusEventJson(msgspec.Struct, rename="camel"):
    """An execution, and the state that it has come to."""

    execution_id: str
    tenant_id: str
    namespace: str
    flow_id: str
    state: StateJson


@router.get(
    "/{executionId}/follow-dependencies",
    responses=answers_with("text/event-stream", "One event for each change of an execution's state"),
    operation_id="followDependenciesExecutions",
)
async def follow_dependencies(
    services: Services,
    tenant: Tenant,
    execution_id: ExecutionId,
    destination_only: Annotated[
        bool, Query(alias="destinationOnly", description="Leave out what has started the execution.")
    ] = False,
    expand_all: Annotated[
        bool, Query(alias="expandAll", description="Follow what these have started, too, and so on.")
    ] = False,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
) -> Response:
    """Stream the states of an execution, of what has started it, and of what it has started: subflows, and
    executions of Flow triggers.

    There is an event (id `progress`) for each as it is now, and for each change; the last one (`end`), about
    the execution itself, comes when all have ended.
    """
    if last_event_id == END:
        return no_content()
    await find_header(services, tenant, execution_id)
    kin = _Kin(services, tenant, execution_id, upwards=not destination_only, far=expand_all)
    return EventStream(_follow(services, kin))


async def _follow(services: WebServices, kin: _Kin) -> AsyncIterator[bytes]:
    shown: dict[str, int] = {}
    arrived = asyncio.Event()
    with ExitStack() as listening:
        heard: set[str] = set()
        while True:
            arrived.clear()
            found = await kin.find()
            new = [id_ for id_ in found if id_ not in heard]
            for id_ in new:
                listening.enter_context(services.feed.listen(id_, arrived))
            heard.update(new)
            if new:
                # What happened before somebody listened has to be read again.
                continue
            for execution in found.values():
                if shown.get(execution.id) != len(execution.state.histories):
                    shown[execution.id] = len(execution.state.histories)
                    yield _event(execution, "progress")
            if kin.execution_id not in found:
                return  # deleted meanwhile
            if all(execution.state.current.is_terminated for execution in found.values()):
                yield _event(found[kin.execution_id], END)
                return
            if services.feed.closed:
                return
            try:
                async with asyncio.timeout(services.heartbeat):
                    await arrived.wait()
            except TimeoutError:
                yield HEARTBEAT


class _Kin:
    """The executions that are linked with one: what has started it, and what it has started."""

    def __init__(
        self, services: WebServices, tenant: str, execution_id: str, *, upwards: bool, far: bool
    ) -> None:
        self._executions = services.executions
        self._tenant = tenant
        self.execution_id = execution_id
        self._upwards = upwards
        self._far = far

    async def find(self) -> dict[str, Execution]:
        """Those that there are now, by id, the one itself first."""
        own = await self._executions.header(self.execution_id)
        found = {} if own is None else {own.id: own}
        if own is not None and self._upwards:
            await self._add_sources(own, found)
        if own is not None:
            await self._add_destinations(found)
        return found

    async def _add_sources(self, own: Execution, found: dict[str, Execution]) -> None:
        at: Execution | None = own
        while at is not None and len(found) < _MOST:
            started_by = at.trigger.variables.get("executionId") if at.trigger is not None else None
            at = await self._executions.header(started_by) if isinstance(started_by, str) else None
            if at is None or at.tenant_id != self._tenant or at.id in found:
                return
            found[at.id] = at
            if not self._far:
                return

    async def _add_destinations(self, found: dict[str, Execution]) -> None:
        waiting = list(found) if self._far else [self.execution_id]
        while waiting:
            query = ExecutionQuery(self._tenant, trigger_execution_id=waiting.pop(0))
            async for execution in self._executions.stream(query):
                if len(found) >= _MOST:
                    return
                if execution.id not in found:
                    found[execution.id] = execution
                    waiting += [execution.id] * self._far


def _event(execution: Execution, id_: str) -> bytes:
    shown = ExecutionStatusEventJson(
        execution.id,
        execution.tenant_id,
        execution.namespace,
        execution.flow_id,
        state_json(execution.state),
    )
    return event(_encode(shown), id=id_)
