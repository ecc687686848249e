"""The tasks that delete executions and logs, on a whole runtime."""

from __future__ import annotations

from tests.integration.executor.flows import Flows

from windhover.executor.children import link
from windhover.model.state import StateType
from windhover.repository.flows import FlowRepository

HELLO = """
    id: hello
    namespace: company.team
    tasks:
      - {id: say, type: io.kestra.plugin.core.log.Log, message: hello}
    """
PAUSED = """
    id: paused
    namespace: company.team
    tasks:
      - {id: wait, type: io.kestra.plugin.core.flow.Pause}
    """
PURGE = """
    id: purge
    namespace: company
    tasks:
      - id: purge
        type: io.kestra.plugin.core.execution.PurgeExecutions
        namespace: company.team
        endDate: "2100-01-01T00:00:00Z"
    """


async def test_a_purge_deletes_what_has_ended_with_its_logs(flows: Flows) -> None:
    ended = [await flows.run(HELLO) for _ in range(3)]
    waiting = await flows.start(await flows.save(PAUSED))
    purged = await flows.run(PURGE)
    outputs = purged.run("purge").outputs or {}
    assert outputs["executionsCount"] == 3
    assert outputs["logsCount"] == sum(len(one.logs) for one in ended)
    for one in ended:
        assert await flows.runtime.executions.load(one.execution.id) is None
    assert await flows.runtime.executions.load(waiting) is not None


async def test_a_purge_of_states_that_are_no_end_deletes_nothing(flows: Flows) -> None:
    ended = await flows.run(HELLO)
    waiting = await flows.start(await flows.save(PAUSED))
    await flows.reaches(waiting, StateType.PAUSED)
    for states in ("[RUNNING, PAUSED]", "[]"):
        purged = await flows.run(PURGE + f"    states: {states}\n")
        assert set((purged.run("purge").outputs or {}).values()) == {0}
    for one in (ended.execution.id, waiting):
        assert await flows.runtime.executions.load(one) is not None


async def test_a_purge_of_logs_leaves_other_levels_and_flows(flows: Flows) -> None:
    said = await flows.run(HELLO)
    source = PURGE.replace("execution.PurgeExecutions", "log.PurgeLogs")
    other = await flows.run(source + "    logLevels: [ERROR]\n")
    assert (other.run("purge").outputs or {})["count"] == 0
    purged = await flows.run(source)
    assert (purged.run("purge").outputs or {})["count"] == len(said.logs) > 0
    assert not (await flows.ended(said.execution.id)).logs
    assert (await flows.ended(said.execution.id)).state == "SUCCESS"


COUNT = """
    id: count
    namespace: company
    tasks:
      - id: count
        type: io.kestra.plugin.core.execution.Count
        namespaces: [company, company.team, company.nothing]
        flows:
          - {namespace: company.team, flowId: hello}
          - {namespace: company.team, flowId: report}
          - {namespace: company.team, flowId: gone}
        states: [SUCCESS]
        startDate: "2000-01-01T00:00:00Z"
        expression: "{{ count != 2 }}"
    """
PURGE_FLOWS = """
    id: purge_flows
    namespace: company
    tasks:
      - id: purge
        type: io.kestra.plugin.core.flow.PurgeFlows
        namespaces: [company]
        behavior: {type: version, keepAmount: 2}
    """
REPORT = """
    id: report
    namespace: company.team
    tasks:
      - id: publish
        type: io.kestra.plugin.core.metric.Publish
        metrics: [{type: counter, name: rows, value: 3}]
    """
PURGE_METRICS = """
    id: purge_metrics
    namespace: company
    tasks:
      - id: purge
        type: io.kestra.plugin.core.metric.PurgeMetrics
        namespace: company
        endDate: "2100-01-01T00:00:00Z"
    """
KILL = """
    id: stop_another
    namespace: company
    inputs: [{id: target, type: STRING}]
    tasks:
      - {id: kill, type: io.kestra.plugin.core.execution.Kill, executionId: "{{ inputs.target }}"}
    """


async def test_executions_are_counted_by_flow(flows: Flows) -> None:
    for _ in range(2):
        await flows.run(HELLO)
    await flows.run(REPORT)
    outputs = (await flows.run(COUNT)).run("count").outputs or {}
    counts = {each.get("flowId", each["namespace"]): each["count"] for each in outputs["results"]}
    # The flow that counts has not succeeded yet: its namespace has none.
    assert counts == {"report": 1, "gone": 0, "company.team": 3}
    assert outputs["total"] == 4


async def test_a_purge_of_flows_keeps_the_latest_revisions(flows: Flows) -> None:
    for number in range(4):
        await flows.save(HELLO.replace("hello}", f"hello {number}}}"))
    purged = await flows.run(PURGE_FLOWS)
    assert (purged.run("purge").outputs or {})["size"] == 2
    left = await FlowRepository(flows.runtime.database).revisions("main", "company.team", "hello")
    assert [record.revision for record in left] == [3, 4]


async def test_a_purge_of_metrics_deletes_them(flows: Flows) -> None:
    await flows.run(REPORT)
    purged = await flows.run(PURGE_METRICS)
    assert (purged.run("purge").outputs or {})["count"] == 1
    assert ((await flows.run(PURGE_METRICS)).run("purge").outputs or {})["count"] == 0


async def test_a_task_kills_another_execution(flows: Flows) -> None:
    waiting = await flows.start(await flows.save(PAUSED))
    killing = await flows.run(KILL, inputs={"target": waiting})
    killed = await flows.ended(waiting)
    assert killed.state == "KILLED"
    assert killed.messages()[-1] == f"Execution killed by the task 'kill' of {link(killing.execution)}."
    unknown = await flows.run(KILL, inputs={"target": "nobody"})
    assert unknown.state == "FAILED"


async def test_a_task_resumes_another_execution_and_is_no_person(flows: Flows) -> None:
    waiting = await flows.start(await flows.save(PAUSED))
    await flows.reaches(waiting, StateType.PAUSED)
    resuming = await flows.run(KILL.replace("execution.Kill", "execution.Resume"), inputs={"target": waiting})
    resumed = await flows.ended(waiting)
    assert resumed.state == "SUCCESS"
    assert resumed.messages()[-1] == f"Execution resumed by the task 'kill' of {link(resuming.execution)}."
    assert "by" not in (resumed.run("wait").outputs or {})["resumed"]
