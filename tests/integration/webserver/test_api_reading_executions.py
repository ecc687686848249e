"""Reading what executions leave: records as lines of JSON, metrics in an order; finding them by dates."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.webserver.server import Server

EXECUTIONS = "/api/v1/main/executions"

WRITES = """\
id: writes
namespace: company.team
inputs:
  - {id: content, type: STRING}
tasks:
  - {id: file, type: io.kestra.plugin.core.storage.Write, extension: .ion, content: "{{ inputs.content }}"}
"""

MEASURES = """\
id: measures
namespace: company.team
tasks:
  - id: measure
    type: io.kestra.plugin.core.metric.Publish
    metrics:
      - {type: counter, name: b, value: 1}
      - {type: counter, name: c, value: 3}
      - {type: counter, name: a, value: 2}
  - {id: say, type: io.kestra.plugin.core.log.Log, message: measured}
"""


async def written(server: Server, content: str) -> tuple[str, dict[str, str]]:
    """The path of the file that an execution has written, and what names it."""
    await server.create_flow(WRITES)
    execution: dict[str, Any] = await server.execute("writes", files={"content": (None, content)})
    (run,) = execution["taskRunList"]
    return f"{EXECUTIONS}/{execution['id']}/file", {"path": run["outputs"]["uri"], "format": "JSONL"}


async def test_ion_records_are_downloaded_as_lines_of_json(local_server: Server) -> None:
    path, query = await written(local_server, '{a: 1, b: 2020-01-01T}\n{a: [x, null.int],\n b: 1.5}\n"text"')
    answer = await local_server.client.get(path, params=query)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert answer.headers["content-disposition"].endswith(".jsonl")
    assert answer.text.splitlines() == [
        '{"a":1,"b":"2020-01-01T00:00:00"}',
        '{"a":["x",null],"b":1.5}',
        '"text"',
    ]


async def test_many_records_are_all_sent(local_server: Server) -> None:
    path, query = await written(local_server, "{n: 1}\n" * 2500)
    answer = await local_server.client.get(path, params=query)
    assert answer.text == '{"n":1}\n' * 2500


async def test_what_holds_no_records_is_refused(local_server: Server) -> None:
    path, query = await written(local_server, "{broken")
    answer = await local_server.client.get(path, params=query)
    assert answer.status_code == 422
    assert "holds no Ion or JSON records" in answer.json()["message"]
    assert (await local_server.client.get(path, params={**query, "format": "XML"})).status_code == 400


async def test_metrics_of_an_execution_in_the_order_that_is_asked_for(local_server: Server) -> None:
    await local_server.create_flow(MEASURES)
    execution = await local_server.execute("measures")
    path = f"/api/v1/main/metrics/{execution['id']}"

    async def names(sort: str) -> list[str]:
        page = (await local_server.client.get(path, params={"sort": sort})).json()
        return [metric["name"] for metric in page["results"]]

    assert await names("name:asc") == ["a", "b", "c"]
    assert await names("value:desc") == ["c", "a", "b"]
    answer = await local_server.client.get(path, params={"sort": "colour:asc"})
    assert answer.status_code == 400
    assert "timestamp, name, value" in answer.json()["message"]


@pytest.mark.parametrize(
    ("which", "found"), [("START_DATE", 1), ("END_DATE", 0), ("START_OR_END_DATE", 1), ("", 1)]
)
async def test_an_interval_of_time_is_one_of_starts_or_of_ends(
    local_server: Server, which: str, found: int
) -> None:
    pause = "id: waits\nnamespace: company.team\ntasks: [{id: p, type: io.kestra.plugin.core.flow.Pause}]"
    await local_server.create_flow(pause)
    far = {"scheduleDate": "2100-01-01T00:00:00Z"}
    await local_server.client.post(f"{EXECUTIONS}/company.team/waits", params=far)
    query = {"filters[timeRange][EQUALS]": "PT1H", "filters[flowId][EQUALS]": "waits", "dateFilter": which}
    answer = await local_server.client.get(f"{EXECUTIONS}/search", params=query)
    assert answer.json()["total"] == found


async def test_a_date_that_executions_do_not_have_is_refused(local_server: Server) -> None:
    answer = await local_server.client.get(f"{EXECUTIONS}/search", params={"dateFilter": "BIRTHDAY"})
    assert answer.status_code == 400
    assert "START_OR_END_DATE" in answer.json()["message"]


@pytest.mark.parametrize("kept", [True, False])
async def test_what_is_kept_of_a_deleted_execution_can_be_read(local_server: Server, kept: bool) -> None:
    await local_server.create_flow(MEASURES)
    execution = await local_server.execute("measures")
    delete = {"deleteLogs": not kept, "deleteMetrics": not kept}
    await local_server.client.delete(f"{EXECUTIONS}/{execution['id']}", params=delete)
    for path in ("logs", "metrics"):
        answer = await local_server.client.get(f"/api/v1/main/{path}/{execution['id']}")
        assert answer.status_code == (200 if kept else 404)
    if kept:
        assert (await local_server.client.get(f"/api/v1/main/metrics/{execution['id']}")).json()["total"] == 3
        assert (await local_server.client.delete(f"/api/v1/main/logs/{execution['id']}")).status_code == 200
        assert (await local_server.client.get(f"/api/v1/main/logs/{execution['id']}")).status_code == 404
