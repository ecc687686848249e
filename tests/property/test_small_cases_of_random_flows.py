"""The smallest cases of what random flows have found: each was once done wrong."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path as FilePath

import pytest

from windhover.engine.events import (
    Begin,
    ChildEnded,
    ChildRefused,
    ChildRestarted,
    ChildStarted,
    KillRequested,
    LeaveBreakpoint,
    PauseRequested,
    Queued,
    Released,
    Restarted,
    Resume,
    TimerFired,
)
from windhover.engine.live import LiveExecution
from windhover.engine.messages import NothingToRestart
from windhover.engine.replay import restart_as
from windhover.model.execution import Breakpoint
from windhover.model.state import StateType

sys.path.insert(0, str(FilePath(__file__).parents[1] / "unit" / "engine"))
from flow_run import START, FlowRun

FLOW = "io.kestra.plugin.core.flow."
LOG = "type: io.kestra.plugin.core.log.Log, message: x"
PAUSE = f"type: {FLOW}Pause"


def test_a_pause_that_begins_with_a_failure_beside_it_holds_nobody_up() -> None:
    run = FlowRun(
        f"""
tasks:
  - id: beside
    type: {FLOW}Parallel
    allowFailure: true
    tasks:
      - {{id: bad, {LOG}, runIf: "{{{{ nothing.of.the.kind }}}}"}}
      - {{id: wait, {PAUSE}}}
"""
    )
    assert run.run("wait").state.current is StateType.WARNING
    assert run.state is StateType.WARNING


def test_a_breakpoint_beside_a_pause_is_left_once_even_if_the_server_crashes_before_the_resume() -> None:
    run = FlowRun(
        f"""
tasks:
  - id: beside
    type: {FLOW}Parallel
    tasks:
      - {{id: wait, {PAUSE}}}
      - {{id: work, {LOG}}}
""",
        breakpoints=[Breakpoint("work")],
    )
    assert run.state is StateType.BREAKPOINT

    run.apply(LeaveBreakpoint())
    assert run.state is StateType.PAUSED
    assert run.waiting() == []

    run.crash()
    run.apply(Resume())
    assert run.state is StateType.RUNNING
    assert run.waiting() == ["work"]


def test_a_pause_whose_time_was_cut_short_is_not_waited_for() -> None:
    run = FlowRun(
        f"""
tasks:
  - id: beside
    type: {FLOW}Parallel
    tasks:
      - id: limited
        type: {FLOW}Sequential
        timeout: PT1M
        tasks:
          - {{id: first, {PAUSE}, onPause: {{id: meanwhile, {LOG}}}}}
      - id: unlimited
        type: {FLOW}Sequential
        tasks:
          - {{id: second, {PAUSE}}}
"""
    )
    run.fire()
    assert run.state is StateType.PAUSED
    assert run.run("meanwhile").state.current is StateType.SUBMITTED

    run.apply(Resume())
    assert run.run("second").state.current is StateType.SUCCESS
    assert run.state is StateType.RUNNING


def test_a_killed_pause_cleans_up_though_the_server_crashes() -> None:
    run = FlowRun(
        f"""
tasks:
  - id: wait
    {PAUSE}
    onPause: {{id: meanwhile, {LOG}}}
    finally:
      - {{id: clean, {LOG}}}
"""
    )
    run.apply(KillRequested())
    run.crash()
    assert run.run("meanwhile").state.current is StateType.KILLED
    assert run.waiting() == ["clean"]
    run.crash()
    run.end()
    assert run.history("wait") == "CREATED RUNNING PAUSED RUNNING KILLED"
    assert run.state is StateType.KILLED


def test_a_subflow_that_cannot_be_started_has_no_time_limit_left() -> None:
    run = FlowRun(
        f"""
tasks:
  - {{id: child, type: {FLOW}Subflow, namespace: company.team, flowId: gone, timeout: PT1H}}
"""
    )
    run.apply(ChildRefused(run.run("child").id, "There is no such flow."))
    assert run.state is StateType.FAILED
    assert run.timers == {}


def test_a_directory_that_begins_again_leaves_no_try_behind() -> None:
    run = FlowRun(
        f"""
tasks:
  - id: together
    type: {FLOW}WorkingDirectory
    tasks:
      - {{id: work, {LOG}, retry: {{type: constant, interval: PT1M, maxAttempts: 3}}}}
"""
    )
    run.end(StateType.FAILED)
    assert len(run.timers) == 1

    run.crash()
    assert run.timers == {}
    assert run.waiting() == ["work"]


def test_a_killed_execution_is_killing_until_it_has_ended() -> None:
    run = FlowRun(
        f"""
tasks:
  - {{id: work, {LOG}}}
finally:
  - id: again
    type: {FLOW}LoopUntil
    condition: "false"
    checkFrequency: {{interval: PT1S, maxIterations: 2}}
    tasks:
      - {{id: round, {LOG}}}
"""
    )
    run.end()
    run.end()
    assert run.state is StateType.PAUSED

    run.apply(KillRequested())
    run.apply(TimerFired(next(key for key in run.timers if key.startswith("loop:"))))
    assert run.waiting() == ["round"]
    assert run.state is StateType.KILLING


def test_a_batch_that_is_restarted_while_the_others_are_killed_is_killed_too() -> None:
    run = FlowRun(
        f"""
tasks:
  - {{id: rows, type: {FLOW}ForEachItem, items: "kestra:///rows", namespace: company.team, flowId: child}}
