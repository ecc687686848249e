"""Servers that are killed between the evaluation of a trigger and the end of what it could not start."""

from __future__ import annotations

import random
import threading
from collections import Counter
from typing import Any

import pytest
from tests.faults.conftest import NAMESPACE, Server, ServerFactory, until
from tests.postgres import Cluster

KILLS = 3

#: Each second, and by webhook: inputs that do not validate.
REFUSED = f"""
id: refused
namespace: {NAMESPACE}
inputs:
  - {{id: n, type: INT}}
tasks:
  - id: never
    type: io.kestra.plugin.core.debug.Return
    format: ran
afterExecution:
  - id: after
    type: io.kestra.plugin.core.debug.Return
    format: "{{{{ execution.state }}}}"
triggers:
  - id: s
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "* * * * * *"
    withSeconds: true
    allowConcurrent: true
    inputs: {{n: many}}
  - id: hook
    type: io.kestra.plugin.core.trigger.Webhook
    key: hook
    batch: {{maxEvents: 1}}
    inputs: {{n: many}}
"""
LISTENER = f"""
id: listener
namespace: {NAMESPACE}
inputs:
  - {{id: n, type: INT}}
tasks:
  - id: never
    type: io.kestra.plugin.core.debug.Return
    format: ran
triggers:
  - id: after
    type: io.kestra.plugin.core.trigger.Flow
    states: [FAILED]
    inputs: {{n: many}}
    preconditions:
      id: refused
      flows: [{{namespace: {NAMESPACE}, flowId: refused, states: [FAILED]}}]
"""


@pytest.mark.timeout(180)
def test_each_fails_once_and_is_seen_once(make_server: ServerFactory) -> None:
    _kill_while_executions_are_refused(make_server())


@pytest.mark.postgres
@pytest.mark.timeout(180)
def test_the_same_on_postgresql(make_server: ServerFactory, own_postgres_cluster: Cluster) -> None:
    _kill_while_executions_are_refused(make_server(postgres=own_postgres_cluster.dsn))


def _kill_while_executions_are_refused(server: Server) -> None:
    chance = random.Random(11)
    server.process.start()
    server.save(LISTENER)
    server.save(REFUSED)
    kept: set[str] = set()
    for _ in range(KILLS):
        before = _total(server, "refused")
        until(lambda before=before: _total(server, "refused") > before, 20)  # type: ignore[misc]
        # Some are gathered at the very end, in the middle of which the server is killed.
        for _ in range(5):
            answer = server.client.post(server.url(f"/executions/webhook/{NAMESPACE}/refused/hook"), json={})
            assert answer.status_code == 202, answer.text
            kept.add(answer.json()["eventId"])
        threading.Event().wait(chance.choice([0.0, chance.uniform(0.0, 0.02), chance.uniform(0.0, 1.0)]))
        server.process.kill_all()
        server.process.start()
    stop = {"namespace": NAMESPACE, "flowId": "refused", "triggerId": "s", "disabled": True}
    assert server.client.put(server.url("/triggers"), json=stop).status_code == 200

    def all_seen() -> bool:
        return _total(server, "listener") >= _total(server, "refused") >= len(kept)

    until(all_seen, 60)
    refused = _all(server, "refused")
    for each in (server.wait_for_end(each["id"]) for each in refused):
        assert [change["state"] for change in each["state"]["histories"]] == ["CREATED", "FAILED"]
        assert [run["taskId"] for run in each["taskRunList"]] == ["after"]
    dates = Counter(each["trigger"]["variables"].get("date", each["id"]) for each in refused)
    assert set(dates.values()) == {1}
    gathered = [each for each in refused if each["trigger"]["id"] == "hook"]
    assert len(gathered) == len(kept)
    causes = Counter(each["trigger"]["variables"]["executionId"] for each in _all(server, "listener"))
    assert causes == Counter(each["id"] for each in refused)
    errors = server.logs(refused[0]["id"], minLevel="ERROR")
    assert ["`n`" in line["message"] for line in errors] == [True]


def _total(server: Server, flow_id: str) -> int:
    found: int = server.get("/executions/search", namespace=NAMESPACE, flowId=flow_id, size=1)["total"]
    return found


def _all(server: Server, flow_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = server.get(
            "/executions/search", namespace=NAMESPACE, flowId=flow_id, size=100, page=len(found) // 100 + 1
        )
        found += page["results"]
        if len(found) >= page["total"] or not page["results"]:
            return found
