"""Finding executions for a tenant."""

from __future__ import annotations

from collections.abc import Sequence

from windhover.model.execution import Execution, TaskRun
from windhover.model.flow import Flow
from windhover.repository.flow_definitions import FlowNotFound
from windhover.webserver.errors import ApiError, not_found
from windhover.webserver.services import WebServices


async def find_execution(
    services: WebServices, tenant: str, execution_id: str
) -> tuple[Execution, list[TaskRun]]:
    """An execution with its task runs.

    Raises:
        ApiError: 404, the tenant has none of this id.
    """
    found = await services.executions.load(execution_id)
    if found is None or not _is_visible(found[0], tenant):
        raise _unknown(execution_id)
    return found


async def find_header(services: WebServices, tenant: str, execution_id: str) -> Execution:
    """An execution without its task runs.

    Raises:
        ApiError: 404, the tenant has none of this id.
    """
    found = await services.executions.header(execution_id)
    if found is None or not _is_visible(found, tenant):
        raise _unknown(execution_id)
    return found


async def find_kind(services: WebServices, tenant: str, execution_id: str, *, left: bool) -> str | None:
    """The kind of an execution. One that is gone has none, if something of it was ``left``: a log, metrics.

    Raises:
        ApiError: 404, the tenant has none of this id, and nothing is left of one.
    """
    found = await services.executions.header(execution_id)
    if found is not None and _is_visible(found, tenant):
        return found.kind
    if found is None and left:
        return None
    raise _unknown(execution_id)


async def find_flow(
    services: WebServices, tenant: str, namespace: str, flow_id: str, revision: int | None = None
) -> Flow:
    """A flow to be started or shown with its executions.

    Raises:
        ApiError: 404, there is none.
        FlowUnreadable: it is stored but no longer valid.
    """
    try:
        return await services.definitions.get(tenant, namespace, flow_id, revision)
    except FlowNotFound:
        asked = f"{namespace}.{flow_id}" + ("" if revision is None else f" in revision {revision}")
        raise not_found(f"Requested Flow is not found. There is no `{asked}`") from None


def has_ended(execution: Execution, task_runs: Sequence[TaskRun]) -> bool:
    """Whether nothing more will come: after the end state, tasks of ``afterExecution`` may still run."""
    return execution.state.current.is_terminated and all(run.state.current.is_terminated for run in task_runs)


def _is_visible(execution: Execution, tenant: str) -> bool:
    return execution.tenant_id == tenant and not execution.deleted


def _unknown(execution_id: str) -> ApiError:
    return not_found(f"Execution '{execution_id}' not found")
