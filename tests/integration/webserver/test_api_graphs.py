"""Flows and executions as pictures, and what all executions of a search have in common."""

from __future__ import annotations

import csv
import io
from typing import Any

from tests.integration.webserver.server import Server

LOG = "type: io.kestra.plugin.core.log.Log, message: x"
FLOW = f"""
id: picture
namespace: company.team
triggers:
  - {{id: nightly, type: io.kestra.plugin.core.trigger.Schedule, cron: "0 3 * * *", disabled: true}}
tasks:
  - id: choose
    type: io.kestra.plugin.core.flow.If
    condition: "true"
    then: [{{id: yes1, {LOG}}}, {{id: yes2, {LOG}}}]
    else: [{{id: no1, {LOG}}}]
  - id: graph
    type: io.kestra.plugin.core.flow.Dag
    tasks:
      - {{task: {{id: late, {LOG}}}, dependsOn: [early]}}
      - {{task: {{id: early, {LOG}}}}}
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [1, 2]
    tasks: [{{id: item, {LOG}}}]
errors: [{{id: alert, {LOG}}}]
finally: [{{id: tidy, {LOG}}}]
afterExecution: [{{id: tell, {LOG}}}]
"""


def edges(graph: dict[str, Any]) -> set[tuple[str, str, str | None]]:
    return {(edge["source"], edge["target"], edge["relation"].get("relationType")) for edge in graph["edges"]}


async def test_the_picture_of_a_flow(server: Server) -> None:
    unsaved = (await server.client.post("/api/v1/main/flows/graph", content=FLOW)).json()
    await server.create_flow(FLOW)
    graph = (await server.client.get("/api/v1/main/flows/company.team/picture/graph")).json()
    assert graph == unsaved
    found = edges(graph)
    assert {
        ("root.root", "root.choose.root", "SEQUENTIAL"),
        ("root.choose.root", "root.choose", None),
        ("root.choose", "root.choose.yes1", "CHOICE"),
        ("root.choose.yes1", "root.choose.yes2", "SEQUENTIAL"),
        ("root.choose", "root.choose.no1", "CHOICE"),
        ("root.choose.end", "root.graph.root", "SEQUENTIAL"),
        ("root.graph", "root.graph.early", "PARALLEL"),
        ("root.graph.early", "root.graph.late", "PARALLEL"),
        ("root.each", "root.each.item", "DYNAMIC"),
        ("root.root", "root.alert", "ERROR"),
        ("root.finally", "root.tidy", "FINALLY"),
        ("root.afterExecution", "root.tell", "AFTER_EXECUTION"),
        ("root.tell", "root.end", None),
        ("root.Triggers.end", "root.root", None),
    } <= found
    assert ("root.graph", "root.graph.late", "PARALLEL") not in found
    choice = next(edge for edge in graph["edges"] if edge["target"] == "root.choose.no1")
    assert choice["relation"] == {"relationType": "CHOICE", "value": "false"}
    known = {node["uid"] for node in graph["nodes"]}
    assert len(known) == len(graph["nodes"])
    assert {end for edge in found for end in edge[:2]} == known
    cluster = next(one for one in graph["clusters"] if one["cluster"]["uid"] == "cluster_root.graph")
    assert set(cluster["nodes"]) == {
        "root.graph.root", "root.graph", "root.graph.early", "root.graph.late", "root.graph.end",
    }  # fmt: skip
    assert (cluster["start"], cluster["end"]) == ("root.graph.root", "root.graph.end")
    assert graph["flowables"] == ["root.choose", "root.graph", "root.each"]


async def test_the_picture_of_an_execution_has_its_task_runs(local_server: Server) -> None:
    await local_server.create_flow(FLOW)
    execution = await local_server.execute("picture")
    path = f"/api/v1/main/executions/{execution['id']}/graph"
    nodes = {node["uid"]: node for node in (await local_server.client.get(path)).json()["nodes"]}
    assert nodes["root.choose.yes1"]["taskRun"]["state"]["current"] == "SUCCESS"
    assert nodes["root.choose.yes1"]["task"]["message"] == "x"
    assert "taskRun" not in nodes["root.choose.no1"]
    assert nodes["root.alert"]["branchType"] == "ERROR"
    assert (await local_server.client.get("/api/v1/main/executions/none/graph")).status_code == 404


async def test_distinct_values_and_a_table_of_executions(server: Server) -> None:
    client = server.client
    for name in ("one", "two"):
        await server.create_flow(f"id: {name}\nnamespace: company.team\ntasks: [{{id: a, {LOG}}}]\n")
        await server.execute(name)
    values = "/api/v1/main/executions/distinct-field-values"
    assert (await client.get(values, params={"field": "flowId"})).json() == ["one", "two"]
    narrowed = {"field": "flowId", "filters[flowId][EQUALS]": "two"}
    assert (await client.get(values, params=narrowed)).json() == ["two"]
    assert (await client.get(values, params={"field": "triggerId"})).json() == []
    assert (await client.get(values, params={"field": "nope"})).status_code == 400
    exported = await client.get("/api/v1/main/executions/export/by-query/csv", params={"flowId": "one"})
    assert exported.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(exported.text))
    assert (row["flowId"], row["state"], row["flowRevision"]) == ("one", "SUCCESS", "1")
