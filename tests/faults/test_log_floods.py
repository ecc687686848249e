"""A task that prints without end, and three ways to read the log that agree."""

from __future__ import annotations

import json
import threading

import httpx
import pytest
from tests.faults.conftest import NAMESPACE, Server, ServerFactory, until

MEBIBYTE = 1024 * 1024


@pytest.fixture
def server(shared_server: Server) -> Server:
    return shared_server


def printing(flow: str, command: str) -> str:
    return f"""
id: {flow}
namespace: {NAMESPACE}
tasks:
  - id: shell
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner:
      type: io.kestra.plugin.core.runner.Process
    commands:
      - {command}
"""


class Follower(threading.Thread):
    """Reads the live stream of a log to its end."""

    def __init__(self, server: Server, execution: str) -> None:
        super().__init__(daemon=True)
        self._url = server.url(f"/logs/{execution}/follow")
        self.messages: list[str] = []
        self.sequences: list[int] = []
        self.ended = False

    def run(self) -> None:
        id_ = data = ""
        with httpx.stream("GET", self._url, timeout=120) as response:
            for line in response.iter_lines():
                if line.startswith("id: "):
                    id_ = line[4:]
                elif line.startswith("data: "):
                    data = line[6:]
                elif not line and data:
                    if id_ == "end":
                        self.ended = True
                        return
                    self.sequences.append(int(id_))
                    self.messages.append(json.loads(data)["message"])
                    data = ""


@pytest.mark.timeout(120)
def test_a_million_lines_are_capped_and_the_log_says_so(server: Server) -> None:
    server.save(printing("flood", "seq 1000000"))
    execution = server.run("flood")
    follower = Follower(server, execution)
    follower.start()
    # The API answers while the flood goes on.
    assert server.client.get(f"{server.process.url}/ping", timeout=5).text == "pong"
    found = server.wait_for_end(execution, 90)
    assert found["state"]["current"] == "SUCCESS"
    download = server.client.get(server.url(f"/logs/{execution}/download"), timeout=60).text.splitlines()
    assert 10_000 <= len(download) < 500_000
    # Whoever followed the flood has seen the same lines, each once.
    follower.join(60)
    assert follower.ended
    assert follower.sequences == list(range(1, len(follower.messages) + 1))
    assert "\n".join(follower.messages).splitlines() == [line.partition("] ")[2] or line for line in download]
    # What is missing was counted, so none of the lines was lost without a word.
    kept = sum(
        message.count("\n") + 1
        for message in follower.messages
        if message[0].isdigit() and " " not in message
    )
    dropped = sum(
        int(message.split()[0]) for message in follower.messages if "log lines were dropped" in message
    )
    assert dropped > 0
    # The task says itself that its command begins and ends; these two lines may be among the dropped.
    assert 1_000_000 <= kept + dropped <= 1_000_002
    size = sum(file.stat().st_size for file in server.process.home.rglob("*.db*"))
    assert size < 200 * MEBIBYTE


def test_a_task_that_is_tried_again_without_end_fills_no_disk(make_server: ServerFactory) -> None:
    server = make_server(configuration="windhover.limits.log-lines-per-execution: 100\n")
    server.process.start()
    server.save(f"""
id: again
namespace: {NAMESPACE}
tasks:
  - id: fail
    type: io.kestra.plugin.core.execution.Fail
    retry:
      type: constant
      interval: PT0.001S
      maxAttempts: 200
""")
    execution = server.run("again")
    assert server.wait_for_end(execution)["state"]["current"] == "FAILED"
    lines = server.logs(execution)
    assert [line["sequence"] for line in lines] == list(range(1, 101))
    assert lines[-1]["message"].startswith("The log is full (limit of an execution: 100 lines)")


@pytest.mark.timeout(120)
def test_stream_list_and_download_give_the_same_lines_in_order(server: Server) -> None:
    server.save(
        printing("counting", "for i in $(seq 300); do echo line $i; echo error $i >&2; sleep 0.005; done")
    )
    execution = server.run("counting")
    early = Follower(server, execution)
    early.start()
    until(lambda: len(early.messages) > 50, 20)
    middle = Follower(server, execution)
    middle.start()
    server.wait_for_end(execution)
    late = Follower(server, execution)
    late.start()
    for follower in (early, middle, late):
        follower.join(20)
        assert follower.ended
    listed = [line["message"] for line in server.logs(execution)]
    download = server.client.get(server.url(f"/logs/{execution}/download")).text
    assert [message for message in listed if message.startswith("line ")] == [
        f"line {i}" for i in range(1, 301)
    ]
    assert sum(message.startswith("error ") for message in listed) == 300
    for follower in (early, middle, late):
        assert follower.messages == listed
        assert follower.sequences == list(range(1, len(listed) + 1))
    place = 0
    for message in listed:
        place = download.index(message, place) + len(message)
    assert len(download.splitlines()) == sum(message.count("\n") + 1 for message in listed)
