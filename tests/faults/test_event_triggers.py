"""Webhooks and Flow triggers of a server that is killed at any moment: nothing is lost or comes twice."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest
from tests.faults.conftest import NAMESPACE, Server, ServerFactory, until
from tests.postgres import Cluster

ROUNDS = 4

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


class Sender(threading.Thread):
    """Delivers to the webhook as fast as it is answered; what got no answer is to be sent again."""

    def __init__(self, server: Server, name: str) -> None:
        super().__init__()
        self._server = server
        self._name = name
        self.answered: dict[str, str] = {}
        self.unanswered: list[str] = []

    def run(self) -> None:
        with httpx.Client(timeout=30) as client:
            number = 0
            while not self.unanswered:
                number += 1
                self._deliver(client, f"{self._name}-{number}")

    def _deliver(self, client: httpx.Client, delivery: str) -> None:
        url = self._server.url(f"/executions/webhook/{NAMESPACE}/hook/hook")
        try:
            answer = client.post(url, json={"delivery": delivery}, headers={"X-Delivery": delivery})
        except httpx.TransportError:
            self.unanswered.append(delivery)
            return
        if answer.status_code == 200:
            self.answered[delivery] = answer.json()["id"]
        else:
            self.unanswered.append(delivery)

    def send_again(self) -> None:
        """Deliver what got no answer, and what got one, as senders do that lost it."""
        with httpx.Client(timeout=30) as client:
            again, self.unanswered = [*self.unanswered, *list(self.answered)[-5:]], []
            before = dict(self.answered)
            for delivery in again:
                self._deliver(client, delivery)
            assert not self.unanswered
            assert all(self.answered[delivery] == id_ for delivery, id_ in before.items())


@pytest.mark.timeout(180)
def test_each_delivery_makes_one_execution_and_each_of_these_another(make_server: ServerFactory) -> None:
    server = make_server()
    _kill_while_events_come(server, server.process.kill_all)


@pytest.mark.postgres
@pytest.mark.timeout(180)
def test_the_same_on_postgresql(make_server: ServerFactory, own_postgres_cluster: Cluster) -> None:
    server = make_server(postgres=own_postgres_cluster.dsn)
    _kill_while_events_come(server, server.process.kill_all)


def _kill_while_events_come(server: Server, kill: Callable[[], None]) -> None:
    chance = random.Random(7)
    server.process.start()
    server.save(HOOK)
    server.save(LISTENER)
    delivered: dict[str, str] = {}
    for number in range(ROUNDS):
        senders = [Sender(server, f"{number}-{name}") for name in "abc"]
        for sender in senders:
            sender.start()
        until(partial(_any_answered, senders), 20)
        threading.Event().wait(chance.uniform(0.0, 0.6))
        kill()
        for sender in senders:
            sender.join()
        server.process.start()
        for sender in senders:
            sender.send_again()
            delivered.update(sender.answered)
    for id_ in delivered.values():
        assert server.wait_for_end(id_, seconds=60)["state"]["current"] == "SUCCESS"
    assert len(set(delivered.values())) == len(delivered)
    hooks = _all(server, "hook")
    assert {execution["id"] for execution in hooks} == set(delivered.values())
    until(lambda: len(_all(server, "listener")) >= len(hooks), 30)
    causes = Counter(each["trigger"]["variables"]["executionId"] for each in _all(server, "listener"))
    assert causes == Counter(delivered.values())


def _any_answered(senders: list[Sender]) -> bool:
    return any(sender.answered for sender in senders)


def _all(server: Server, flow_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = server.get(
            "/executions/search", namespace=NAMESPACE, flowId=flow_id, size=100, page=len(found) // 100 + 1
        )
        found += page["results"]
        if len(found) >= page["total"] or not page["results"]:
            return found
