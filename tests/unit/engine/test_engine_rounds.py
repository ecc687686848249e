from __future__ import annotations

import sys
from pathlib import Path

import pytest

from windhover.engine.events import KillRequested, PauseRequested, Resume, TimerFired
from windhover.model.state import StateType

sys.path.insert(0, str(Path(__file__).parent))
from flow_run import FlowRun

LOOP = """
tasks:
  - id: loop
    type: io.kestra.plugin.core.flow.LoopUntil
    condition: "{{ outputs.ask.value == 'done' }}"
    checkFrequency: {interval: PT10S%s}
    tasks:
      - id: ask
        type: io.kestra.plugin.core.debug.Return
        format: "{{ taskrun.iteration }}"
%s
"""


def test_a_loop_goes_round_until_its_condition_is_true() -> None:
    run = FlowRun(LOOP % ("", ""))
    assert run.run("loop").outputs == {"iterationCount": 1}
    first = run.end(outputs={"value": "no"}).identity.task_run_id
    assert (run.state, run.run("loop").state.current) == (StateType.PAUSED, StateType.PAUSED)
    assert run.run("loop").outputs == {"iterationCount": 2}
    run.fire()
    assert first not in run.live.nodes
    assert first not in run.rows
    assert (run.run("loop").iteration, run.run("ask").iteration) == (1, 1)
    assert run.live.outputs.root.get("ask") is None
    run.end(outputs={"value": "no"})
    run.fire()
    run.end(outputs={"value": "done"})
    assert run.ended
    assert run.run("loop").outputs == {"iterationCount": 3}
    assert run.task_ids() == ["loop", "ask"]
    assert run.history() == run.history("loop") == "CREATED RUNNING PAUSED RUNNING SUCCESS"
    assert [len(a.state.histories) for a in run.run("loop").attempts or ()] == [3]


def test_the_branches_of_a_loop_belong_to_its_last_round() -> None:
    run = FlowRun("""
tasks:
  - id: loop
    type: io.kestra.plugin.core.flow.LoopUntil
    condition: "{{ false }}"
    tasks: [{id: work, type: io.kestra.plugin.core.debug.Return}]
    errors: [{id: mend, type: io.kestra.plugin.core.debug.Return}]
    finally: [{id: tidy, type: io.kestra.plugin.core.debug.Return}]
""")
    run.end()
    run.fire()
    run.end(StateType.FAILED)
    run.end()
    run.end()
    assert run.ended
    assert [run.run(task).iteration for task in ("work", "mend", "tidy")] == [1, 1, 1]


def test_a_wait_between_rounds_survives_a_restart_of_the_server() -> None:
    run = FlowRun(LOOP % ("", ""))
    run.end(outputs={"value": "no"})
    run.crash()
    assert run.state is StateType.PAUSED
    assert not run.jobs
    run.fire()
    run.crash()
    run.end(outputs={"value": "done"})
    assert run.ended
    assert run.state is StateType.SUCCESS
    assert run.run("loop").outputs == {"iterationCount": 2}


@pytest.mark.parametrize(
    ("condition", "rounds", "count"),
    [
        ("true", 1, 1),
        ("{{ outputs.loop.iterationCount >= 3 }}", 2, 3),
        ("{{ outputs.loop.iterationCount == 1 }}", 1, 1),
        ("{{ outputs.loop.iterationCount == 2 }}", 1, 2),
    ],
)
def test_a_condition_sees_the_count_before_and_after_it_is_raised(
    condition: str, rounds: int, count: int
) -> None:
    run = FlowRun(LOOP.replace("{{ outputs.ask.value == 'done' }}", condition) % ("", ""))
    for _ in range(rounds - 1):
        run.end(outputs={"value": "no"})
        run.fire()
    run.end(outputs={"value": "no"})

    assert run.ended
    assert run.run("loop").outputs == {"iterationCount": count}


