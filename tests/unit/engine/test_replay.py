"""A replay from anywhere in an execution: what it takes over, and what runs then."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from windhover.engine.events import Begin, KillRequested
from windhover.engine.replay import replay
from windhover.engine.restart import Reworked, change_state
from windhover.model.execution import TaskRun
from windhover.model.state import StateType

sys.path.insert(0, str(Path(__file__).parent))
from restart_run import DIRECTORY, LOOP, ROUNDS, Run, flow_of


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


def test_of_what_was_killed_in_a_lane_beside_a_replay_the_later_waits_for_the_earlier() -> None:
    run = Run(
        """
    - id: each
      type: io.kestra.plugin.core.flow.ForEach
      values: ["x", "y"]
      concurrencyLimit: 2
      tasks:
        - {id: a, type: io.kestra.plugin.core.log.Log, message: x}
        - {id: b, type: io.kestra.plugin.core.log.Log, message: x}
        - {id: c, type: io.kestra.plugin.core.log.Log, message: x}
    """
    )
    run.apply(Begin())
    while run.jobs:
        job = run.jobs.pop(0)
        (node,) = [each for each in run.live.nodes.values() if each.record.id == job.identity.task_run_id]
        killed = node.record.value == "x" and node.record.task_id in ("a", "c")
        run.end(job, StateType.KILLED if killed else StateType.SUCCESS)
    execution, runs = run.records()
    chosen = run.ids_of("a")[1]
    new = replay(execution, runs, run.flow, run.now(), run.environment.new_id, task_run_id=chosen)

    run.take_up(new)

    assert run.state == "SUCCESS"
    assert sorted(run.worked) == ["a", "a", "b", "c", "c"]
    assert len(run.ids_of("c")) == 2
