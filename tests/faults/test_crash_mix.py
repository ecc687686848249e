"""SIGKILL while executions wait: in a pause, before a retry, for subflows and batches, for their turn."""

from __future__ import annotations

import os
import random
import threading
import time

import pytest
from tests.faults.conftest import NAMESPACE, Server, ServerFactory, assert_nothing_unfinished
from tests.postgres import Cluster

#: Crashes that the suite tries; each begins at another moment.
ROUNDS = int(os.environ.get("WINDHOVER_ROUNDS", "5"))

LIMIT = 3

CHILD = f"""
id: child
namespace: {NAMESPACE}
inputs:
  - {{id: rows, type: STRING, defaults: none}}
tasks:
  - {{id: rest, type: io.kestra.plugin.core.flow.Pause, pauseDuration: PT0.1S}}
  - {{id: work, type: io.kestra.plugin.core.debug.Return, format: "{{{{ inputs.rows }}}}"}}
outputs:
  - {{id: rows, type: STRING, value: "{{{{ outputs.work.value }}}}"}}
"""

MIX = f"""
id: mix
namespace: {NAMESPACE}
concurrency:
  limit: {LIMIT}
tasks:
  - id: together
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - id: again
        type: io.kestra.plugin.core.execution.Fail
        condition: "{{{{ taskrun.attemptsCount < 2 }}}}"
        retry: {{type: constant, interval: PT0.1S, maxAttempts: 3}}
      - id: directory
        type: io.kestra.plugin.core.flow.WorkingDirectory
        tasks:
          - {{id: inside, type: io.kestra.plugin.core.flow.Sleep, duration: PT0.05S}}
          - {{id: beside, type: io.kestra.plugin.core.log.Log, message: hi}}
      - id: sub
        type: io.kestra.plugin.core.flow.Subflow
        namespace: {NAMESPACE}
        flowId: child
  - {{id: rest, type: io.kestra.plugin.core.flow.Pause, pauseDuration: PT0.1S}}
  - id: rounds
    type: io.kestra.plugin.core.flow.LoopUntil
    condition: "{{{{ outputs.rounds.iterationCount > 2 }}}}"
    checkFrequency: {{interval: PT0.05S}}
    tasks: [{{id: round, type: io.kestra.plugin.core.log.Log, message: hi}}]
  - {{id: file, type: io.kestra.plugin.core.storage.Write, content: "a\\nb\\nc\\nd\\n"}}
  - id: batches
    type: io.kestra.plugin.core.flow.ForEachItem
    items: "{{{{ outputs.file.uri }}}}"
    batch: {{rows: 2}}
    namespace: {NAMESPACE}
    flowId: child
    inputs: {{rows: "{{{{ taskrun.items }}}}"}}
finally:
  - {{id: clean, type: io.kestra.plugin.core.log.Log, message: done}}
"""

_WITH_A_SLOT = ("RUNNING", "PAUSED", "RETRYING", "RESTARTED")

TASK_RUNS = {
    "together", "again", "directory", "inside", "beside", "sub", "rest", "rounds", "round", "file",
    "batches", "batches_split", "batches_items", "batches_merge", "clean",
}  # fmt: skip


@pytest.mark.timeout(60 + ROUNDS * 30)
def test_nothing_is_lost_whatever_an_execution_waits_for(make_server: ServerFactory) -> None:
    _crash_again_and_again(make_server())


@pytest.mark.postgres
@pytest.mark.timeout(120 + ROUNDS * 30)
def test_the_same_on_postgresql(make_server: ServerFactory, own_postgres_cluster: Cluster) -> None:
    _crash_again_and_again(make_server(postgres=own_postgres_cluster.dsn), rounds=min(ROUNDS, 2))


def _crash_again_and_again(server: Server, rounds: int = ROUNDS) -> None:
    seed = int(os.environ.get("WINDHOVER_SEED", time.time_ns() % 1_000_000))
    chance = random.Random(seed)
    print(f"WINDHOVER_SEED={seed}")
    server.process.start()
    server.save(CHILD)
    server.save(MIX)
    acknowledged: list[str] = []
    most = 0
    for _ in range(rounds):
        acknowledged += [server.run("mix") for _ in range(LIMIT + 1)]
        most = max(most, _running(server))
        threading.Event().wait(chance.uniform(0.0, 1.5))
        most = max(most, _running(server))
        server.process.kill_all()
        server.process.start()
    for id_ in acknowledged:
        execution = server.wait_for_end(id_, seconds=60)
        assert execution["state"]["current"] == "SUCCESS", [execution, server.logs(id_)]
        assert_nothing_unfinished(execution)
        runs = execution["taskRunList"]
        assert sorted(run["taskId"] for run in runs) == sorted(TASK_RUNS)
        (again,) = [run for run in runs if run["taskId"] == "again"]
        ends = [attempt["state"]["current"] for attempt in again["attempts"]]
        # An attempt that was lost with the server counts for the task's condition as one that failed does.
        *before, last = ends
        assert last == "SUCCESS"
        assert len(before) >= 2
        assert set(before) <= {"FAILED", "RESUBMITTED"}
        (batches,) = [run for run in runs if run["taskId"] == "batches_items"]
        assert batches["outputs"]["iterations"]["SUCCESS"] == 2
    assert 0 < most <= LIMIT
    assert _running(server) == 0
    # Each execution has started three children, and waited for them; a crash makes none twice.
    children = server.get("/executions/search", flowId="child", namespace=NAMESPACE, size=1)
    assert children["total"] == 3 * len(acknowledged)
    server.process.stop()


def _running(server: Server) -> int:
    """How many executions of the flow hold a slot."""
    query = {"flowId": "mix", "namespace": NAMESPACE, "size": 1}
    # In one request: an execution that changes its state between two would be counted twice.
    return int(server.get("/executions/search", state=_WITH_A_SLOT, **query)["total"])
