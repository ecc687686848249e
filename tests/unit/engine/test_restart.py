"""Going back in an execution: what a restart, a replay and a changed state leave, and what runs then."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from textwrap import dedent

import msgspec
import pytest

from windhover.engine.advance import advance
from windhover.engine.creation import new_execution
from windhover.engine.environment import EngineEnvironment
from windhover.engine.events import Begin, EngineEvent, KillRequested, Recover, Restarted, Resume, TimerFired
from windhover.engine.live import LiveExecution
from windhover.engine.messages import CommandRefused, Job, NothingToRestart, TaskEnded
from windhover.engine.replay import replay, restart_as
from windhover.engine.restart import Reworked, change_state, restart
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


def test_a_pause_whose_time_ran_out_is_passed() -> None:
    run = Run(PAUSE_THEN_WORK).begin()
    (timer,) = run.timers
    run.apply(TimerFired(timer))
    assert run.state == "FAILED"
    run.restart()
    assert run.state == "SUCCESS"
    assert run.worked == ["work"]


def test_a_pause_that_was_killed_waits_again() -> None:
    run = Run(PAUSE_THEN_WORK).begin()
    run.apply(KillRequested())
    assert run.state == "KILLED"
    run.restart()
    assert run.state == "PAUSED"
    run.apply(Resume())
    run.work()
    assert run.state == "SUCCESS"


def test_a_shared_directory_begins_anew() -> None:
    run = Run(DIRECTORY).begin("b")
    before = run.ids_of("a")
    run.restart()
    assert run.state == "SUCCESS"
    assert run.worked == ["a", "b"]
    assert run.ids_of("a") != before


def test_the_state_of_a_task_in_a_shared_directory_stays() -> None:
    run = Run(DIRECTORY).begin("b")
    execution, runs = run.records()
    with pytest.raises(CommandRefused, match="'shared'"):
        change_state(execution, runs, run.flow, run.record("b").id, StateType.SUCCESS, run.now())


def test_a_restart_of_a_loop_goes_on_in_the_round_that_failed() -> None:
    run = Run(LOOP, {"values": ["1", "2"]}).begin("b")
    assert run.worked == ["a", "b"]
    run.restart()
    assert run.worked == ["b", "a", "b", "last"]
    assert run.state == "SUCCESS"


def test_a_replay_from_a_loop_looks_at_its_values_again() -> None:
    run = Run(LOOP, {"values": ["1", "2"]}).begin()
    execution, runs = run.records()
    (loop,) = run.ids_of("each")
    new = replay(
        execution,
        runs,
        run.flow,
        run.now(),
        run.environment.new_id,
        task_run_id=loop,
        inputs={"values": ["1", "2", "3"]},
    )
    assert [taken.state.current for taken in new.task_runs] == [StateType.RUNNING]
    run.take_up(new)
    assert run.worked == ["a", "b"] * 3 + ["last"]
    assert run.state == "SUCCESS"


def test_a_replay_within_a_loop_keeps_the_rounds_before() -> None:
    run = Run(LOOP, {"values": ["1", "2", "3"]}).begin()
    execution, runs = run.records()
    new = replay(execution, runs, run.flow, run.now(), run.environment.new_id, task_run_id=run.ids_of("b")[1])
    run.take_up(new)
    assert run.worked == ["b", "a", "b", "last"]


NESTED_LOOPS = """
    - {id: first, type: io.kestra.plugin.core.log.Log, message: x}
    - id: outer
      type: io.kestra.plugin.core.flow.OUTER
      VALUES: ["1", "2"]
      tasks:
        - {id: a, type: io.kestra.plugin.core.log.Log, message: x}
        - id: inner
          type: io.kestra.plugin.core.flow.ForEach
          values: ["x", "y"]
          tasks:
            - {id: b, type: io.kestra.plugin.core.log.Log, message: x}
            - id: group
              type: io.kestra.plugin.core.flow.Sequential
              tasks:
                - {id: c, type: io.kestra.plugin.core.log.Log, message: x}
        - {id: d, type: io.kestra.plugin.core.log.Log, message: x}
    - {id: last, type: io.kestra.plugin.core.log.Log, message: x}
    """


@pytest.mark.parametrize(
    ("outer", "values"),
    [("ForEach", "values"), ("EachSequential", "value"), ("Loop", "concurrencyLimit: 1, values")],
)
def test_a_replay_from_anywhere_in_nested_loops_runs_what_follows_once(outer: str, values: str) -> None:
    key = values.replace("concurrencyLimit: 1, ", "concurrencyLimit: 1\n      ")
    run = Run(NESTED_LOOPS.replace("OUTER", outer).replace("VALUES", key)).begin()
    order = list(run.worked)
    assert order == ["first", *["a", *["b", "c"] * 2, "d"] * 2, "last"]
    execution, runs = run.records()
    paths = places(runs)
    leaves = [each for each in sorted(runs, key=lambda each: each.position) if each.task_id in order]
    for index, chosen in enumerate(leaves):
        new = replay(execution, runs, run.flow, run.now(), run.environment.new_id, task_run_id=chosen.id)
        assert new.task_runs[-1].task_id == chosen.task_id
        run.take_up(new)
        assert run.worked == order[index:]
        assert run.state == "SUCCESS"
        assert places(run.records()[1]) == paths


def places(runs: list[TaskRun]) -> list[tuple[object, ...]]:
    """Where in the flow task runs stand: task and value of each and of all around it."""
    by_id = {run.id: run for run in runs}

    def place(run: TaskRun | None) -> tuple[object, ...]:
        if run is None:
            return ()
        around = by_id.get(run.parent_task_run_id or "")
        return (*place(around), run.task_id, run.value, run.iteration)

    return sorted((place(run) for run in runs), key=str)


@pytest.mark.parametrize(("tasks", "whole"), [(DIRECTORY, "shared"), (ROUNDS, "until")])
def test_a_replay_within_something_that_is_run_as_a_whole_begins_it_anew(tasks: str, whole: str) -> None:
    run = Run(tasks).begin()
    execution, runs = run.records()
    inside = run.ids_of("a")[0]
    new = replay(execution, runs, run.flow, run.now(), run.environment.new_id, task_run_id=inside)

    assert [(taken.task_id, taken.state.current) for taken in new.task_runs] == [(whole, StateType.RESTARTED)]
    run.take_up(new)
    assert run.worked[0] == "a"
    assert run.state == "SUCCESS"


def test_only_a_restart_is_labelled_as_one() -> None:
    run = Run(LOOP, {"values": ["1"]}).begin("last")
    execution, runs = run.records()
    anew = restart_as(execution, runs, run.flow, run.now(), run.environment.new_id)
    assert [label.key for label in anew.execution.labels if label.key.startswith("system.re")] == [
        "system.restarted"
    ]

    last = run.record("last").id
    changed = change_state(execution, runs, run.flow, last, StateType.SUCCESS, run.now())
    assert not [label for label in changed.execution.labels if label.key == "system.restarted"]


def test_a_replay_leaves_out_tasks_that_are_gone() -> None:
    run = Run(LOOP, {"values": ["1"]}).begin()
    execution, runs = run.records()
    run.flow = flow_of("- {id: last, type: io.kestra.plugin.core.log.Log, message: y}")
    new = replay(
        execution, runs, run.flow, run.now(), run.environment.new_id, task_run_id=run.record("last").id
    )
    run.take_up(new)
    assert run.worked == ["last"]
    assert run.state == "SUCCESS"


def test_a_pause_does_not_end_before_what_runs_meanwhile() -> None:
    run = Run(MEANWHILE)
    run.apply(Begin())
    assert run.state == "PAUSED"
    assert [job.identity.task_id for job in run.jobs] == ["notice"]
    run.apply(Resume())
    assert run.record("wait").state.current is StateType.RUNNING
    run.failing = {"notice"}
    run.work()
    assert run.record("notice").state.current is StateType.FAILED
    assert run.state == "SUCCESS"


def test_what_runs_meanwhile_is_handed_out_again_after_a_crash() -> None:
    run = Run(MEANWHILE)
    run.apply(Begin())
    run.jobs.clear()
    execution, runs = run.records()
    run.live = LiveExecution.restore(run.flow, execution, runs, 0)
    run.apply(Recover())
    run.work()
    assert run.worked == ["notice"]
    assert run.state == "PAUSED"
    run.apply(Resume())
    assert run.state == "SUCCESS"


def test_a_kill_stops_what_runs_meanwhile() -> None:
    run = Run(MEANWHILE)
    run.apply(Begin())
    run.apply(KillRequested())
    assert run.state == "KILLING"
    job = run.jobs.pop().identity
    killed = TaskEnded("execution", job.task_run_id, job.dispatch, "w", run.now(), StateType.KILLED)
    run.apply(killed)
    assert run.state == "KILLED"
    assert run.record("wait").state.current is StateType.KILLED


def test_what_failed_though_its_tasks_did_not_goes_on_behind_them() -> None:
    run = Run(LOOP, {"values": ["1"]})
    run.apply(Begin())
    for _ in ("a", "b"):
        job = run.jobs.pop(0).identity
        run.apply(
            TaskEnded("execution", job.task_run_id, job.dispatch, "w", run.now(), StateType.SUCCESS, {})
        )
    execution, runs = run.records()
    # As a defect of the engine leaves it, when the last task was about to start.
    run.jobs.clear()
    execution.state.become(StateType.FAILED, run.now())
    run.take_up(restart(execution, [one for one in runs if one.task_id != "last"], run.flow, run.now()))
    assert run.worked == ["last"]
    assert run.state == "SUCCESS"


def test_what_failed_before_its_first_task_is_not_restarted() -> None:
    run = Run(LOOP, {"values": ["1"]})
    execution, _ = run.records()
    execution.state.become(StateType.FAILED, run.now())
    with pytest.raises(NothingToRestart):
        restart(execution, [], run.flow, run.now())


BESIDE = """
    - id: first
      type: io.kestra.plugin.core.log.Log
      message: x
    - id: side
      type: io.kestra.plugin.core.flow.Parallel
      tasks:
        - {id: well, type: io.kestra.plugin.core.log.Log, message: x}
        - id: lane
          type: io.kestra.plugin.core.flow.Sequential
          tasks:
            - {id: bad, type: io.kestra.plugin.core.log.Log, message: x}
            - {id: behind, type: io.kestra.plugin.core.log.Log, message: x}
          errors:
            - {id: handler, type: io.kestra.plugin.core.log.Log, message: x}
        - id: allowed
          type: io.kestra.plugin.core.flow.AllowFailure
          tasks:
            - {id: lenient, type: io.kestra.plugin.core.log.Log, message: x}
    - {id: last, type: io.kestra.plugin.core.log.Log, message: x}
    """


def replayed(run: Run, task_id: str) -> Reworked:
    execution, runs = run.records()
    (chosen,) = run.ids_of(task_id)
    return replay(
        execution,
        runs,
        run.flow,
        run.now(),
        run.environment.new_id,
        task_run_id=chosen,
        execution_id="execution",
    )


def test_a_replay_takes_up_what_failed_in_the_lanes_beside_it() -> None:
    run = Run(BESIDE).begin("bad", "lenient")
    assert run.state == "FAILED"
    run.take_up(replayed(run, "well"))
    assert run.state == "WARNING", "a failure that AllowFailure has dealt with stays"
    assert sorted(run.worked) == ["bad", "behind", "last", "well"]
    assert not run.ids_of("handler")


def test_what_fails_again_beside_a_replay_fails_it() -> None:
    run = Run(BESIDE).begin("bad")
    run.take_up(replayed(run, "well"), "bad")
    assert run.state == "FAILED"
    assert sorted(run.worked) == ["bad", "handler", "well"]


def test_a_replay_takes_up_what_was_killed_in_the_lanes_beside_it() -> None:
    run = Run(BESIDE)
    run.apply(Begin())
    run.finish("first")
    run.finish("well")
    run.apply(KillRequested())
    run.stop_all()
    assert run.state == "KILLED"
    run.take_up(replayed(run, "well"))
    assert run.state == "SUCCESS"
    assert sorted(run.worked) == ["bad", "behind", "last", "lenient", "well"]


def test_rounds_of_a_loop_that_failed_beside_a_replayed_one_are_taken_up() -> None:
    run = Run(LOOP.replace("values:", "concurrencyLimit: 0\n      values:"), {"values": [1, 2, 3]})
    run.apply(Begin())
    ends = {"1": StateType.SUCCESS, "2": StateType.FAILED, "3": StateType.SUCCESS}
    while run.jobs:
        job = run.jobs.pop(0)
        node = run.live.nodes[job.identity.task_run_id]
        run.end(job, ends[node.record.value] if node.record.task_id == "b" else StateType.SUCCESS)
    assert run.state == "FAILED"
    execution, runs = run.records()
    chosen = next(each.id for each in runs if (each.task_id, each.value) == ("a", "1"))
    new = replay(
        execution,
        runs,
        run.flow,
        run.now(),
        run.environment.new_id,
        task_run_id=chosen,
        execution_id="execution",
    )
    run.take_up(new)
    assert run.state == "SUCCESS"
    assert sorted(run.worked) == ["a", "b", "b", "last"], "round 1 anew, what failed in round 2, what follows"


def test_a_replay_of_an_error_branch_leaves_the_failure_as_it_is() -> None:
    run = Run(BESIDE).begin("bad")
    run.take_up(replayed(run, "handler"))
    assert run.state == "FAILED"
    assert run.worked == ["handler"]


def test_a_restart_of_a_warning_takes_up_what_was_allowed_to_fail() -> None:
    tasks = """
    - {id: lenient, type: io.kestra.plugin.core.log.Log, message: x, allowFailure: true}
    - {id: last, type: io.kestra.plugin.core.log.Log, message: x}
    """
    run = Run(tasks).begin("lenient")
    assert run.state == "WARNING"
    run.restart()
    assert run.worked == ["lenient"], "what ended well is not run again"
    assert run.state == "SUCCESS"


def test_a_restart_of_a_cancelled_execution_passes_the_pause_that_cancelled_it() -> None:
    run = Run(PAUSE_THEN_WORK.replace("FAIL", "CANCEL")).begin()
    (timer,) = run.timers
    run.apply(TimerFired(timer))
    assert run.state == "CANCELLED"
    run.restart()
    assert (run.state, run.worked) == ("SUCCESS", ["work"])


@pytest.mark.parametrize("ended", [StateType.KILLED, StateType.CANCELLED])
def test_what_was_ended_before_its_first_task_begins(ended: StateType) -> None:
    run = Run(DIRECTORY)
    execution, _ = run.records()
    execution.state.become(ended, run.now())
    execution.schedule_date = START + timedelta(days=1)
    run.take_up(restart(execution, [], run.flow, run.now()))
    assert run.state == "SUCCESS", "it does not wait for its date any more"


@pytest.mark.parametrize(
    ("ended", "hint"),
    [
        (StateType.SUCCESS, "Nothing in it failed or was stopped; it can be replayed."),
        (StateType.WARNING, "Nothing in it failed or was stopped; it can be replayed."),
        (StateType.SKIPPED, "Nothing in it failed or was stopped; it can be replayed."),
        (StateType.RETRIED, "A new execution has taken its place."),
        (StateType.FAILED, "It failed before its first task; it can be replayed."),
    ],
)
def test_a_restart_that_is_refused_says_what_else_can_be_done(ended: StateType, hint: str) -> None:
    execution, _ = Run(DIRECTORY).records()
    execution.state.become(ended, START)
    with pytest.raises(NothingToRestart, match=f"No task found to restart execution from! {hint}"):
        restart(execution, [], flow_of(DIRECTORY), START)


def test_a_restart_as_another_revision_goes_on_behind_the_pause() -> None:
    run = Run(PAUSE_THEN_WORK).begin()
    assert run.state == "PAUSED"
    execution, runs = run.records()
    before = msgspec.json.encode((execution, runs))
    new = restart_as(execution, runs, run.flow, run.now(), run.environment.new_id)
    assert msgspec.json.encode((execution, runs)) == before, "the old execution was changed"
    assert new.execution.parent_id == "execution"
    new.execution.id = "execution"
    for each in new.task_runs:
        each.execution_id = "execution"
    run.take_up(new)
    assert (run.state, run.worked) == ("SUCCESS", ["work"])


@pytest.mark.parametrize(
    "loop",
    [
        "type: io.kestra.plugin.core.flow.EachParallel\n      value: [x]",
        "type: io.kestra.plugin.core.flow.ForEach\n      values: [x]",
        "type: io.kestra.plugin.core.flow.Loop\n      values: [x]",
    ],
)
def test_a_loop_that_was_skipped_may_be_replayed_and_declared_done(loop: str) -> None:
    tasks = f"""
    - id: each
      {loop}
      runIf: "false"
      tasks: [{{id: a, type: io.kestra.plugin.core.log.Log, message: x}}]
    - {{id: last, type: io.kestra.plugin.core.log.Log, message: x}}
    """
    run = Run(tasks).begin("last")
    execution, runs = run.records()
    skipped = next(each for each in runs if each.task_id == "each")
    assert skipped.state.current is StateType.SKIPPED
    run.take_up(replayed(run, "each"))
    assert run.worked == ["last"]

    again = Run(tasks).begin("last")
    execution, runs = again.records()
    again.take_up(change_state(execution, runs, again.flow, skipped.id, StateType.WARNING, again.now()))
    assert again.live.record.state.current is StateType.FAILED
