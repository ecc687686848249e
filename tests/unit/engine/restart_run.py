"""An execution that runs, goes back, and runs again; and flows to try that with."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from textwrap import dedent

import msgspec

from windhover.engine.advance import advance
from windhover.engine.creation import new_execution
from windhover.engine.environment import EngineEnvironment
from windhover.engine.events import Begin, EngineEvent, Restarted
from windhover.engine.live import LiveExecution
from windhover.engine.messages import Job, TaskEnded
from windhover.engine.restart import Reworked, restart
from windhover.model.execution import Execution, TaskRun
from windhover.model.flow import Flow
from windhover.model.state import StateType
from windhover.plugin.parsing import parse_flow
from windhover.plugin.registry import shared_registry

START = datetime(2026, 1, 1, tzinfo=UTC)

PAUSE_THEN_WORK = """
    - {id: wait, type: io.kestra.plugin.core.flow.Pause, pauseDuration: PT1H, behavior: FAIL}
    - {id: work, type: io.kestra.plugin.core.log.Log, message: x}
    """
DIRECTORY = """
    - id: shared
      type: io.kestra.plugin.core.flow.WorkingDirectory
      tasks:
        - {id: a, type: io.kestra.plugin.core.log.Log, message: x}
        - {id: b, type: io.kestra.plugin.core.log.Log, message: x}
    """
ROUNDS = """
    - id: until
      type: io.kestra.plugin.core.flow.LoopUntil
      condition: "{{ outputs.until.iterationCount == 2 }}"
      tasks:
        - {id: a, type: io.kestra.plugin.core.log.Log, message: x}
    """
LOOP = """
    - id: each
      type: io.kestra.plugin.core.flow.ForEach
      values: "{{ inputs.values }}"
      tasks:
        - {id: a, type: io.kestra.plugin.core.log.Log, message: x}
        - {id: b, type: io.kestra.plugin.core.log.Log, message: x}
    - {id: last, type: io.kestra.plugin.core.log.Log, message: x}
    """
MEANWHILE = """
    - id: wait
      type: io.kestra.plugin.core.flow.Pause
      onPause: {id: notice, type: io.kestra.plugin.core.log.Log, message: x}
    """


def flow_of(tasks: str) -> Flow:
    source = "id: f\nnamespace: company.team\nrevision: 1\ntasks:\n" + dedent(tasks).strip("\n")
    return parse_flow(source, shared_registry()).flow


class Run:
    """An execution of which every job ends well, but those of tasks in ``failing``."""

    def __init__(self, tasks: str, inputs: dict[str, object] | None = None) -> None:
        self.flow = flow_of(tasks)
        ids = (f"id{number:04d}" for number in itertools.count())
        self._ids: Iterator[str] = ids
        self.environment = EngineEnvironment(new_id=lambda: next(ids))
        self._ticks = itertools.count()
        record = new_execution(self.flow, {}, "execution", START)
        record.inputs = inputs
        self.live = LiveExecution(self.flow, record)
        self.failing: set[str] = set()
        self.jobs: list[Job] = []
        self.timers: set[str] = set()
        self.worked: list[str] = []

    def now(self) -> datetime:
        return START + timedelta(seconds=next(self._ticks))

    def apply(self, event: EngineEvent) -> None:
        effects = advance(self.live, event, self.now(), self.environment)
        self.jobs.extend(effects.jobs)
        self.timers = (self.timers - effects.timers_cleared) | set(effects.timers_set)

    def work(self) -> None:
        """Let all that is handed to workers end."""
        while self.jobs:
            job = self.jobs.pop(0)
            self.worked.append(job.identity.task_id)
            state = StateType.FAILED if job.identity.task_id in self.failing else StateType.SUCCESS
            self.end(job, state)

    def end(self, job: Job, state: StateType) -> None:
        run_id, dispatch = job.identity.task_run_id, job.identity.dispatch
        self.apply(TaskEnded("execution", run_id, dispatch, "w", self.now(), state, {}))

    def finish(self, task_id: str) -> None:
        """Let the one job of a task end well."""
        (job,) = [job for job in self.jobs if job.identity.task_id == task_id]
        self.jobs.remove(job)
        self.end(job, StateType.SUCCESS)

    def stop_all(self) -> None:
        """Let all jobs end as their workers were told."""
        while self.jobs:
            self.end(self.jobs.pop(0), StateType.KILLED)

    def begin(self, *failing: str) -> Run:
        self.failing = set(failing)
        self.apply(Begin())
        self.work()
        return self

    def records(self) -> tuple[Execution, list[TaskRun]]:
        raw = msgspec.json.encode([node.record for node in self.live.nodes.values()])
        header = msgspec.json.encode(self.live.record)
        return msgspec.json.decode(header, type=Execution), msgspec.json.decode(raw, type=list[TaskRun])

    def take_up(self, reworked: Reworked, *failing: str) -> None:
        self.failing = set(failing)
        self.worked.clear()
        self.live = LiveExecution.restore(self.flow, reworked.execution, reworked.task_runs, 0)
        self.apply(Begin() if reworked.execution.state.current is StateType.CREATED else Restarted())
        self.work()

    def restart(self) -> None:
        execution, runs = self.records()
        self.take_up(restart(execution, runs, self.flow, self.now()))

    @property
    def state(self) -> str:
        return self.live.record.state.current.value

    def ids_of(self, task_id: str) -> list[str]:
        return [node.record.id for node in self.live.runs_of_task.get(task_id, [])]

    def record(self, task_id: str) -> TaskRun:
        (node,) = self.live.runs_of_task[task_id]
        return node.record
