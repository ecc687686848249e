"""Deliveries to a webhook, and a Flow trigger that follows each: nothing is lost or comes twice."""

from __future__ import annotations

from collections import Counter

import httpx
from tests.faults.conftest import NAMESPACE, Server, until
from tests.faults.crashes.campaign import Scenario, Senders

HOOK = f"""
id: hook
namespace: {NAMESPACE}
tasks:
  - id: out
    type: io.kestra.plugin.core.debug.Return
    format: "{{{{ trigger.body.delivery }}}}"
triggers:
  - id: hook
    type: io.kestra.plugin.core.trigger.Webhook
    key: hook
    idempotencyHeader: X-Delivery
"""

LISTENER = f"""
id: listener
namespace: {NAMESPACE}
tasks:
  - id: out
    type: io.kestra.plugin.core.debug.Return
    format: "{{{{ trigger.executionId }}}}"
triggers:
  - id: after
    type: io.kestra.plugin.core.trigger.Flow
    preconditions:
      id: hook
      flows: [{{namespace: {NAMESPACE}, flowId: hook, states: [SUCCESS]}}]
"""


class Deliveries(Scenario):
    """Each delivery makes one execution, and each of these another; what got no answer is sent again."""

    flows = (HOOK, LISTENER)

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self._delivered: dict[str, str] = {}

    def begin(self, round_: int) -> None:
        self._senders = Senders([f"{round_}-{name}" for name in "abc"], self._deliver)

    def _deliver(self, client: httpx.Client, delivery: str) -> httpx.Response:
        return client.post(
            self.server.url(f"/executions/webhook/{NAMESPACE}/hook/hook"),
            json={"delivery": delivery},
            headers={"X-Delivery": delivery},
        )

    def crashed(self) -> None:
        self._senders.join()

    def back(self) -> None:
        """Deliver what got no answer, and some of what got one, as senders do that lost it."""
        for sender in self._senders.all:
            before = {delivery: answer["id"] for delivery, answer in sender.answers.items()}
            assert sender.unanswered is not None
            sender.send_again([sender.unanswered, *list(before)[-5:]])
            now = {delivery: answer["id"] for delivery, answer in sender.answers.items()}
            assert before.items() <= now.items()
            self._delivered |= now

    def check(self) -> None:
        delivered = set(self._delivered.values())
        assert len(delivered) == len(self._delivered)
        until(lambda: self.server.total("hook", state="SUCCESS") >= len(delivered), 60, self._states)
        hooks = self.server.executions("hook")
        assert {execution["id"] for execution in hooks} == delivered
        until(lambda: self.server.total("listener") >= len(delivered), 30)
        causes = Counter(
            each["trigger"]["variables"]["executionId"] for each in self.server.executions("listener")
        )
        assert causes == Counter(delivered)

    def _states(self) -> str:
        return str(Counter(each["state"]["current"] for each in self.server.executions("hook")))
