"""What an author gets wrong: the execution ends in the right state, and its log says what to mend."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.integration.executor.flows import Flows

from windhover.model.state import StateType
from windhover.repository.database import Database
from windhover.repository.execution_query import ExecutionQuery
from windhover.server.runtime import Runtime, RuntimeSettings

NOPE = "{{ nope.x }}"
UNDEFINED = "Unable to find `nope` used in the expression `{{ nope.x }}` at line 1"
LOG = "{id: log, type: io.kestra.plugin.core.log.Log, message: hi}"


def flow(type_name: str, properties: str) -> str:
    return f"""
        id: bad
        namespace: company.team
        tasks:
          - {{id: task, type: io.kestra.plugin.core.{type_name}, {properties}}}
    """


@pytest.mark.parametrize(
    ("type_name", "properties", "message"),
    [
        ("flow.If", f"condition: '{NOPE}', then: [{LOG}]", UNDEFINED),
        ("flow.Switch", f"value: '{NOPE}', cases: {{a: [{LOG}]}}", UNDEFINED),
        ("log.Log", f"message: hi, runIf: '{NOPE}'", UNDEFINED),
        ("log.Log", f"message: hi, timeout: '{NOPE}'", UNDEFINED),
        ("execution.Labels", f"labels: {{team: '{NOPE}'}}", UNDEFINED),
        ("execution.SetVariables", f"variables: {{v: '{NOPE}'}}", UNDEFINED),
        ("flow.LoopUntil", f"condition: '{NOPE}', tasks: [{LOG}]", UNDEFINED),
        ("flow.Pause", f"pauseDuration: '{NOPE}'", UNDEFINED),
        ("flow.Subflow", f"namespace: company.team, flowId: '{NOPE}'", UNDEFINED),
        ("flow.WorkingDirectory", f"inputFiles: '{NOPE}', tasks: [{LOG}]", UNDEFINED),
        ("flow.ForEach", f"values: '{NOPE}', tasks: [{LOG}]", UNDEFINED),
        ("flow.ForEach", f"values: '{{{{ null }}}}', tasks: [{LOG}]", "`values` is null or empty text"),
        ("flow.ForEach", f"values: '[1, null]', tasks: [{LOG}]", "Found '1' null values on Each"),
        ("flow.ForEach", f"values: abc, tasks: [{LOG}]", "`values` is no JSON list"),
        ("flow.ForEach", f"values: '{{{{ 5 }}}}', tasks: [{LOG}]", "`values` must be a JSON list"),
        ("flow.EachParallel", f"value: '{{{{ null }}}}', tasks: [{LOG}]", "`value` is null or empty text"),
        ("flow.EachSequential", f"value: abc, tasks: [{LOG}]", "`value` is no JSON list"),
        ("flow.Loop", f"values: '{{{{ null }}}}', tasks: [{LOG}]", "`values` is null or empty text"),
        ("flow.Loop", f"values: [1, null], tasks: [{LOG}]", "Leave them out, or give them a value"),
        ("flow.ForEachItem", "items: '{{ null }}', namespace: a, flowId: b", "not null or empty text"),
        ("flow.Subflow", "namespace: company.team, flowId: missing", "Save the flow first, or correct"),
        ("flow.Subflow", "namespace: company.team, flowId: missing, revision: 3", "correct `revision`"),
        ("flow.ForEachItem", "items: abc, namespace: company.team, flowId: missing", "abc"),
        (
            "flow.ForEachItem",
            "items: 'kestra:///nowhere.txt', namespace: company.team, flowId: missing",
            "names neither a file of an execution",
        ),
    ],
)
async def test_what_cannot_be_done_fails_and_names_the_cause(
    flows: Flows, type_name: str, properties: str, message: str
) -> None:
    ended = await flows.run(flow(type_name, properties))
    assert ended.state == "FAILED"
    assert message in "\n".join(ended.messages("ERROR"))


async def test_an_empty_list_is_a_success_and_a_huge_one_is_run(flows: Flows) -> None:
    empty = await flows.run(flow("flow.ForEach", f"values: '[]', tasks: [{LOG}]"))
    assert (empty.state, len(empty.task_runs)) == ("SUCCESS", 1)
    huge = flow("flow.ForEach", f"values: '{{{{ range(1, 2000) }}}}', concurrencyLimit: 0, tasks: [{LOG}]")
    ended = await flows.run(huge)
    assert (ended.state, len(ended.task_runs)) == ("SUCCESS", 2001)


async def test_a_disabled_subflow_is_refused(flows: Flows) -> None:
    await flows.save("""
        id: idle
        namespace: company.team
        disabled: true
        tasks:
          - {id: log, type: io.kestra.plugin.core.log.Log, message: hi}
    """)
    ended = await flows.run(flow("flow.Subflow", "namespace: company.team, flowId: idle"))
    assert ended.state == "FAILED"
    (message,) = ended.messages("ERROR")
    assert message.startswith("Cannot execute a flow which is disabled: 'company.team'.'idle'. Enable it")


ITSELF = "namespace: '{{ flow.namespace }}', flowId: '{{ flow.id }}'"


async def test_a_flow_that_waits_for_itself_fails_at_a_depth(flows: Flows) -> None:
    ended = await flows.run(flow("flow.Subflow", ITSELF))
    assert ended.state == "FAILED"
    assert ended.execution.nesting == 0
    (line,) = ended.messages("ERROR")
    assert "ends in FAILED state" in line


async def test_a_flow_that_starts_itself_without_waiting_keeps_nobody_from_anything(flows: Flows) -> None:
    ended = await flows.run(flow("flow.Subflow", f"{ITSELF}, wait: false"))
    assert ended.state == "SUCCESS"
    other = await flows.run(flow("log.Log", "message: hi").replace("id: bad", "id: other"))
    assert other.state == "SUCCESS"
    # The latest revision is what is started: the chain ends.
    await flows.save(flow("log.Log", "message: no more"))


async def test_flows_that_start_each_other_without_waiting_are_stopped(
    database: Database, tmp_path: Path
) -> None:
    settings = RuntimeSettings(
        home=tmp_path,
        storage_path=tmp_path / "storage",
        temporary=tmp_path / "work",
        environ={},
        longest_chain=12,
    )
    flows = Flows(Runtime(database, settings))
    await flows.runtime.start()
    try:
        source = flow("flow.Subflow", "namespace: company.team, flowId: ping, wait: false")
        await flows.save(source.replace("id: bad", "id: pong"))
        started = await flows.run(source.replace("ping", "pong").replace("id: bad", "id: ping"))
        for _ in range(12):
            query = ExecutionQuery("main", trigger_execution_id=started.execution.id)
            (next_one,) = [child.id async for child in flows.runtime.executions.stream(query)]
            started = await flows.ended(next_one)
        assert started.state == "FAILED"
        (message,) = started.messages("ERROR")
        assert "12 executions have started one another in quick succession" in message
    finally:
        await flows.runtime.stop(timedelta())
        await flows.runtime.close()


async def test_flows_that_start_each_other_twice_are_stopped(database: Database, tmp_path: Path) -> None:
    """Long before the longest chain: it would take more executions than any machine has room for."""
    settings = RuntimeSettings(
        home=tmp_path,
        storage_path=tmp_path / "storage",
        temporary=tmp_path / "work",
        environ={},
        most_recursive=20,
    )
    twice = """
        id: ping
        namespace: company.team
        tasks:
          - id: both
            type: io.kestra.plugin.core.flow.ForEach
            values: [1, 2]
            concurrencyLimit: 0
            tasks:
              - {id: sub, type: io.kestra.plugin.core.flow.Subflow, namespace: company.team, flowId: pong}
    """
    flows = Flows(Runtime(database, settings))
    await flows.runtime.start()
    try:
        await flows.save(twice.replace("ping", "x").replace("pong", "ping").replace("x", "pong"))
        started = await flows.run(twice)
        assert started.state == "FAILED"
        query = ExecutionQuery("main")
        records = [record async for record in flows.runtime.executions.stream(query)]
        assert {record.state.current for record in records} == {StateType.FAILED}
        # Itself, two that are not of its flow, and as many as may be.
        assert len(records) == 1 + 2 + 20
    finally:
        await flows.runtime.stop(timedelta())
        await flows.runtime.close()


async def test_a_failed_output_wins_over_a_success(flows: Flows) -> None:
    ended = await flows.run(
        flow("log.Log", "message: hi")
        + f"    outputs:\n          - {{id: o, type: STRING, value: '{NOPE}'}}\n"
    )
    assert ended.state == StateType.FAILED.value
    assert f"Failed to render output values: {UNDEFINED}" in ended.messages("ERROR")
