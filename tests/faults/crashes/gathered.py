"""Requests to a webhook that gathers: each that was acknowledged is in one execution."""

from __future__ import annotations

from collections import Counter

import httpx
from tests.faults.conftest import NAMESPACE, Server, until
from tests.faults.crashes.campaign import Scenario, Senders

GATHER = f"""
id: gather
namespace: {NAMESPACE}
tasks:
  - id: count
    type: io.kestra.plugin.core.debug.Return
    format: "{{{{ trigger.events | length }}}}"
triggers:
  - id: hook
    type: io.kestra.plugin.core.trigger.Webhook
    key: gather
    idempotencyHeader: X-Delivery
    batch:
      maxEvents: 7
      maxDuration: PT0.3S
"""


class Gathered(Scenario):
    """Named deliveries are sent again when they got no answer; the others may be lost then."""

    flows = (GATHER,)

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self._acknowledged: set[str] = set()
        self._may_be_lost: set[str] = set()

    def begin(self, round_: int) -> None:
        self._senders = Senders([f"{round_}-{name}" for name in ("a", "b", "unnamed")], self._deliver)

    def _deliver(self, client: httpx.Client, delivery: str) -> httpx.Response:
        return client.post(
            self.server.url(f"/executions/webhook/{NAMESPACE}/gather/gather"),
            json={"delivery": delivery},
            headers={} if "unnamed" in delivery else {"X-Delivery": delivery},
        )

    def crashed(self) -> None:
        self._senders.join()

    def back(self) -> None:
        for sender in self._senders.all:
            assert sender.unanswered is not None
            if "unnamed" in sender.name:
                self._may_be_lost.add(sender.unanswered)
            else:
                sender.send_again([sender.unanswered, *list(sender.answers)[-3:]])
            self._acknowledged.update(sender.answers)

    def check(self) -> None:
        until(lambda: self._acknowledged <= self._started().keys(), 30, self._missing)
        counts = self._started()
        assert set(counts.values()) == {1}
        assert counts.keys() - self._acknowledged <= self._may_be_lost
        executions = self.server.executions("gather")
        assert max(len(each["trigger"]["variables"]["events"]) for each in executions) == 7
        until(lambda: self.server.total("gather", state="SUCCESS") == len(executions), 30)

    def _started(self) -> Counter[str]:
        """How many executions have each delivery."""
        return Counter(
            event["body"]["delivery"]
            for execution in self.server.executions("gather")
            for event in execution["trigger"]["variables"]["events"]
        )

    def _missing(self) -> str:
        missing = self._acknowledged - self._started().keys()
        return f"{missing} are in no execution\n{self.server.process.log()[-3000:]}"