"""
    )
    run.end(outputs={"splits": "kestra:///splits", "numberOfBatches": 2})
    items = run.run("rows_items").id
    for child in ("one", "two"):
        run.apply(ChildStarted(items, child, child, wait=True))
    run.apply(KillRequested())
    run.apply(ChildEnded(items, "one", StateType.KILLED, "one", generation=1))
    run.apply(ChildRestarted(items, "one", StateType.KILLED, "one", generation=1))
    assert run.children_killed == ["one"]


LIMITED = f"""
sla:
  - {{id: soon, type: MAX_DURATION, duration: PT1H, behavior: FAIL}}
tasks:
  - {{id: work, {LOG}}}
"""


def scheduled() -> FlowRun:
    run = FlowRun(LIMITED, begin=False)
    run.live.record.schedule_date = START + timedelta(days=1)
    run.apply(Begin())
    assert run.timers == {"schedule": START + timedelta(days=1)}
    return run


def test_an_execution_forced_to_run_before_its_date_may_take_as_long_as_any_other() -> None:
    run = scheduled()
    run.now += timedelta(hours=2)
    run.live.record.schedule_date = None
    run.apply(Released())
    assert run.state is StateType.RUNNING
    assert run.timers["sla:soon"] == run.now + timedelta(hours=1)


def test_an_execution_that_is_queued_on_its_date_has_its_time_from_then() -> None:
    run = scheduled()
    run.now = START + timedelta(days=1)
    run.apply(Queued(1))
    assert run.timers["sla:soon"] == START + timedelta(days=1, hours=1)


def test_tasks_after_the_end_may_be_paused_by_hand_and_resumed() -> None:
    run = FlowRun(
        f"""
tasks:
  - {{id: work, {LOG}}}
afterExecution:
  - {{id: wait, {PAUSE}, onPause: {{id: meanwhile, {LOG}}}}}
"""
    )
    run.end()
    run.apply(Resume())
    run.apply(PauseRequested())
    run.end()
    assert not run.ended

    run.apply(Resume())
    assert run.ended
    assert run.state is StateType.SUCCESS


def test_who_kills_an_execution_alone_leaves_no_time_limit_of_its_subflows() -> None:
    run = FlowRun(
        f"""
tasks:
  - {{id: child, type: {FLOW}Subflow, namespace: company.team, flowId: other, timeout: PT1H}}
"""
    )
    run.apply(ChildStarted(run.run("child").id, "one", "one", wait=True))
    run.apply(KillRequested(cascade=False))
    assert run.state is StateType.KILLED
    assert run.timers == {}


def test_a_kill_stops_what_still_runs_after_an_exit_behind_the_end() -> None:
    run = FlowRun(
        f"""
tasks:
  - {{id: work, {LOG}}}
afterExecution:
  - id: beside
    type: {FLOW}Parallel
    tasks:
      - {{id: long, {LOG}}}
      - id: short
        type: {FLOW}Sequential
        tasks:
          - {{id: quick, {LOG}}}
          - {{id: leave, type: io.kestra.plugin.core.execution.Exit, state: CANCELLED}}
"""
    )
    run.end()
    run.jobs.reverse()
    assert run.end().identity.task_id == "quick"
    assert run.kills == []

    run.apply(KillRequested())
    assert run.kills == [run.run("long").id]
    run.end(StateType.KILLED)
    assert run.ended
    assert run.state is StateType.SUCCESS


def in_another_revision(run: FlowRun, source: str) -> FlowRun:
    """What becomes of an ended execution when it is restarted in another revision of its flow."""
    new = FlowRun(source, begin=False)
    runs = [node.record for node in run.live.nodes.values()]
    reworked = restart_as(run.live.record, runs, new.flow, run.now, new.environment.new_id, ran_in=run.flow)
    new.now = run.now
    new.live = LiveExecution.restore(new.flow, reworked.execution, reworked.task_runs, 0)
    new.apply(Restarted())
    return new


def failed_in_its_second_task() -> FlowRun:
    run = FlowRun(f"tasks: [{{id: one, {LOG}}}, {{id: two, {LOG}}}, {{id: three, {LOG}}}]")
    run.end()
    run.end(StateType.FAILED)
    return run


def test_what_has_run_and_is_disabled_now_hinders_no_restart() -> None:
    run = failed_in_its_second_task()
    new = in_another_revision(
        run, f"tasks: [{{id: one, {LOG}, disabled: true}}, {{id: two, {LOG}}}, {{id: three, {LOG}}}]"
    )
    assert new.task_ids() == ["two"]
    assert new.waiting() == ["two"]


def test_a_lane_that_has_begun_does_not_begin_again_for_a_task_put_before_it() -> None:
    run = failed_in_its_second_task()
    new = in_another_revision(
        run, f"tasks: [{{id: new, {LOG}}}, {{id: one, {LOG}}}, {{id: two, {LOG}}}, {{id: three, {LOG}}}]"
    )
    while new.jobs:
        new.end()
    assert new.task_ids() == ["one", "two", "three"]
    assert new.state is StateType.SUCCESS


def test_a_task_that_controls_others_in_another_way_now_begins_anew() -> None:
    run = FlowRun(f"tasks: [{{id: all, type: {FLOW}Sequential, tasks: [{{id: one, {LOG}}}]}}]")
    run.end(StateType.FAILED)
    run.run("all").resolved = {"seconds": None}
    with pytest.raises(NothingToRestart):
        in_another_revision(run, f"tasks: [{{id: all, type: {FLOW}Parallel, tasks: [{{id: one, {LOG}}}]}}]")
