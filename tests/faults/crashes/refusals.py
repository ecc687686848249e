"""Executions that cannot run, as their inputs do not validate: each fails once and is seen once."""

from __future__ import annotations

from collections import Counter

from tests.faults.conftest import NAMESPACE, Server, until
from tests.faults.crashes.campaign import Scenario

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
id: refused-listener
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


class Refusals(Scenario):
    """Killed between the evaluation of a trigger and the end of what it could not start."""

    flows = (LISTENER, REFUSED)

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self._kept: set[str] = set()

    def begin(self, round_: int) -> None:
        before = self.server.total("refused")
        until(lambda: self.server.total("refused") > before, 20)

    def before_the_crash(self) -> None:
        """Gather some, in the middle of which the server is killed."""
        for _ in range(5):
            path = f"/executions/webhook/{NAMESPACE}/refused/hook"
            answer = self.server.client.post(self.server.url(path), json={})
            assert answer.status_code == 202, answer.text
            self._kept.add(answer.json()["eventId"])

    def stop(self) -> None:
        self.server.disable("refused", "s")

    def check(self) -> None:
        server = self.server
        until(lambda: server.total("refused-listener") >= server.total("refused") >= len(self._kept), 60)
        refused = server.executions("refused")
        for each in (server.wait_for_end(each["id"]) for each in refused):
            assert [change["state"] for change in each["state"]["histories"]] == ["CREATED", "FAILED"]
            assert [run["taskId"] for run in each["taskRunList"]] == ["after"]
        dates = Counter(each["trigger"]["variables"].get("date", each["id"]) for each in refused)
        assert set(dates.values()) == {1}
        gathered = [each for each in refused if each["trigger"]["id"] == "hook"]
        assert len(gathered) == len(self._kept)
        causes = Counter(
            each["trigger"]["variables"]["executionId"] for each in server.executions("refused-listener")
        )
        assert causes == Counter(each["id"] for each in refused)
        errors = server.logs(refused[0]["id"], minLevel="ERROR")
        assert ["`n`" in line["message"] for line in errors] == [True]
