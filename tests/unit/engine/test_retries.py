"""When the next attempt is due, and when there is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.engine.flow_run import FlowRun

from windhover.engine.retries import next_try
from windhover.model.execution import Attempt, TaskRun
from windhover.model.retry import ConstantRetry, ExponentialRetry, RandomRetry, Retry
from windhover.model.state import State, StateChange, StateType

START = datetime(2026, 1, 1, tzinfo=UTC)


def failed(*seconds: float, lost: int = 0) -> TaskRun:
    """A task run with failed attempts that began at these seconds, after some that a worker lost."""

    def attempt(second: float, end: StateType) -> Attempt:
        began = START + timedelta(seconds=second)
        return Attempt(State(end, [StateChange(StateType.RUNNING, began), StateChange(end, began)]))

    attempts = [attempt(seconds[0], StateType.RESUBMITTED) for _ in range(lost)]
    attempts += [attempt(second, StateType.FAILED) for second in seconds]
    created = State.created(START)
    return TaskRun("run", "execution", "task", created, attempts=attempts, lost_attempts=lost)


def seconds_until(retry: Retry, run: TaskRun, now: float) -> float | None:
    at = START + timedelta(seconds=now)
    due = next_try(retry, run, at)
    return None if due is None else (due - at).total_seconds()


def test_a_constant_interval_runs_from_the_end_of_the_last_attempt() -> None:
    retry = ConstantRetry(type="constant", interval="PT5S", max_attempts=3)
    assert seconds_until(retry, failed(0), 1) == 5
    assert seconds_until(retry, failed(0, 6), 7) == 5
    assert seconds_until(retry, failed(0, 6, 12), 13) is None


def test_attempts_that_a_worker_lost_do_not_count() -> None:
    retry = ConstantRetry(type="constant", interval="PT5S", max_attempts=2)
    assert seconds_until(retry, failed(0, lost=3), 1) == 5


def test_no_attempt_begins_after_the_longest_duration() -> None:
    retry = ConstantRetry(type="constant", interval="PT2S", max_duration="PT6S")
    assert seconds_until(retry, failed(0, 2), 4) == 2
    assert seconds_until(retry, failed(0, 2, 4), 4.5) is None


def test_exponential_intervals_grow_up_to_a_bound() -> None:
    retry = ExponentialRetry(type="exponential", interval="PT1S", max_interval="PT5S", delay_factor=2)
    waits = [seconds_until(retry, failed(*range(n)), 100) for n in range(1, 6)]
    assert waits == [1, 2, 4, 5, 5]
    assert seconds_until(retry, failed(*range(2000)), 3000) == 5


@pytest.mark.parametrize("count", range(1, 6))
def test_random_intervals_lie_between_their_bounds_and_can_be_repeated(count: int) -> None:
    retry = RandomRetry(type="random", min_interval="PT1S", max_interval="PT3S")
    wait = seconds_until(retry, failed(*range(count)), 100)
    assert wait is not None
    assert 1 <= wait <= 3
    assert wait == seconds_until(retry, failed(*range(count)), 100)


def test_a_task_after_the_end_that_is_tried_again_leaves_the_execution_as_it_ended() -> None:
    run = FlowRun("""
tasks:
  - {id: log, type: io.kestra.plugin.core.log.Log, message: a}
afterExecution:
  - id: after
    type: io.kestra.plugin.core.execution.Fail
    retry: {type: constant, interval: PT1S, maxAttempts: 2}
""")
    run.end()
    run.end(StateType.FAILED)
    assert run.history("after").endswith("FAILED RETRYING")
    run.crash()
    assert run.fire().startswith("retry:")
    run.end()
    assert run.history("after").endswith("RUNNING SUCCESS")
    assert run.history() == "CREATED RUNNING SUCCESS"
    assert run.ended
