"""The tasks by which flows of the second dialect act on the server they run on."""

from __future__ import annotations

import pytest

from windhover.core.kestra.executions.count import Count
from windhover.core.kestra.executions.delete import Delete
from windhover.core.kestra.executions.kill import Kill
from windhover.core.kestra.executions.resume import Resume
from windhover.core.kestra.logs.fetch import Fetch
from windhover.core.kestra.namespaces.namespaces_with_flows import NamespacesWithFlows
from windhover.core.kestra.triggers.toggle import Toggle
from windhover.model.execution import JsonValue
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.plugin.registry import Registry
from windhover.worker.inline import InlineWorker


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("executions.Count", Count),
        ("executions.Delete", Delete),
        ("executions.Kill", Kill),
        ("executions.Resume", Resume),
        ("logs.Fetch", Fetch),
        ("namespaces.NamespacesWithFlows", NamespacesWithFlows),
        ("triggers.Toggle", Toggle),
    ],
)
def test_types_are_found_by_their_names(name: str, cls: type) -> None:
    found = Registry(discover=False).find(f"io.kestra.plugin.kestra.{name}")
    assert found is not None
    assert found.cls is cls
    assert not found.deprecated


async def test_executions_are_killed_and_resumed_without_credentials(worker: InlineWorker) -> None:
    await worker.run(Kill, {"executionId": "e", "auth": {"auto": True}})
    await worker.run(Resume, {"inputs": {"a": 1}}, {"trigger": {"executionId": "waiting"}})
    assert worker.server.executions.killed == ["e"]
    assert worker.server.executions.resumed == [("waiting", {"a": 1})]


async def test_another_server_is_not_asked_in_silence(worker: InlineWorker) -> None:
    done = await worker.run(Kill, {"executionId": "e", "kestraUrl": "http://other:8080"})
    assert done.at(LogLevel.WARN) == [
        "`kestraUrl: http://other:8080` is not used: the task acts on its own server"
    ]
    refused = await worker.run(Kill, {"executionId": "f", "tenantId": "other"})
    assert refused.state is StateType.FAILED
    assert worker.server.executions.killed == ["e"]


@pytest.mark.parametrize(
    ("properties", "count"),
    [
        ({"namespaces": ["company.team"]}, 7),
        ({"namespaces": ["company.team"], "flowId": "load"}, 5),
        ({"namespaces": ["company.team"], "expression": "{{ count < 3 }}"}, 2),
        ({}, 7),
    ],
)
async def test_count(worker: InlineWorker, properties: dict[str, JsonValue], count: int) -> None:
    worker.server.executions.counts = {("company.team", "load"): 5, ("company.team", "tell"): 2}
    assert (await worker.run(Count, properties)).outputs == {"count": count}


async def test_delete(worker: InlineWorker) -> None:
    worker.server.executions.ended.add("old")
    done = await worker.run(Delete, {"executionId": "old", "deleteLogs": False})
    assert done.state is StateType.SUCCESS
    purge = worker.server.executions.purges[0]
    assert (purge.execution_id, purge.logs, purge.metrics, purge.files) == ("old", False, True, True)
    missing = await worker.run(Delete, {"executionId": "new"})
    assert missing.at(LogLevel.ERROR) == ["There is no execution 'new' that has ended"]


async def test_toggle(worker: InlineWorker) -> None:
    done = await worker.run(Toggle, {"trigger": "nightly", "flowId": "load"})
    assert done.outputs == {"count": 1}
    assert list(worker.server.triggers.enabled.values()) == [False]