@pytest.mark.parametrize(
    ("limit", "fail", "state"),
    [(", maxIterations: 2", "", "SUCCESS"), (", maxIterations: 2", "    failOnMaxReached: true", "FAILED")],
)
def test_a_loop_gives_up_after_so_many_rounds(limit: str, fail: str, state: str) -> None:
    run = FlowRun(LOOP % (limit, fail))
    run.end(outputs={"value": "no"})
    run.fire()
    run.end(outputs={"value": "no"})
    assert run.ended
    assert run.state.value == run.run("loop").state.current.value == state
    assert "WARN Max iterations reached" in run.logs


def test_a_loop_gives_up_after_a_time() -> None:
    run = FlowRun(LOOP % (", maxDuration: PT15S", ""))
    for _ in range(2):
        run.end(outputs={"value": "no"})
        run.fire()
    run.end(outputs={"value": "no"})
    assert run.ended
    assert "WARN Max duration reached" in run.logs


def test_a_failed_limit_runs_errors_and_finally_also_after_a_crash() -> None:
    branches = """
    failOnMaxReached: true
    errors: [{id: err, type: io.kestra.plugin.core.debug.Return}]
    finally: [{id: fin, type: io.kestra.plugin.core.debug.Return}]
"""
    run = FlowRun(LOOP % (", maxIterations: 1", branches))
    run.end(outputs={"value": "no"})
    assert run.waiting() == ["err"]
    assert run.run("err").iteration == 0, "as in the round that was the last"
    run.crash()
    run.end()
    run.crash()
    assert run.end().identity.task_id == "fin"
    assert run.ended
    assert run.state is StateType.FAILED


def test_a_failed_task_ends_the_loop() -> None:
    run = FlowRun(LOOP % ("", ""))
    run.end(StateType.FAILED)
    assert run.ended
    assert run.state is StateType.FAILED


def test_a_condition_that_cannot_be_told_fails_the_loop() -> None:
    run = FlowRun(LOOP % ("", ""))
    run.end(outputs={})
    assert run.ended
    assert run.state is StateType.FAILED
    assert run.run("loop").outputs == {"iterationCount": 1}
    assert any("Unable to resolve state from the Flowable task" in line for line in run.logs)


def test_who_resumes_a_waiting_loop_begins_its_next_round() -> None:
    run = FlowRun(LOOP % ("", ""))
    run.end(outputs={"value": "no"})
    run.apply(Resume())
    assert run.state is StateType.RUNNING
    assert run.waiting() == ["ask"]
    assert not run.timers
    run.end(outputs={"value": "no"})
    assert run.run("loop").outputs == {"iterationCount": 3}
    history = [change.state.value for change in run.live.record.state.histories]
    assert history == ["CREATED", "RUNNING", "PAUSED", "RESTARTED", "RUNNING", "PAUSED"]


def test_of_several_loops_that_wait_the_first_is_resumed() -> None:
    run = FlowRun("""
tasks:
  - id: both
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - id: first
        type: io.kestra.plugin.core.flow.LoopUntil
        condition: "{{ false }}"
        tasks: [{id: a, type: io.kestra.plugin.core.debug.Return}]
      - id: second
        type: io.kestra.plugin.core.flow.LoopUntil
        condition: "{{ false }}"
        tasks: [{id: b, type: io.kestra.plugin.core.debug.Return}]
""")
    run.end()
    run.end()
    assert run.state is StateType.PAUSED
    run.apply(Resume())
    assert run.waiting() == ["a"]
    run.end()
    assert run.state is StateType.PAUSED
    run.fire()
    assert run.waiting() == ["b"]


def test_a_waiting_loop_can_be_killed() -> None:
    run = FlowRun(LOOP % ("", ""))
    run.end(outputs={"value": "no"})
    run.apply(KillRequested())
    assert run.ended
    assert run.state is StateType.KILLED
    assert not run.timers
    assert run.run("loop").state.current is StateType.KILLED


BESIDE = """
tasks:
  - id: both
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - id: loop
        type: io.kestra.plugin.core.flow.LoopUntil
        condition: "{{ outputs.ask.value == 'done' }}"
        tasks: [{id: ask, type: io.kestra.plugin.core.debug.Return}]
      - id: others
        type: io.kestra.plugin.core.flow.Sequential
        tasks:
          - {id: a, type: io.kestra.plugin.core.debug.Return}
          - {id: b, type: io.kestra.plugin.core.debug.Return}
"""


