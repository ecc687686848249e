"""A webhook that gathers, on a server that is killed at any moment: each request is in one execution."""

from __future__ import annotations

import random
import threading
from collections import Counter
from functools import partial
from typing import Any

import httpx
import pytest
from tests.faults.conftest import NAMESPACE, Server, ServerFactory, until
from tests.postgres import Cluster

ROUNDS = 5

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


class Sender(threading.Thread):
    """Delivers until there is no answer; named deliveries are sent again then, others may be lost."""

    def __init__(self, server: Server, name: str, *, named: bool) -> None:
        super().__init__()
        self._server = server
        self._name = name
        self._named = named
        self.acknowledged: list[str] = []
        self.unanswered: str | None = None

    def run(self) -> None:
        with httpx.Client(timeout=30) as client:
            number = 0
            while self.unanswered is None:
                number += 1
                self._deliver(client, f"{self._name}-{number}")

    def _deliver(self, client: httpx.Client, delivery: str) -> None:
        url = self._server.url(f"/executions/webhook/{NAMESPACE}/gather/gather")
        headers = {"X-Delivery": delivery} if self._named else {}
        try:
            answer = client.post(url, json={"delivery": delivery}, headers=headers)
        except httpx.TransportError:
            self.unanswered = delivery
            return
        if answer.status_code == 202:
            self.acknowledged.append(delivery)
        else:
            self.unanswered = delivery

    def send_again(self) -> None:
        """Deliver what got no answer, and some of what got one, as senders do that lost it."""
        if not self._named or self.unanswered is None:
            return
        again, self.unanswered = [self.unanswered, *self.acknowledged[-3:]], None
        with httpx.Client(timeout=30) as client:
            for delivery in again:
                self._deliver(client, delivery)
        assert self.unanswered is None


@pytest.mark.timeout(180)
def test_each_acknowledged_request_is_in_one_execution(make_server: ServerFactory) -> None:
    _kill_while_requests_come(make_server())


@pytest.mark.postgres
@pytest.mark.timeout(180)
def test_the_same_on_postgresql(make_server: ServerFactory, own_postgres_cluster: Cluster) -> None:
    _kill_while_requests_come(make_server(postgres=own_postgres_cluster.dsn))


def _kill_while_requests_come(server: Server) -> None:
    chance = random.Random(11)
    server.process.start()
    server.save(GATHER)
    acknowledged: set[str] = set()
    may_be_lost: set[str] = set()
    for number in range(ROUNDS):
        senders = [Sender(server, f"{number}-{name}", named=name != "c") for name in "abc"]
        for sender in senders:
            sender.start()
        until(partial(_any_acknowledged, senders), 20)
        threading.Event().wait(chance.uniform(0.1, 0.9))
        server.process.kill_all()
        for sender in senders:
            sender.join()
        server.process.start()
        for sender in senders:
            sender.send_again()
            acknowledged.update(sender.acknowledged)
            if sender.unanswered is not None:
                may_be_lost.add(sender.unanswered)
    until(lambda: acknowledged <= _started(server).keys(), 30, lambda: _missing(server, acknowledged))
    counts = _started(server)
    assert set(counts.values()) == {1}
    assert counts.keys() - acknowledged <= may_be_lost
    executions = _all(server)
    assert max(len(each["trigger"]["variables"]["events"]) for each in executions) == 7
    for execution in executions:
        assert server.wait_for_end(execution["id"])["state"]["current"] == "SUCCESS"


def _any_acknowledged(senders: list[Sender]) -> bool:
    return any(sender.acknowledged for sender in senders)


def _started(server: Server) -> Counter[str]:
    """How many executions have each delivery."""
    return Counter(
        event["body"]["delivery"]
        for execution in _all(server)
        for event in execution["trigger"]["variables"]["events"]
    )


def _missing(server: Server, acknowledged: set[str]) -> str:
    return f"{acknowledged - _started(server).keys()} are in no execution\n{server.process.log()[-3000:]}"


def _all(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = server.get(
            "/executions/search", namespace=NAMESPACE, flowId="gather", size=100, page=len(found) // 100 + 1
        )
        found += page["results"]
        if len(found) >= page["total"] or not page["results"]:
            return found
