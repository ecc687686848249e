"""One execution of a flow by the engine alone: time, workers and the database are the test's."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from windhover.engine.advance import advance
from windhover.engine.environment import EngineEnvironment
from windhover.engine.events import Begin, EngineEvent, Recover, TimerFired
from windhover.engine.live import LiveExecution
from windhover.engine.messages import Job, TaskEnded, TaskStarted
from windhover.model.execution import Breakpoint, Execution, ExecutionMetadata, JsonValue, TaskRun
from windhover.model.state import State, StateType
from windhover.plugin.parsing import parse_flow
from windhover.plugin.registry import Registry

START = datetime(2026, 1, 1, tzinfo=UTC)
HEAD = "id: flow\nnamespace: company.team\n"


class FlowRun:
    """Applies events, and plays what is around the engine; ``source`` is a flow without its id."""

    def __init__(
        self,
        source: str,
        *,
        breakpoints: Sequence[Breakpoint] = (),
        begin: bool = True,
        queue_limit: timedelta | None = None,
    ) -> None:
        ids = itertools.count()
        self.flow = parse_flow(HEAD + source, Registry()).flow.with_revision(1, tenant_id="main")
        self.environment = EngineEnvironment(new_id=lambda: f"run{next(ids):04d}", queue_limit=queue_limit)
        self.now = START
        record = Execution(
            id="execution",
            tenant_id="main",
            namespace="company.team",
            flow_id="flow",
            flow_revision=1,
            state=State.created(START),
            original_id="execution",
            metadata=ExecutionMetadata(1, START),
            breakpoints=tuple(breakpoints),
        )
        self.live = LiveExecution(self.flow, record)
        self.header = b""
        self.rows: dict[str, bytes] = {}
        self.jobs: list[Job] = []
        self.timers: dict[str, datetime] = {}
        self.logs: list[str] = []
        self.kills: list[str] = []
        self.released: list[str] = []
        self.started: list[object] = []
        self.children_killed: list[str] = []
        self.batches_killed: list[str] = []
        self.ended = False
        #: A new execution is to take its place.
        self.replaced = False
        if begin:
            self.apply(Begin())

    def apply(self, event: EngineEvent) -> None:
        self.now += timedelta(milliseconds=1)
        effects = advance(self.live, event, self.now, self.environment)
        for run_id, record in effects.task_runs.items():
            self.rows[run_id] = msgspec.json.encode(record)
        for run_id in effects.removed_task_runs:
            self.rows.pop(run_id, None)
        self.header = msgspec.json.encode(self.live.record)
        self.jobs.extend(effects.jobs)
        for key in effects.timers_cleared:
            self.timers.pop(key, None)
        self.timers.update(effects.timers_set)
        self.logs.extend(f"{entry.level.name} {entry.message}" for entry in effects.logs)
        self.kills.extend(kill.task_run_id for kill in effects.kills)
        self.released.extend(effects.directories_released)
        self.started.extend(effects.children_to_start)
        self.children_killed.extend(effects.children_to_kill)
        self.batches_killed.extend(effects.batches_to_kill)
        self.ended = self.ended or effects.ended
        self.replaced = self.replaced or effects.replay

    def end(
        self, state: StateType = StateType.SUCCESS, outputs: Mapping[str, JsonValue] | None = None
    ) -> Job:
        """End the job that waits longest."""
        job = self.jobs.pop(0)
        identity = job.identity
        self.apply(TaskStarted("execution", identity.task_run_id, identity.dispatch, "worker", self.now))
        self.apply(
            TaskEnded(
                "execution",
                identity.task_run_id,
                identity.dispatch,
                "worker",
                self.now,
                state,
                outputs=dict(outputs or {}),
            )
        )
        return job

    def fire(self) -> str:
        """Let the next timer ring."""
        key, due = min(self.timers.items(), key=lambda item: item[1])
        self.now = max(self.now, due)
        self.apply(TimerFired(key))
        return key

    def crash(self) -> None:
        """Forget everything that is not stored, the jobs too, and take the execution up again."""
        self.jobs.clear()
        runs = sorted(
            (msgspec.json.decode(raw, type=TaskRun) for raw in self.rows.values()), key=lambda r: r.position
        )
        record = msgspec.json.decode(self.header, type=Execution)
        self.live = LiveExecution.restore(self.flow, record, runs, 0)
        self.apply(Recover())

    @property
    def state(self) -> StateType:
        return self.live.record.state.current

    def history(self, task_id: str | None = None) -> str:
        """The states that the execution, or the one run of a task, went through."""
        state = self.live.record.state if task_id is None else self.run(task_id).state
        return " ".join(change.state.value for change in state.histories)

    def run(self, task_id: str) -> TaskRun:
        (node,) = self.live.runs_of_task[task_id]
        return node.record

    def task_ids(self) -> list[str]:
        return [node.record.task_id for node in self.live.nodes.values()]

    def waiting(self) -> list[str]:
        """The tasks of the jobs that wait."""
        return [job.identity.task_id for job in self.jobs]


def work(task_id: str, indent: int = 2) -> str:
    """The YAML of a task that a worker does."""
    pad = " " * indent
    return f"{pad}- {{id: {task_id}, type: io.kestra.plugin.core.debug.Return, format: x}}\n"


#: A flow that cleans up at every level.
CLEANED = f"""
tasks:
  - id: seq
    type: io.kestra.plugin.core.flow.Sequential
    tasks:
{work("a", 6)}{work("b", 6)}    errors:
{work("undo", 6)}    finally:
{work("unlock", 6)}errors:
{work("alert")}finally:
{work("clean")}{work("tell")}afterExecution:
{work("after")}"""
