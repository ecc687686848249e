"""Executions that wait: in a pause, before a retry, for subflows and batches, for their turn."""

from __future__ import annotations

from tests.faults.conftest import NAMESPACE, Server, assert_nothing_unfinished
from tests.faults.crashes.campaign import Scenario

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


class Waits(Scenario):
    """Nothing is lost whatever an execution waits for, and no slot leaks."""

    flows = (CHILD, MIX)

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self._acknowledged: list[str] = []
        self._most = 0

    def begin(self, round_: int) -> None:
        self._acknowledged += [self.server.run("mix") for _ in range(LIMIT + 1)]
        self._count()

    def before_the_crash(self) -> None:
        self._count()

    def _count(self) -> None:
        self._most = max(self._most, self._with_a_slot())

    def _with_a_slot(self) -> int:
        # In one request: an execution that changes its state between two would be counted twice.
        return self.server.total("mix", state=_WITH_A_SLOT)

    def check(self) -> None:
        for id_ in self._acknowledged:
            execution = self.server.wait_for_end(id_, seconds=60)
            assert execution["state"]["current"] == "SUCCESS", [execution, self.server.logs(id_)]
            assert_nothing_unfinished(execution)
            runs = execution["taskRunList"]
            assert sorted(run["taskId"] for run in runs) == sorted(TASK_RUNS)
            (again,) = [run for run in runs if run["taskId"] == "again"]
            ends = [attempt["state"]["current"] for attempt in again["attempts"]]
            # An attempt that was lost with the server counts for the condition as one that failed does.
            *before, last = ends
            assert last == "SUCCESS"
            assert len(before) >= 2
            assert set(before) <= {"FAILED", "RESUBMITTED"}
            (batches,) = [run for run in runs if run["taskId"] == "batches_items"]
            assert batches["outputs"]["iterations"]["SUCCESS"] == 2
        assert 0 < self._most <= LIMIT
        assert self._with_a_slot() == 0
        # Each execution has started three children, and waited for them; a crash makes none twice.
        assert self.server.total("child") == 3 * len(self._acknowledged)
