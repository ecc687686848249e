"""Executions that are started one after the other while the server has trouble with its database."""

from __future__ import annotations

import threading
from collections import Counter

import httpx
from tests.faults.conftest import NAMESPACE, Server, assert_nothing_unfinished, until

FLOW = f"""
id: steps
namespace: {NAMESPACE}
tasks:
  - id: one
    type: io.kestra.plugin.core.log.Log
    message: one
  - id: two
    type: io.kestra.plugin.core.debug.Return
    format: two
  - id: three
    type: io.kestra.plugin.core.log.Log
    message: three
"""


class Load(threading.Thread):
    """Starts executions one after the other until it is stopped, and notes every answer."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._url = server.url(f"/executions/{NAMESPACE}/steps")
        self._stopped = threading.Event()
        self.acknowledged: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.refusals: list[str] = []

    def run(self) -> None:
        with httpx.Client(timeout=60) as client:
            while not self._stopped.is_set():
                try:
                    answer = client.post(self._url)
                except httpx.TransportError:
                    return
                self.statuses[answer.status_code] += 1
                if answer.status_code == 200:
                    self.acknowledged.append(answer.json()["id"])
                else:
                    self.refusals.append(answer.text)
                    self._stopped.wait(0.1)

    def stop(self) -> None:
        self._stopped.set()
        self.join(60)


def begin_load(server: Server) -> Load:
    server.save(FLOW)
    load = Load(server)
    load.start()
    until(lambda: len(load.acknowledged) >= 20, 20)
    return load


def finish(server: Server, load: Load) -> None:
    """Go on for a while after the trouble; then everything that was acknowledged must end well."""
    answered = len(load.acknowledged)
    until(lambda: len(load.acknowledged) >= answered + 20, 40, server.process.log)
    load.stop()
    assert set(load.statuses) <= {200, 503}, load.refusals[:3]
    assert all(refusal.strip() for refusal in load.refusals)
    for id_ in load.acknowledged:
        execution = server.wait_for_end(id_)
        assert execution["state"]["current"] == "SUCCESS"
        assert_nothing_unfinished(execution)
        assert len(execution["taskRunList"]) == 3


def says(server: Server, text: str) -> bool:
    return text in server.process.log()