def test_what_runs_beside_a_waiting_loop_goes_on() -> None:
    run = FlowRun(BESIDE)
    assert run.waiting() == ["ask", "a"]
    run.end(outputs={"value": "no"})
    assert run.state is StateType.RUNNING
    assert run.run("loop").state.current is StateType.PAUSED
    run.end()
    assert run.waiting() == ["b"]
    run.crash()
    run.fire()
    assert sorted(run.waiting()) == ["ask", "b"]


def test_a_pause_by_hand_holds_the_next_round() -> None:
    run = FlowRun(BESIDE)
    run.end(outputs={"value": "no"})
    run.apply(PauseRequested())
    run.end()
    run.fire()
    assert run.state is StateType.PAUSED
    assert not run.jobs
    run.apply(Resume())
    assert run.state is StateType.RUNNING
    assert sorted(run.waiting()) == ["ask", "b"]


def test_a_loop_in_a_loop_keeps_the_place_it_has_there() -> None:
    run = FlowRun("""
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [x]
    tasks:
      - id: loop
        type: io.kestra.plugin.core.flow.LoopUntil
        condition: "{{ outputs.loop.x.iterationCount >= 3 }}"
        tasks: [{id: ask, type: io.kestra.plugin.core.debug.Return}]
""")
    run.end(outputs={"value": "first"})
    run.fire()
    assert (run.run("loop").iteration, run.run("ask").iteration) == (0, 1)
    run.end()
    assert run.ended
    assert run.live.outputs.root["loop"] == {"x": {"iterationCount": 3}}


CLEANED = "finally: [{id: clean, type: io.kestra.plugin.core.debug.Return}]"


@pytest.mark.parametrize("behavior", ["FAIL", "CANCEL"])
def test_a_broken_agreement_ends_a_loop_that_waits_and_finally_runs(behavior: str) -> None:
    agreement = f"sla: [{{id: soon, type: MAX_DURATION, duration: PT1H, behavior: {behavior}}}]\n"
    run = FlowRun(agreement + LOOP % ("", CLEANED))
    run.end(outputs={"value": "no"})
    assert run.state is StateType.PAUSED
    run.apply(TimerFired("sla:soon"))
    assert run.waiting() == ["clean"]
    run.crash()
    run.end()
    assert (
        run.history() == f"CREATED RUNNING PAUSED RUNNING {'FAILED' if behavior == 'FAIL' else 'CANCELLED'}"
    )


def test_a_time_limit_around_a_loop_that_waits_lets_what_follows_run() -> None:
    run = FlowRun(f"""
tasks:
  - id: outer
    type: io.kestra.plugin.core.flow.Sequential
    timeout: PT1H
    tasks:
      - id: loop
        type: io.kestra.plugin.core.flow.LoopUntil
        condition: "{{{{ false }}}}"
        checkFrequency: {{interval: PT2H}}
        tasks: [{{id: ask, type: io.kestra.plugin.core.debug.Return}}]
    {CLEANED}
""")
    run.end()
    assert run.state is StateType.PAUSED
    assert run.fire().startswith("timeout:")
    assert run.waiting() == ["clean"]
    run.end()
    assert run.history() == "CREATED RUNNING PAUSED RUNNING FAILED"


def test_a_loop_that_was_killed_between_two_rounds_cleans_up_and_has_no_other_round() -> None:
    run = FlowRun(LOOP % ("", "    " + CLEANED))
    run.end(outputs={"value": "no"})
    run.apply(KillRequested())
    assert run.waiting() == ["clean"]
    assert not [key for key in run.timers if key.startswith("loop:")]
    run.crash()
    assert run.waiting() == ["clean"]
    run.end()
    assert run.history("loop") == "CREATED RUNNING PAUSED RUNNING KILLED"
    assert run.history() == "CREATED RUNNING PAUSED KILLING KILLED"
