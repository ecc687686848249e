"""What becomes of executions, with the real executor and worker, on both databases."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from tests.integration.executor.flows import Flows

from windhover.engine.messages import (
    CommandRefused,
    FlowChanged,
    ForceRun,
    IllegalExecutionState,
    KillExecution,
    PauseExecution,
    ReplayExecution,
    RestartExecution,
    ResumeExecution,
)
from windhover.model.state import StateType
from windhover.repository.errors import RepositoryUnavailable

SLEEPER = """
    id: sleeper
    namespace: test
    {extra}
    tasks:
      - id: sleep
        type: io.kestra.plugin.core.flow.Sleep
        duration: {duration}
"""


async def test_retries_are_attempts_of_one_task_run(flows: Flows) -> None:
    ended = await flows.run("""
        id: retried
        namespace: test
        tasks:
          - id: third
            type: io.kestra.plugin.core.log.Log
            message: "{{ taskrun.attemptsCount == 2 ? 'at last' : nothing }}"
            retry: {type: constant, interval: PT0.02S, maxAttempts: 5, warningOnRetry: true}
          - id: after
            type: io.kestra.plugin.core.debug.Return
            format: ok
    """)
    assert ended.state == "WARNING"
    assert ended.states() == {"third": "WARNING", "after": "SUCCESS"}
    attempts = [attempt.state.current.value for attempt in ended.run("third").attempts or ()]
    assert attempts == ["FAILED", "FAILED", "SUCCESS"]
    assert ended.history == ["CREATED", *["RUNNING", "RETRYING"] * 2, "RUNNING", "WARNING"]
    again = ["CREATED", "SUBMITTED", "RUNNING"]
    assert ended.run_history("third") == [*[*again, "FAILED", "RETRYING"] * 2, *again, "WARNING"]


async def test_many_retries_are_all_there_and_go_on_after_a_restart(flows: Flows) -> None:
    ended = await flows.run("""
        id: stubborn
        namespace: test
        tasks:
          - id: fails
            type: io.kestra.plugin.core.execution.Fail
            retry: {type: constant, interval: PT0.001S, maxAttempts: 25}
    """)
    assert len(ended.run("fails").attempts or ()) == 25
    again = ["CREATED", "SUBMITTED", "RUNNING", "FAILED"]
    assert ended.run_history("fails") == [*[*again, "RETRYING"] * 24, *again]
    assert ended.history == ["CREATED", *["RUNNING", "RETRYING"] * 24, "RUNNING", "FAILED"]

    await flows.runtime.queue.executor.ask(RestartExecution(ended.execution.id))
    ended = await flows.ended(ended.execution.id)
    assert len(ended.run("fails").attempts or ()) == 26
    assert ended.history[-4:] == ["FAILED", "RESTARTED", "RUNNING", "FAILED"]

    replay = ReplayExecution(ended.execution.id, task_run_id=ended.run("fails").id)
    created = await flows.runtime.queue.executor.ask(replay)
    replayed = await flows.ended(created.id)
    assert len(replayed.run("fails").attempts or ()) == 27
    assert replayed.history == [*ended.history, "RESTARTED", "RUNNING", "FAILED"]
    assert (await flows.load(ended.execution.id)).history == ended.history


async def test_errors_run_once_the_retries_are_used_up(flows: Flows) -> None:
    ended = await flows.run("""
        id: used-up
        namespace: test
        retry: {type: constant, interval: PT0.01S, maxAttempts: 2}
        tasks:
          - {id: fails, type: io.kestra.plugin.core.execution.Fail}
        errors:
          - {id: clean, type: io.kestra.plugin.core.log.Log, message: cleaned}
    """)
    assert ended.states() == {"fails": "FAILED", "clean": "SUCCESS"}
    assert len(ended.run("fails").attempts or ()) == 2


async def test_a_new_execution_takes_the_place_of_a_failed_one(flows: Flows) -> None:
    first = await flows.run("""
        id: replaced
        namespace: test
        retry: {type: constant, interval: PT0.01S, maxAttempts: 2, behavior: CREATE_NEW_EXECUTION}
        tasks:
          - {id: fails, type: io.kestra.plugin.core.execution.Fail}
    """)
    assert first.state == "RETRIED"
    assert first.states() == {"fails": "RETRIED"}
    second = await flows.successor(first)
    assert second.state == "FAILED"
    assert second.execution.original_id == first.execution.id
    assert second.execution.metadata.attempt_number == 2


CHILD = """
    id: child
    namespace: test
    labels: {{own: label}}
    inputs:
      - {{id: name, type: STRING}}
    tasks:
      - id: work
        type: {task}
    outputs:
      - {{id: greeting, type: STRING, value: "hello {{{{ inputs.name }}}}"}}
