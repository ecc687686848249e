"""Many kinds of work on one server that is killed again and again, each with what must be true afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any

import httpx
from tests.faults.conftest import Server, until


class Scenario:
    """One kind of work. It is told what happens in the order of its methods, up to ``back`` in each round."""

    #: The flows that do the work.
    flows: Sequence[str] = ()

    def __init__(self, server: Server) -> None:
        self.server = server

    def begin(self, round_: int) -> None:
        """Give the server something to do, and return once it has begun with it."""

    def before_the_crash(self) -> None:
        """Some milliseconds are left."""

    def crashed(self) -> None:
        """The server is gone."""

    def back(self) -> None:
        """The server answers again."""

    def stop(self) -> None:
        """No crash comes any more, and nothing new is to begin."""

    def check(self) -> None:
        """Wait for the end of all work, and assert that nothing is lost and nothing came twice."""
        raise NotImplementedError


def crash_again_and_again(
    server: Server, scenarios: Sequence[Scenario], crash: Callable[[int], None], rounds: int, chance: Random
) -> None:
    """Kill a server while it does the work of all scenarios, at another moment each round."""
    server.process.start()
    for scenario in scenarios:
        for flow in scenario.flows:
            server.save(flow)
    for round_ in range(rounds):
        for scenario in scenarios:
            scenario.begin(round_)
        _let_pass(chance.uniform(0.0, 0.9))
        for scenario in scenarios:
            scenario.before_the_crash()
        _let_pass(chance.choice([0.0, chance.uniform(0.0, 0.02), chance.uniform(0.0, 0.2)]))
        crash(round_)
        for scenario in scenarios:
            scenario.crashed()
        server.process.start()
        for scenario in scenarios:
            scenario.back()
    for scenario in scenarios:
        scenario.stop()


def _let_pass(seconds: float) -> None:
    """Choose the moment of the crash: nothing is waited for."""
    threading.Event().wait(seconds)


class Sender(threading.Thread):
    """Sends one request after the other, as fast as they are answered, until one is not."""

    def __init__(self, name: str, send: Callable[[httpx.Client, str], httpx.Response]) -> None:
        super().__init__(name=name)
        self._send = send
        #: What was answered, by the name of the request.
        self.answers: dict[str, Any] = {}
        #: The request that got no answer, or was refused.
        self.unanswered: str | None = None

    def run(self) -> None:
        with httpx.Client(timeout=30) as client:
            number = 0
            while self.unanswered is None:
                number += 1
                self._deliver(client, f"{self.name}-{number}")

    def send_again(self, requests: Iterable[str]) -> None:
        """Send requests once more; each must be answered now."""
        self.unanswered = None
        with httpx.Client(timeout=30) as client:
            for request in requests:
                self._deliver(client, request)
                assert self.unanswered is None, request

    def _deliver(self, client: httpx.Client, request: str) -> None:
        try:
            answer = self._send(client, request)
        except httpx.TransportError:
            self.unanswered = request
            return
        if answer.is_success:
            self.answers[request] = answer.json()
        else:
            self.unanswered = request


class Senders:
    """Some that send the same kind of request at the same time."""

    def __init__(self, names: Iterable[str], send: Callable[[httpx.Client, str], httpx.Response]) -> None:
        self.all = [Sender(name, send) for name in names]
        for sender in self.all:
            sender.start()
        until(lambda: any(sender.answers for sender in self.all), 20)

    def join(self) -> None:
        for sender in self.all:
            sender.join()
