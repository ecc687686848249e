"""What an editor may offer where an expression is being written, at a place of a flow's source.

Everything is found without running anything: the flow's own names, and the keys, files and secrets of its
namespace. What is offered is the inside of ``{{ }}``.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator

from windhover.engine.flow_names import FlowNames
from windhover.expression.registry import Kind, definitions
from windhover.model.flow import Flow
from windhover.model.problem import FlowInvalid
from windhover.plugin.parsing import FlowRefused
from windhover.repository.kv import KvRepository
from windhover.repository.namespace_files import NamespaceFileRepository
from windhover.repository.secrets import SecretRepository
from windhover.util.namespaces import parents
from windhover.webserver.flow_sources import parse
from windhover.webserver.services import WebServices

#: How many keys, files and secrets are offered at most of each.
MOST = 1_000

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_OF_EXECUTIONS = (
    *("execution.id", "execution.originalId", "execution.startDate", "execution.state"),
    *("flow.id", "flow.namespace", "flow.revision", "flow.tenantId"),
    *("kestra.environment", "kestra.url"),
)
_OF_TASKS = (
    *("parent.outputs", "parent.taskrun.value", "parents", "task.id", "task.type"),
    *("taskrun.attemptsCount", "taskrun.id", "taskrun.iteration", "taskrun.parentId"),
    *("taskrun.startDate", "taskrun.value"),
)


async def offered_expressions(
    services: WebServices, tenant: str, source: str, task_id: str | None
) -> dict[str, list[str]]:
    """Expressions by category for a flow that is being written; with a task, what that task may read.

    A source that can be read in part is known by that part, one that cannot by nothing of its own.
    """
    flow = await _flow(services, source)
    offered: dict[str, list[str]] = {
        "taskOutputs": [],
        "executionContext": list(_context(services, flow)),
        "inputs": [],
        "variables": [],
        "secrets": await _secrets(services, tenant, flow.namespace if flow is not None else None),
        "kvPairs": [],
        "namespaceFiles": [],
        "filters": sorted(definitions(Kind.FILTER)),
        "functions": [f"{name}()" for name in sorted(definitions(Kind.FUNCTION))],
        "appContext": [],
    }
    if flow is None:
        return offered
    offered["taskOutputs"] = [written("outputs", *path) for path in FlowNames(flow).outputs_before(task_id)]
    offered["inputs"] = [written("inputs", *declared.id.split(".")) for declared in flow.inputs]
    offered["variables"] = [written("vars", name) for name in flow.variables]
    offered["kvPairs"] = await _keys(services, tenant, flow.namespace)
    files = await NamespaceFileRepository(services.database).list(tenant, flow.namespace)
    offered["namespaceFiles"] = [
        call("read", file.path.removeprefix("/")) for file in files[:MOST] if not file.path.endswith("/")
    ]
    return offered


async def _flow(services: WebServices, source: str) -> Flow | None:
    try:
        return (await parse(services, source)).flow
    except FlowRefused as refused:
        return refused.partial.flow
    except FlowInvalid:
        return None


async def _secrets(services: WebServices, tenant: str, namespace: str | None) -> list[str]:
    """By name, those that a flow of the namespace may read."""
    names = set(services.environment_secrets())
    if namespace is not None:
        around = [namespace, *parents(namespace)]
        names |= {key for _, key in await SecretRepository(services.database).keys(tenant, around)}
    return [call("secret", name) for name in sorted(names)[:MOST]]


async def _keys(services: WebServices, tenant: str, namespace: str) -> list[str]:
    repository = KvRepository(services.database)
    found = await asyncio.gather(
        *(repository.keys(tenant, each, services.clock()) for each in (namespace, *parents(namespace)))
    )
    return [call("kv", key) for key in sorted({key for keys in found for key in keys})[:MOST]]


def _context(services: WebServices, flow: Flow | None) -> Iterator[str]:
    yield from (*_OF_EXECUTIONS, *_OF_TASKS)
    yield from (written("globals", name) for name in sorted(services.environment.globals))
    yield from (written("envs", name) for name in sorted(services.environment.envs))
    if flow is not None:
        yield from (written("labels", *label.key.split(".")) for label in flow.labels)
        yield from dict.fromkeys(_of_triggers(flow))


def _of_triggers(flow: Flow) -> Iterable[str]:
    for trigger in flow.triggers:
        output = getattr(getattr(trigger, "plugin", type(trigger)), "output", None)
        if output is not None:
            for name, info in output.model_fields.items():
                yield written("trigger", info.serialization_alias or info.alias or name)


def written(root: str, *members: str) -> str:
    """A path as it is written: ``outputs['my-task'].uri``."""
    return root + "".join(
        f".{member}" if _PLAIN.fullmatch(member) else f"[{_quoted(member)}]" for member in members
    )


def call(function: str, argument: str) -> str:
    """A call with one text: ``kv('key')``."""
    return f"{function}({_quoted(argument)})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "\\'") + "'"