"""
PARENT = """
    id: parent
    namespace: test
    labels: {team: red}
    tasks:
      - id: sub
        type: io.kestra.plugin.core.flow.Subflow
        namespace: test
        flowId: child
        inheritLabels: true
        inputs: {name: "{{ flow.id }}"}
      - id: after
        type: io.kestra.plugin.core.debug.Return
        format: "{{ outputs.sub.outputs.greeting }}"
"""


async def test_a_subflow_gives_its_outputs_and_takes_labels(flows: Flows) -> None:
    await flows.save(CHILD.format(task="io.kestra.plugin.core.debug.Return"))
    parent = await flows.run(PARENT)
    assert parent.run("after").outputs == {"value": "hello parent"}
    sub = parent.run("sub").outputs or {}
    assert sub["state"] == "SUCCESS"
    child = await flows.load(sub["executionId"])
    labels = {label.key: label.value for label in child.execution.labels}
    assert labels == {"own": "label", "team": "red", "system.correlationId": parent.execution.id}
    assert child.execution.trigger is not None
    assert child.execution.trigger.variables["taskRunId"] == parent.run("sub").id


async def test_what_the_server_says_of_an_execution_it_says_of_its_subflows(flows: Flows) -> None:
    await flows.save(CHILD.format(task="io.kestra.plugin.core.debug.Return"))
    first = await flows.run(PARENT)
    replayed = await flows.runtime.queue.executor.ask(ReplayExecution(first.execution.id))
    again = await flows.ended(replayed.id)

    child = await flows.load((again.run("sub").outputs or {})["executionId"])

    labels = {label.key: label.value for label in child.execution.labels}
    assert labels["system.replay"] == "true"


async def test_a_subflow_that_cannot_be_started_has_not_run(flows: Flows) -> None:
    parent = await flows.run(PARENT.replace("flowId: child", "flowId: nobody"))

    states = [change.state.value for change in parent.run("sub").state.histories]
    assert states == ["CREATED", "FAILED"]


async def test_a_subflow_takes_its_default_for_what_the_parent_has_not(flows: Flows) -> None:
    await flows.save("""
        id: child
        namespace: test
        inputs:
          - {id: count, type: INT, defaults: 3}
          - {id: owner, type: STRING, defaults: "{{ labels.team }}"}
        tasks:
          - {id: work, type: io.kestra.plugin.core.debug.Return, format: x}
        outputs:
          - {id: taken, type: STRING, value: "{{ inputs.count }} {{ inputs.owner }}"}
    """)
    parent = await flows.run("""
        id: parent
        namespace: test
        tasks:
          - id: sub
            type: io.kestra.plugin.core.flow.Subflow
            namespace: test
            flowId: child
            inputs: {count: "{{ outputs.none.value ?? null }}"}
            labels: {team: red, empty: "{{ null }}"}
    """)
    assert (parent.run("sub").outputs or {})["outputs"] == {"taken": "3 red"}


async def test_a_failed_subflow_fails_its_task(flows: Flows) -> None:
    await flows.save(CHILD.format(task="io.kestra.plugin.core.execution.Fail"))
    parent = await flows.run(PARENT)
    assert parent.states() == {"sub": "FAILED"}
    assert any("ends in FAILED state" in message for message in parent.messages("ERROR"))


async def test_an_unknown_subflow_says_so(flows: Flows) -> None:
    parent = await flows.run(PARENT)
    assert parent.states() == {"sub": "FAILED"}
    (message,) = parent.messages("ERROR")
    assert message.startswith("Unable to find flow 'test'.'child' with revision '0'. Save the flow first")


async def test_a_kill_reaches_the_subflow(flows: Flows) -> None:
    await flows.save(SLEEPER.format(extra="", duration="PT100S"))
    parent = await flows.start(await flows.save(PARENT.replace("flowId: child", "flowId: sleeper")))
    started = await flows.until(parent, lambda e: bool(e.task_runs and e.task_runs[0].outputs))
    await flows.runtime.queue.executor.ask(KillExecution(parent, "a test"))
    ended = await flows.ended(parent)
    assert ended.states() == {"sub": "KILLED"}
    child = (started.run("sub").outputs or {})["executionId"]
    assert (await flows.ended(child)).state == "KILLED"


async def test_a_paused_execution_goes_on_with_what_it_was_given(flows: Flows) -> None:
    flow = await flows.save("""
        id: paused
        namespace: test
        tasks:
          - id: ask
            type: io.kestra.plugin.core.flow.Pause
            onResume: [{id: reason, type: STRING}]
          - id: after
            type: io.kestra.plugin.core.debug.Return
            format: "{{ outputs.ask.onResume.reason }}"
    """)
    execution = await flows.start(flow)
    paused = await flows.reaches(execution, StateType.PAUSED)
    assert paused.states() == {"ask": "PAUSED"}
    await flows.runtime.queue.executor.ask(ResumeExecution(execution, {"reason": "fine"}, "me"))
    ended = await flows.ended(execution)
    assert ended.run("after").outputs == {"value": "fine"}
    assert (ended.run("ask").outputs or {})["resumed"]["by"] == "me"
    assert ended.history == ["CREATED", "RUNNING", "PAUSED", "RESTARTED", "RUNNING", "SUCCESS"]
    with pytest.raises(IllegalExecutionState, match="is not paused"):
        await flows.runtime.queue.executor.ask(ResumeExecution(execution))


@pytest.mark.parametrize(
    ("behavior", "state", "states"),
    [
        ("RESUME", "SUCCESS", {"wait": "SUCCESS", "after": "SUCCESS"}),
        ("WARN", "WARNING", {"wait": "WARNING", "after": "SUCCESS"}),
        ("FAIL", "FAILED", {"wait": "FAILED"}),
        ("CANCEL", "CANCELLED", {"wait": "CANCELLED"}),
    ],
)
async def test_a_pause_ends_with_its_time(
    flows: Flows, behavior: str, state: str, states: dict[str, str]
) -> None:
    ended = await flows.run(f"""
        id: waits
        namespace: test
        tasks:
          - id: wait
            type: io.kestra.plugin.core.flow.Pause
            pauseDuration: PT0.05S
            behavior: {behavior}
          - {{id: after, type: io.kestra.plugin.core.debug.Return, format: x}}
    """)
    assert (ended.state, ended.states()) == (state, states)


async def test_nothing_new_starts_in_an_execution_paused_by_hand(flows: Flows) -> None:
    flow = await flows.save("""
        id: by-hand
        namespace: test
        tasks:
          - {id: first, type: io.kestra.plugin.core.flow.Sleep, duration: PT0.3S}
          - {id: second, type: io.kestra.plugin.core.debug.Return, format: x}
    """)
    execution = await flows.start(flow)
    await flows.runtime.queue.executor.ask(PauseExecution(execution))
    held = await flows.until(execution, lambda e: e.states() == {"first": "SUCCESS"})
    assert (held.state, held.states()) == ("PAUSED", {"first": "SUCCESS"})
    await flows.runtime.queue.executor.ask(ResumeExecution(execution))
    ended = await flows.ended(execution)
    assert ended.history == ["CREATED", "RUNNING", "PAUSED", "RUNNING", "SUCCESS"]
    assert ended.states() == {"first": "SUCCESS", "second": "SUCCESS"}


async def test_executions_beyond_the_limit_wait_for_their_turn(flows: Flows) -> None:
    flow = await flows.save(SLEEPER.format(extra="concurrency: {limit: 1}", duration="PT0.1S"))
    executions = [await flows.start(flow) for _ in range(3)]
    ended = [await flows.ended(execution) for execution in executions]
    assert ended[0].history == ["CREATED", "RUNNING", "SUCCESS"]
    for before, after in itertools.pairwise(ended):
        assert after.history == ["CREATED", "QUEUED", "RUNNING", "SUCCESS"]
        assert before.execution.state.end_date is not None
        assert after.execution.state.histories[2].date >= before.execution.state.end_date


@pytest.mark.parametrize(("behavior", "state"), [("CANCEL", "CANCELLED"), ("FAIL", "FAILED")])
async def test_executions_beyond_the_limit_end_at_once(flows: Flows, behavior: str, state: str) -> None:
    extra = f"concurrency: {{limit: 1, behavior: {behavior}}}"
    flow = await flows.save(SLEEPER.format(extra=extra, duration="PT100S"))
    first = await flows.start(flow)
    second = await flows.ended(await flows.start(flow))
    assert (second.state, second.task_runs) == (state, [])
    assert second.messages() == [f"Execution is {state} due to concurrency limit exceeded"]
    await flows.runtime.queue.executor.ask(KillExecution(first))
    assert (await flows.ended(first)).state == "KILLED"


async def test_a_raised_limit_lets_the_queue_run_at_once(flows: Flows) -> None:
    source = SLEEPER.format(extra="concurrency: {limit: 1}", duration="PT100S")
    flow = await flows.save(source)
    executions = [await flows.start(flow) for _ in range(3)]
    await flows.reaches(executions[2], StateType.QUEUED)
    changed = await flows.save(source.replace("limit: 1", "limit: 2"))
    message = FlowChanged("main", "test", "sleeper", changed.revision or 0)
    flows.runtime.queue.broadcasts.publish(message)
    await flows.reaches(executions[1], StateType.RUNNING)
    assert (await flows.load(executions[2])).state == "QUEUED"
    await flows.runtime.queue.executor.ask(ForceRun(executions[2]))
    await flows.reaches(executions[2], StateType.RUNNING)
    for execution in executions:
        await flows.runtime.queue.executor.ask(KillExecution(execution))
        assert (await flows.ended(execution)).state == "KILLED"


async def test_a_killed_queued_execution_leaves_the_queue(flows: Flows) -> None:
    flow = await flows.save(SLEEPER.format(extra="concurrency: {limit: 1}", duration="PT100S"))
    first, second, third = [await flows.start(flow) for _ in range(3)]
    await flows.runtime.queue.executor.ask(KillExecution(second))
    assert (await flows.ended(second)).history == ["CREATED", "QUEUED", "KILLING", "KILLED"]
    await flows.runtime.queue.executor.ask(KillExecution(first))
    await flows.reaches(third, StateType.RUNNING)
    await flows.runtime.queue.executor.ask(KillExecution(third))
    await flows.ended(third)


async def test_an_exit_ends_what_is_around_it(flows: Flows) -> None:
    ended = await flows.run("""
        id: leaves
        namespace: test
        tasks:
          - id: group
            type: io.kestra.plugin.core.flow.Sequential
            tasks:
              - {id: out, type: io.kestra.plugin.core.execution.Exit, state: WARNING}
              - {id: never, type: io.kestra.plugin.core.debug.Return, format: x}
          - {id: neither, type: io.kestra.plugin.core.debug.Return, format: x}
        errors:
          - {id: nor, type: io.kestra.plugin.core.debug.Return, format: x}
        afterExecution:
          - {id: last, type: io.kestra.plugin.core.debug.Return, format: "{{ execution.state }}"}
    """)
    assert (ended.state, ended.states()) == (
        "WARNING",
        {"group": "WARNING", "out": "WARNING", "last": "SUCCESS"},
    )
    assert ended.run("last").outputs == {"value": "WARNING"}


async def test_labels_and_variables_change_on_the_way(flows: Flows) -> None:
    ended = await flows.run("""
        id: changes
        namespace: test
        labels: {stage: one}
        variables: {a: {b: 1}}
        tasks:
          - {id: label, type: io.kestra.plugin.core.execution.Labels, labels: {stage: "{{flow.id}}", new: x}}
          - {id: set, type: io.kestra.plugin.core.execution.SetVariables, variables: {a: {c: 2}, d: 3}}
          - {id: unset, type: io.kestra.plugin.core.execution.UnsetVariables, variables: [a.b]}
          - {id: show, type: io.kestra.plugin.core.debug.Return, format: "{{ vars.a }} {{ labels.stage }}"}
    """)
    assert ended.run("show").outputs == {"value": '{"c":2} changes'}
    labels = {label.key: label.value for label in ended.execution.labels}
    assert {"stage": "changes", "new": "x"}.items() <= labels.items()
    assert ended.execution.variables == {"a": {"c": 2}, "d": 3}


async def test_without_its_last_variable_an_execution_still_has_variables(flows: Flows) -> None:
    ended = await flows.run("""
        id: unsets
        namespace: test
        variables: {a: 1}
        tasks:
          - {id: unset, type: io.kestra.plugin.core.execution.UnsetVariables, variables: [a]}
          - {id: show, type: io.kestra.plugin.core.debug.Return, format: "{{ vars }} {{ vars.a ?? 'none' }}"}
    """)
    assert ended.run("show").outputs == {"value": "{} none"}


async def test_an_output_that_cannot_be_rendered_fails_the_execution(flows: Flows) -> None:
    ended = await flows.run("""
        id: no-output
        namespace: test
        tasks:
          - {id: fine, type: io.kestra.plugin.core.debug.Return, format: x}
        outputs:
          - {id: bad, type: STRING, value: "{{ outputs.nothing.value }}"}
    """)
    assert ended.history == ["CREATED", "RUNNING", "SUCCESS", "FAILED"]
    assert ended.execution.outputs is None
    assert ended.messages("ERROR")[0].startswith("Failed to render output values: Unable to find `nothing`")


async def test_a_scheduled_execution_starts_at_its_date(flows: Flows) -> None:
    flow = await flows.save(SLEEPER.format(extra="", duration="PT0.01S"))
    date = flows.runtime.clock() + timedelta(seconds=0.2)
    execution = await flows.start(flow, schedule_date=date)
    assert (await flows.load(execution)).history == ["CREATED"]
    ended = await flows.ended(execution)
    assert ended.execution.state.histories[1].date >= date


async def test_a_scheduled_execution_can_be_killed_before(flows: Flows) -> None:
    flow = await flows.save(SLEEPER.format(extra="", duration="PT0.01S"))
    execution = await flows.start(flow, schedule_date=flows.runtime.clock() + timedelta(hours=1))
    await flows.runtime.queue.executor.ask(KillExecution(execution))
    assert (await flows.ended(execution)).history == ["CREATED", "KILLING", "KILLED"]
    assert await flows.runtime.executions.next_timer() is None


async def test_a_defect_of_the_engine_costs_one_execution(
    flows: Flows, monkeypatch: pytest.MonkeyPatch
) -> None:
    from windhover.core.flow.sequential import Sequential

    def broken(self: object, resolved: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(Sequential, "body", broken)
    ended = await flows.run("""
        id: broken
        namespace: test
        tasks:
          - {id: before, type: io.kestra.plugin.core.debug.Return, format: x}
          - id: group
            type: io.kestra.plugin.core.flow.Sequential
            tasks: [{id: t, type: io.kestra.plugin.core.debug.Return, format: x}]
    """)
    # What the task had done and said before the defect is kept.
    assert (ended.state, ended.states()) == ("FAILED", {"before": "SUCCESS"})
    assert ended.run("before").outputs == {"value": "x"}
    assert ended.run_history("before") == ["CREATED", "SUBMITTED", "RUNNING", "SUCCESS"]
    assert [entry.sequence for entry in ended.logs] == list(range(1, len(ended.logs) + 1))
    assert "internal error" in ended.messages("ERROR")[0]
    assert (await flows.run(SLEEPER.format(extra="", duration="PT0.01S"))).state == "SUCCESS"


async def test_a_database_that_is_away_for_a_moment_loses_nothing(
    flows: Flows, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = flows.runtime.executions.commit
    failures = iter([True, True, False, True])

    async def flaky(batch: object) -> None:
        if next(failures, False):
            raise RepositoryUnavailable("gone for a moment")
        await commit(batch)  # type: ignore[arg-type]

    monkeypatch.setattr(flows.runtime.executions, "commit", flaky)
    assert (await flows.run(SLEEPER.format(extra="", duration="PT0.01S"))).state == "SUCCESS"


async def test_commands_on_what_is_not_there_are_refused(flows: Flows) -> None:
    for command in (KillExecution("nothing"), PauseExecution("nothing"), ForceRun("nothing")):
        with pytest.raises(CommandRefused, match="Execution 'nothing' not found"):
            await flows.runtime.queue.executor.ask(command)
