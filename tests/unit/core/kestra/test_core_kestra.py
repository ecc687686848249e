"""The tasks by which flows of the second dialect act on the server they run on."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime, timedelta
from io import BytesIO

import msgspec
import pytest

from windhover.core.kestra.executions.count import Count
from windhover.core.kestra.executions.delete import Delete
from windhover.core.kestra.executions.kill import Kill
from windhover.core.kestra.executions.query import Query
from windhover.core.kestra.executions.resume import Resume
from windhover.core.kestra.flows.export import Export
from windhover.core.kestra.flows.export_by_id import ExportById
from windhover.core.kestra.flows.list import List as ListFlows
from windhover.core.kestra.logs.fetch import Fetch
from windhover.core.kestra.namespaces.list import List as ListNamespaces
from windhover.core.kestra.namespaces.namespaces_with_flows import NamespacesWithFlows
from windhover.core.kestra.triggers.schedule_monitor import ScheduleMonitor, ScheduleMonitorOutput
from windhover.core.kestra.triggers.toggle import Toggle
from windhover.model.execution import Execution, ExecutionMetadata, JsonValue, Label
from windhover.model.log import LogLevel
from windhover.model.state import State, StateType
from windhover.model.trigger_state import TriggerKey, TriggerMemory, TriggerState
from windhover.plugin.context import RunContext, StoredFlow
from windhover.plugin.definition import bind_properties
from windhover.plugin.registry import Registry
from windhover.plugin.task import RunnableTask, Static
from windhover.worker.inline import InlineWorker


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("executions.Count", Count),
        ("executions.Delete", Delete),
        ("executions.Kill", Kill),
        ("executions.Query", Query),
        ("executions.Resume", Resume),
        ("flows.Export", Export),
        ("flows.ExportById", ExportById),
        ("flows.List", ListFlows),
        ("logs.Fetch", Fetch),
        ("namespaces.List", ListNamespaces),
        ("namespaces.NamespacesWithFlows", NamespacesWithFlows),
        ("triggers.ScheduleMonitor", ScheduleMonitor),
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


NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)

FLOWS = [
    StoredFlow("company", "load", 2, "id: load", labels=(Label("team", "data"),)),
    StoredFlow("company.team", "tell", 1, "id: tell", disabled=True, description="Tells"),
]


def execution(id_: str) -> Execution:
    state = State.created(NOW)
    state.become(StateType.SUCCESS, NOW + timedelta(seconds=2))
    labels = [Label("team", "data")]
    return Execution(id_, "main", "company", "load", 2, state, id_, ExecutionMetadata(1, NOW), labels)


ROW = {
    "id": "a",
    "namespace": "company",
    "flowId": "load",
    "flowRevision": 2,
    "state": {
        "current": "SUCCESS",
        "startDate": "2026-01-10T12:00:00.000000Z",
        "endDate": "2026-01-10T12:00:02.000000Z",
        "duration": 2.0,
    },
    "labels": [{"key": "team", "value": "data"}],
    "originalId": "a",
}


@pytest.mark.parametrize(
    ("fetch_type", "outputs"),
    [
        ("FETCH", {"rows": [ROW, {**ROW, "id": "b", "originalId": "b"}], "size": 2}),
        ("FETCH_ONE", {"row": ROW, "size": 1}),
        ("NONE", {}),
    ],
)
async def test_what_a_query_finds(worker: InlineWorker, fetch_type: str, outputs: JsonValue) -> None:
    worker.server.executions.found = [execution("a"), execution("b")]
    assert (await worker.run(Query, {"fetchType": fetch_type})).outputs == outputs


async def test_a_query_keeps_what_it_finds_in_a_file(worker: InlineWorker) -> None:
    worker.server.executions.found = [execution("a"), execution("b")]
    outputs = (await worker.run(Query)).outputs
    assert outputs["size"] == 2
    content = await worker.storage.for_tenant("main").read(outputs["uri"])
    assert [msgspec.json.decode(line)["id"] for line in content.splitlines()] == ["a", "b"]


async def test_the_conditions_of_a_query(worker: InlineWorker) -> None:
    properties: dict[str, JsonValue] = {
        "namespace": "company",
        "flowId": "load",
        "flowScopes": ["USER"],
        "states": ["FAILED"],
        "labels": {"team": "data"},
        "startDate": "2026-01-01T00:00:00Z",
        "endDate": "2026-01-02T00:00:00Z",
        "triggerExecutionId": "x",
        "childFilter": "CHILD",
        "page": 2,
        "size": 5,
    }
    assert (await worker.run(Query, properties)).outputs["size"] == 0
    ((selection, page, size),) = worker.server.executions.searches
    assert (page, size) == (2, 5)
    assert (selection.namespace, selection.flow_id, selection.system) == ("company", "load", False)
    assert (selection.states, selection.labels) == ([StateType.FAILED], {"team": "data"})
    assert (selection.since, selection.until) == (
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 2, tzinfo=UTC),
    )
    assert (selection.triggered_by, selection.children) == ("x", True)
    refused = await worker.run(Query, {"timeRange": "PT1H", "startDate": "2026-01-01T00:00:00Z"})
    assert refused.state is StateType.FAILED


async def test_lists_of_flows_and_namespaces(worker: InlineWorker) -> None:
    worker.server.flows.stored = FLOWS
    worker.server.flows.declared = ["company.team", "empty"]
    listed = (await worker.run(ListFlows, {"namespace": "company.team"})).outputs["flows"]
    assert listed == [
        {
            "namespace": "company.team",
            "id": "tell",
            "revision": 1,
            "disabled": True,
            "description": "Tells",
            "labels": {},
        }
    ]

    async def names(**properties: JsonValue) -> JsonValue:
        return (await worker.run(ListNamespaces, properties)).outputs["namespaces"]

    assert await names() == ["company", "company.team", "empty"]
    assert await names(existingOnly=True) == ["company.team", "empty"]
    assert await names(prefix="company") == ["company", "company.team"]
    assert await names(page=2, size=2) == ["empty"]


async def test_flows_are_exported(worker: InlineWorker) -> None:
    worker.server.flows.stored = FLOWS

    async def files(uri: str) -> dict[str, bytes]:
        with zipfile.ZipFile(BytesIO(await worker.storage.for_tenant("main").read(uri))) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    done = await worker.run(Export)
    load, tell = {"company-load.yml": b"id: load"}, {"company.team-tell.yml": b"id: tell"}
    assert await files(done.outputs["flowsZip"]) == load | tell
    named = {"flows": [{"namespace": "company", "id": "load"}]}
    done = await worker.run(ExportById, named)
    assert await files(done.outputs["flowsZip"]) == load
    named["flows"].append({"namespace": "company", "id": "none"})
    assert (await worker.run(ExportById, named)).at(LogLevel.ERROR) == ["There is no flow company.none"]


class Look(RunnableTask[ScheduleMonitorOutput | None]):
    """Looks at schedules once, as a worker does for the trigger."""

    type_name = "test.Look"
    trigger: Static[dict[str, JsonValue]]

    async def run(self, ctx: RunContext) -> ScheduleMonitorOutput | None:
        event = await bind_properties(ScheduleMonitor, self.trigger).poll(ctx)
        return None if event is None else event.output


def schedule(id_: str, *, next_in: int | None = 60, last: int = 60, disabled: bool = False) -> TriggerState:
    """The state of a schedule; minutes from now and before now."""
    return TriggerState(
        TriggerKey("main", "company", "load", id_),
        "SCHEDULE",
        1,
        "",
        True,
        disabled,
        NOW,
        TriggerMemory(),
        next_date=None if next_in is None else datetime.now(UTC) + timedelta(minutes=next_in),
        last_triggered=datetime.now(UTC) - timedelta(minutes=last),
    )


async def test_schedules_that_are_overdue_are_told(worker: InlineWorker) -> None:
    worker.server.triggers.states = [
        schedule("well"),
        schedule("late", next_in=-30),
        schedule("stuck", next_in=None),
        schedule("seldom", last=2000),
        schedule("off", disabled=True, next_in=-30),
    ]

    async def told(**properties: JsonValue) -> dict[str, str]:
        done = await worker.run(Look, {"trigger": properties})
        assert done.state is StateType.SUCCESS, done.at(LogLevel.ERROR)
        return {each["triggerId"]: each["reason"] for each in done.outputs.get("data", [])}

    late, stuck = {"late": "Its date has passed."}, {"stuck": "It has no next date."}
    assert await told() == late | stuck
    assert await told(allowedDelay="PT1H") == stuck
    assert await told(maxExecutionInterval="P1D") == late | stuck | {"seldom": "It has not run for too long."}
    assert await told(includeDisabled=True) == late | stuck | {"off": "It is disabled."}
    worker.server.triggers.states = [schedule("well")]
    assert await told() == {}
