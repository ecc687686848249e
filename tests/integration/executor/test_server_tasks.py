"""The tasks of the second dialect that look for executions, flows and namespaces, on a real server."""

from __future__ import annotations

import zipfile
from io import BytesIO

import msgspec
from tests.integration.executor.flows import Ended, Flows

from windhover.model.execution import JsonValue
from windhover.model.namespace import NamespaceRecord

LOAD = """
    id: load
    namespace: company.team
    labels: {team: data}
    inputs: [{id: how, type: STRING, defaults: well}]
    tasks:
      - {id: fail, type: io.kestra.plugin.core.execution.Fail, condition: "{{ inputs.how == 'badly' }}"}
"""

PARENT = """
    id: parent
    namespace: company
    tasks:
      - {id: sub, type: io.kestra.plugin.core.flow.Subflow, namespace: company.team, flowId: load}
"""

SYSTEM = """
    id: clean
    namespace: system
    tasks:
      - {id: say, type: io.kestra.plugin.core.log.Log, message: cleaned}
"""

ASK = """
    id: ask
    namespace: other
    tasks:
      - id: ask
        type: io.kestra.plugin.kestra.PROPERTIES
"""


async def asked(flows: Flows, type_: str, /, **properties: JsonValue) -> Ended:
    """An execution that has run one such task."""
    lines = [type_, *(f"{name}: {msgspec.json.encode(value).decode()}" for name, value in properties.items())]
    return await flows.run(ASK.replace("PROPERTIES", "\n        ".join(lines)))


async def answer(flows: Flows, type_: str, /, **properties: JsonValue) -> dict[str, JsonValue]:
    ended = await asked(flows, type_, **properties)
    assert ended.state == "SUCCESS", ended.messages("ERROR")
    return ended.run("ask").outputs or {}


async def test_executions_are_found(flows: Flows) -> None:
    load = await flows.save(LOAD)
    well = await flows.ended(await flows.start(load, {"how": "well"}))
    badly = await flows.ended(await flows.start(load, {"how": "badly"}))
    parent = await flows.run(PARENT)
    cleaned = await flows.run(SYSTEM)
    child = next(run for run in parent.task_runs if run.task_id == "sub").outputs["executionId"]  # type: ignore[index]

    async def found(**properties: JsonValue) -> list[str]:
        rows = (await answer(flows, "executions.Query", fetchType="FETCH", **properties))["rows"]
        return [row["id"] for row in rows]

    team = [child, badly.execution.id, well.execution.id]
    assert await found(namespace="company.team") == team
    assert set(await found(namespace="company")) == {parent.execution.id, *team}
    assert await found(namespace="company", flowId="load") == []
    assert await found(namespace="company.team", states=["FAILED"]) == [badly.execution.id]
    assert await found(labels={"team": "data"}) == team
    assert await found(triggerExecutionId=parent.execution.id) == [child]
    assert await found(namespace="company.team", childFilter="MAIN") == team[1:]
    assert await found(namespace="company.team", page=2, size=2) == team[2:]
    assert await found(flowScopes=["SYSTEM"]) == [cleaned.execution.id]
    assert cleaned.execution.id not in await found(flowScopes=["USER"])
    assert await found(namespace="company.team", timeRange="PT1H") == team
    assert await found(namespace="company.team", endDate="2020-01-01T00:00:00Z") == []

    outputs = await answer(flows, "executions.Query", namespace="company.team")
    storage = flows.runtime.storage.for_tenant("main")
    rows = [msgspec.json.decode(line) for line in (await storage.read(str(outputs["uri"]))).splitlines()]
    assert ([row["id"] for row in rows], outputs["size"]) == (team, 3)


async def test_flows_and_namespaces_are_listed_and_exported(flows: Flows) -> None:
    for source in (LOAD, PARENT, SYSTEM):
        await flows.save(source)
    await flows.runtime.definitions.namespaces.put(NamespaceRecord(id="empty"), flows.runtime.clock())
    listed = (await answer(flows, "flows.List", namespace="company"))["flows"]
    assert [(flow["namespace"], flow["id"], flow["revision"]) for flow in listed] == [
        ("company", "parent", 1),
        ("company.team", "load", 1),
    ]
    assert listed[1]["labels"] == {"team": "data"}
    names = (await answer(flows, "namespaces.List"))["namespaces"]
    assert names == ["company", "company.team", "empty", "other", "system"]
    assert (await answer(flows, "namespaces.List", existingOnly=True))["namespaces"] == ["empty"]

    async def files(**properties: JsonValue) -> list[str]:
        type_ = "flows.ExportById" if "flows" in properties else "flows.Export"
        uri = str((await answer(flows, type_, **properties))["flowsZip"])
        content = await flows.runtime.storage.for_tenant("main").read(uri)
        with zipfile.ZipFile(BytesIO(content)) as archive:
            return archive.namelist()

    assert await files(namespace="company") == ["company-parent.yml", "company.team-load.yml"]
    assert await files(labels={"team": "data"}) == ["company.team-load.yml"]
    assert await files(flows=[{"namespace": "company", "id": "parent"}]) == ["company-parent.yml"]
    missing = await asked(flows, "flows.ExportById", flows=[{"namespace": "company", "id": "none"}])
    assert missing.messages("ERROR") == ["There is no flow company.none"]
