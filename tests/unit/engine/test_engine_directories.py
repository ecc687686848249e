from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from windhover.engine.events import KillRequested, LeaveBreakpoint
from windhover.model.execution import Breakpoint
from windhover.model.state import StateType

sys.path.insert(0, str(Path(__file__).parent))
from flow_run import FlowRun

FAILED = StateType.FAILED


def directory(
    properties: str = "", first: str = "", second: str = "", breakpoints: Sequence[Breakpoint] = ()
) -> FlowRun:
    source = f"""
tasks:
  - id: wd
    type: io.kestra.plugin.core.flow.WorkingDirectory
    {properties}
    tasks:
      - {{id: a, type: io.kestra.plugin.core.debug.Return {first}}}
      - {{id: b, type: io.kestra.plugin.core.debug.Return {second}}}
"""
    return FlowRun(source, breakpoints=breakpoints)


FILES = "inputFiles: {x: y}\n    outputFiles: ['*']"


def test_tasks_follow_one_another_in_one_directory_on_one_worker() -> None:
    run = directory(FILES)
    jobs = [run.end() for _ in range(3)]
    last = run.end(outputs={"outputFiles": {"x": "kestra:///x"}})
    assert [job.identity.task_id for job in [*jobs, last]] == ["wd", "a", "b", "wd"]
    assert len({job.directory.name for job in [*jobs, last] if job.directory}) == 1
    assert [job.directory.worker_id for job in jobs if job.directory] == [None, "worker", "worker"]
    assert run.ended
    assert run.run("wd").outputs == {"outputFiles": {"x": "kestra:///x"}}
    assert run.history("a") == "CREATED RUNNING SUCCESS"
    assert run.released == [last.directory.name if last.directory else ""]


def test_without_files_there_is_no_job_besides_the_tasks() -> None:
    run = directory()
    assert [run.end().identity.task_id for _ in range(2)] == ["a", "b"]
    assert run.ended
    assert len(run.released) == 1


def test_a_failed_task_stops_the_sequence_but_not_the_collection() -> None:
    run = directory(FILES + "\n    errors: [{id: err, type: io.kestra.plugin.core.debug.Return}]")
    run.end()
    run.end(FAILED)
    assert run.end(outputs={"outputFiles": {"x": "kestra:///x"}}).identity.task_id == "wd"
    (job,) = run.jobs
    assert (job.identity.task_id, job.directory) == ("err", None)
    run.crash()
    run.end()
    assert run.ended
    assert run.run("wd").state.current is FAILED
    assert run.run("wd").outputs == {"outputFiles": {"x": "kestra:///x"}}


def test_an_allowed_failure_and_a_skipped_task_go_on() -> None:
    run = directory(first=", allowFailure: true")
    run.end(FAILED)
    assert run.waiting() == ["b"]
    skipped = directory(first=", runIf: '{{ false }}'")
    assert skipped.waiting() == ["b"]


def test_what_fails_before_or_after_the_tasks_fails_the_whole() -> None:
    before = directory(FILES)
    before.end(FAILED)
    assert before.ended
    assert before.task_ids() == ["wd"]
    after = directory(FILES)
    for _ in range(3):
        after.end()
    after.end(FAILED)
    assert (before.state, after.state) == (FAILED, FAILED)


def test_a_run_if_that_cannot_be_told_leaves_no_task_run() -> None:
    run = directory(second=", runIf: '{{ outputs.nothing }}'")
    run.end()
    assert run.ended
    assert run.state is FAILED
    assert run.task_ids() == ["wd", "a"]
    assert len(run.rows) == 2
    assert any(line.startswith("ERROR Failed evaluating runIf: ") for line in run.logs)


def test_a_lost_worker_means_beginning_again_in_a_new_directory() -> None:
    run = directory(FILES)
    first = run.end()
    run.end()
    assert run.waiting() == ["b"]
    run.crash()
    assert run.waiting() == ["wd"]
    assert run.task_ids() == ["wd"]
    again = [run.end() for _ in range(4)]
    assert [job.identity.task_id for job in again] == ["wd", "a", "b", "wd"]
    assert again[0].directory != first.directory
    assert run.ended
    attempts = [attempt.state.current for attempt in run.run("wd").attempts or ()]
    assert attempts == [StateType.RESUBMITTED, StateType.SUCCESS]


def test_a_late_result_of_the_lost_worker_changes_nothing() -> None:
    run = directory(FILES)
    lost = run.jobs[0]
    run.crash()
    run.jobs.insert(0, lost)
    run.end(FAILED)
    assert run.waiting() == ["wd"]
    assert run.state is StateType.RUNNING


def test_a_retry_of_a_task_stays_in_the_directory() -> None:
    run = directory(first=", retry: {type: constant, interval: PT1S, maxAttempts: 2}")
    first = run.end(FAILED)
    assert run.state is StateType.RETRYING
    run.fire()
    again = run.end()
    assert again.directory is not None
    assert first.directory is not None
    assert again.directory.name == first.directory.name
    assert run.waiting() == ["b"]


def test_a_worker_lost_between_two_tries_begins_again() -> None:
    run = directory(first=", retry: {type: constant, interval: PT1S, maxAttempts: 2}")
    run.end(FAILED)
    run.crash()
    assert run.state is StateType.RUNNING
    assert run.waiting() == ["a"]


def test_a_kill_stops_the_task_under_way_and_lets_the_directory_go() -> None:
    for done in (0, 1, 3):
        run = directory(FILES)
        for _ in range(done):
            run.end()
        (job,) = run.jobs
        run.apply(KillRequested())
        assert run.kills == [job.identity.task_run_id]
        assert not run.ended
        run.end(StateType.KILLED)
        assert run.ended
        assert run.state is StateType.KILLED
        assert len(run.released) == 1


def test_tasks_see_the_value_of_the_loop_around() -> None:
    run = FlowRun("""
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [x]
    tasks:
      - id: wd
        type: io.kestra.plugin.core.flow.WorkingDirectory
        tasks: [{id: a, type: io.kestra.plugin.core.debug.Return}]
""")
    assert run.jobs[0].variables["taskrun"]["value"] == "x"
    assert run.run("a").value is None


def stopped_before_b() -> FlowRun:
    run = directory(breakpoints=[Breakpoint("b")])
    run.end()
    assert (run.state, run.waiting(), run.released) == (StateType.BREAKPOINT, [], [])
    return run


def test_a_breakpoint_holds_the_directory() -> None:
    run = stopped_before_b()
    run.apply(LeaveBreakpoint())
    (job,) = run.jobs
    assert (job.identity.task_id, job.directory and job.directory.worker_id) == ("b", "worker")
    run.end()
    assert run.ended


def test_a_directory_that_is_lost_at_a_breakpoint_is_made_again_up_to_there() -> None:
    run = stopped_before_b()
    run.crash()
    assert (run.state, run.waiting()) == (StateType.BREAKPOINT, ["a"])
    run.end()
    assert (run.state, run.waiting()) == (StateType.BREAKPOINT, [])
    run.apply(LeaveBreakpoint())
    run.end()
    assert run.history() == "CREATED RUNNING BREAKPOINT RUNNING SUCCESS"
    assert len(run.run("wd").attempts or ()) == 2


def test_a_directory_that_is_made_again_meanwhile_stops_once_more() -> None:
    run = stopped_before_b()
    run.crash()
    run.apply(LeaveBreakpoint())
    run.end()
    assert run.state is StateType.BREAKPOINT
    run.apply(LeaveBreakpoint(()))
    run.end()
    assert run.state is StateType.SUCCESS
