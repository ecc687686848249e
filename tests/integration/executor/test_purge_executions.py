"""The tasks that delete executions and logs, on a whole runtime."""

from __future__ import annotations

from tests.integration.executor.flows import Flows

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


async def test_a_purge_of_logs_leaves_other_levels_and_flows(flows: Flows) -> None:
    said = await flows.run(HELLO)
    source = PURGE.replace("execution.PurgeExecutions", "log.PurgeLogs")
    other = await flows.run(source + "    logLevels: [ERROR]\n")
    assert (other.run("purge").outputs or {})["count"] == 0
    purged = await flows.run(source)
    assert (purged.run("purge").outputs or {})["count"] == len(said.logs) > 0
    assert not (await flows.ended(said.execution.id)).logs
    assert (await flows.ended(said.execution.id)).state == "SUCCESS"
