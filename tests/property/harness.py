"""Plays executor, worker, database, clock and other executions for one execution."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
from flow_trees import NO_FLOW, FlowTree
from reference_runs import Path

from windhover.engine.advance import advance
from windhover.engine.batches import failed_batches
from windhover.engine.environment import EngineEnvironment
from windhover.engine.events import (
    Begin,
    ChildEnded,
    ChildRefused,
    ChildRestarted,
    ChildStarted,
    EngineEvent,
    FailedBatchesFound,
    Recover,
    Restarted,
    TimerFired,
)
from windhover.engine.live import LiveExecution
from windhover.engine.messages import Job, StartChild, TaskEnded, TaskStarted
from windhover.engine.restart import Reworked
from windhover.model.execution import Breakpoint, Execution, ExecutionMetadata, Phase, TaskRun
from windhover.model.state import State, StateType

START = datetime(2026, 1, 1, tzinfo=UTC)

#: How many executions of a task run begin in one step.
WINDOW = 2


def batches_of(task_id: str) -> int:
    """How many batches the file of a task is split into."""
    return int("".join(filter(str.isdecimal, task_id))) % 6


@dataclass
class Child:
    """An execution that a task run has started; ``state`` None: it is under way."""

    id: str
    task_run_id: str
    #: That of the task run when it asked for it.
    generation: int = 0
    killed: bool = False
    state: StateType | None = None
    #: How often it was begun.
    runs: int = 1
    waited_for: bool = True
    #: Nobody waits for it any more, though it is under way.
    left: bool = False
    #: How it had ended when a restarted task run came upon it.
    found_as: StateType | None = None


class Harness:
    """One execution, and all that it depends on.

    Jobs, timers and other executions stand still until the test lets one of them end. What a task run has
    started is created in the same commit, as the executor does it.
    """

    def __init__(
        self, flow: FlowTree, breakpoints: Sequence[Breakpoint] = (), *, record: Execution | None = None
    ) -> None:
        self.flow = flow
        self.ticks = itertools.count()
        #: How long nothing has happened, besides the ticks.
        self.waited = timedelta()
        ids = itertools.count()
        self.environment = EngineEnvironment(
            new_id=lambda: f"run{next(ids):06d}", queue_limit=timedelta(hours=1)
        )
        record = record or Execution(
            id="execution",
            tenant_id="main",
            namespace="test",
            flow_id="flow",
            flow_revision=1,
            state=State.created(START),
            original_id="execution",
            metadata=ExecutionMetadata(1, START),
            breakpoints=tuple(breakpoints),
        )
        self.live = LiveExecution(flow, record)  # type: ignore[arg-type]
        self.stored_header = b""
        self.stored_runs: dict[str, bytes] = {}
        self.jobs: dict[str, Job] = {}
        self.children: dict[str, Child] = {}
        #: What a replay has taken over still names those of the old execution.
        self.child_numbers = itertools.count()
        #: How many executions were found failed, by the task run that is to restart them.
        self.found_failed: dict[str, int] = {}
        self.ended = False
        #: A new execution is to take the place of this one.
        self.replays = False
        self.timers: set[str] = set()

    def apply(self, event: EngineEvent) -> None:
        """Let the engine take an event, and all that follows in the same commit; then write it."""
        events: list[EngineEvent] = [event]
        while events:
            effects = advance(self.live, events.pop(0), self.at(), self.environment)
            for run_id, record in effects.task_runs.items():
                self.stored_runs[run_id] = msgspec.json.encode(record)
            for run_id in effects.removed_task_runs:
                self.stored_runs.pop(run_id, None)
            if effects.header_changed or not self.stored_header:
                self.stored_header = msgspec.json.encode(self.live.record)
            for job in effects.jobs:
                self.jobs[job.identity.task_run_id] = job
            self.timers -= effects.timers_cleared
            self.timers |= set(effects.timers_set)
            self.ended = self.ended or effects.ended
            self.replays = self.replays or effects.replay
            for start in effects.children_to_start:
                events.extend(self._started(start))
            events.extend(self._restarted(run_id) for run_id in effects.batches_to_restart)
            for child in self.running_children():
                of_batches = child.task_run_id in effects.batches_to_kill and self.is_current(child)
                if of_batches or child.id in effects.children_to_kill:
                    child.killed = True

    def _started(self, start: StartChild) -> list[EngineEvent]:
        """Start an execution; or go on with the one that a restarted task run had started."""
        run_id, known = start.task_run_id, self.children.get(start.restarts or "")
        if known is not None and known.waited_for:
            state, known.left, known.killed = known.state, False, False
            restarted = state in (StateType.FAILED, StateType.KILLED)
            known.runs += restarted
            known.found_as = None if restarted else state
            started = ChildStarted(run_id, known.id, known.id, wait=True, restarted=restarted)
            if restarted:
                known.state = None
            return (
                [started]
                if restarted or state is None
                else [started, ChildEnded(run_id, known.id, state, "")]
            )
        if start.request.flow_id == NO_FLOW:
            return [ChildRefused(run_id, "There is no such flow.")]
        wait = start.request.wait
        child = Child(f"child{next(self.child_numbers)}", run_id, start.generation, waited_for=wait)
        child.state = None if wait else StateType.SUCCESS
        self.children[child.id] = child
        return [ChildStarted(run_id, child.id, child.id, wait=wait)]

    def _restarted(self, task_run_id: str) -> FailedBatchesFound:
        failed = [
            child
            for child in self.children.values()
            if child.task_run_id == task_run_id
            and self.is_current(child)
            and child.state in (StateType.FAILED, StateType.KILLED)
        ]
        self.found_failed[task_run_id] = len(failed)
        if len(failed) == failed_batches(self.live.nodes[task_run_id]):
            for child in failed:
                child.killed, child.state, child.runs = False, None, child.runs + 1
        return FailedBatchesFound(task_run_id, len(failed))

    def is_current(self, child: Child) -> bool:
        """Its task run has not begun anew, with other executions."""
        node = self.live.nodes.get(child.task_run_id)
        return node is not None and node.record.generation == child.generation

    def running_children(self) -> list[Child]:
        return [child for child in self.children.values() if child.state is None]

    def crash(self) -> None:
        """Forget everything that is not stored, and take the execution up again."""
        self.jobs.clear()
        record, runs = self.records()
        self.live = LiveExecution.restore(self.flow, record, runs, 0)  # type: ignore[arg-type]
        if not self.ended:
            self.apply(Recover())

    def records(self) -> tuple[Execution, list[TaskRun]]:
        """The records as the database has them."""
        runs = [msgspec.json.decode(raw, type=TaskRun) for raw in self.stored_runs.values()]
        runs.sort(key=lambda run: run.position)
        return msgspec.json.decode(self.stored_header, type=Execution), runs

    def take_up(self, reworked: Reworked) -> None:
        """Do what the executor does with reworked records: store them, then go on."""
        record, runs = reworked.execution, reworked.task_runs
        self.live = LiveExecution.restore(self.flow, record, runs, 0)  # type: ignore[arg-type]
        self.stored_header = msgspec.json.encode(record)
        self.stored_runs = {run.id: msgspec.json.encode(run) for run in runs}
        self.jobs.clear()
        self.timers.clear()
        self.ended = False
        self.apply(Begin() if record.state.current is StateType.CREATED else Restarted())

    def path(self, run_id: str | None) -> Path:
        if run_id is None:
            return ()
        record = self.live.nodes[run_id].record
        place = [record.task_id]
        parent = record.parent_task_run_id
        if record.phase is Phase.TASKS and parent and self.live.nodes[parent].task.repeats:  # type: ignore[attr-defined]
            place.append(f"#{record.lane}")
        return (*self.path(parent), *place)

    def path_or_none(self, run_id: str) -> Path | None:
        """The place of a task run, unless it is gone."""
        return self.path(run_id) if run_id in self.live.nodes else None

    def start(self, job: Job) -> None:
        identity = job.identity
        self.apply(TaskStarted("execution", identity.task_run_id, identity.dispatch, "w", self.at()))

    def end(self, job: Job, state: StateType) -> None:
        identity = job.identity
        self.jobs.pop(identity.task_run_id, None)
        outputs = {"splits": "kestra:///split/splits", "numberOfBatches": batches_of(job.task.id)}
        is_split = job.task.id.endswith("_split")
        self.apply(
            TaskEnded(
                "execution", identity.task_run_id, identity.dispatch, "w", self.at(), state,
                outputs=outputs if is_split and state is not StateType.FAILED else {},
            )
        )  # fmt: skip

    def fire(self, key: str) -> None:
        """Let a timer ring."""
        self.timers.discard(key)
        self.apply(TimerFired(key))

    def end_child(self, child: Child, state: StateType) -> None:
        child.state = state
        self.apply(ChildEnded(child.task_run_id, child.id, state, child.id, generation=child.generation))

    def restart_child(self, child: Child) -> None:
        """Somebody restarts an execution by itself that has ended; it is waited for again."""
        assert child.state is not None
        was, child.state, child.killed, child.runs = child.state, None, False, child.runs + 1
        self.apply(ChildRestarted(child.task_run_id, child.id, was, child.id, child.generation))

    def at(self) -> datetime:
        return START + self.waited + timedelta(seconds=next(self.ticks))

    def states(self) -> dict[Path, StateType]:
        return {self.path(run_id): node.record.state.current for run_id, node in self.live.nodes.items()}
