"""Files of executions that are gone, as long as others need them: replays, retries, subflows."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from tests.integration.executor.flows import Ended, Flows

from windhover.engine.messages import ChangeTaskRunState, DeleteExecution, ReplayExecution, RestartExecution
from windhover.engine.spill import stored_value
from windhover.model.execution import TaskRun
from windhover.model.state import StateType
from windhover.plugin.context import ExecutionPurge, Purged
from windhover.repository.flows import FlowRepository
from windhover.repository.metrics import MetricRepository
from windhover.server.execution_access import ExecutorAccess
from windhover.storage import StorageError, execution_prefix

#: An output beyond what a row holds, a file, an output that names a file, and a task that reads all three.
FLOW = """
    id: report
    namespace: company.team
    inputs:
      - {id: fail, type: BOOL, defaults: false}
      - {id: given, type: FILE, required: false}
    tasks:
      - id: rows
        type: io.kestra.plugin.core.debug.Return
        format: "{{ range(1, 20000) }}"
      - id: file
        type: io.kestra.plugin.core.storage.Write
        content: written once
      - id: names
        type: io.kestra.plugin.core.debug.Return
        format: "see {{ outputs.file.uri }}"
      - id: reads
        type: io.kestra.plugin.core.debug.Return
        format: "{{ outputs.rows.value | length }} {{ read(outputs.names.value | slice(4)) }}"
      - id: fails
        type: io.kestra.plugin.core.execution.Fail
        condition: "{{ inputs.fail }}"
"""
WRITTEN = "108895 written once"


async def replay(flows: Flows, ended: Ended, task_id: str | None = "reads") -> Ended:
    """Replay an execution from one of its tasks."""
    task_run_id = None if task_id is None else ended.run(task_id).id
    command = ReplayExecution(ended.execution.id, task_run_id)
    accepted = await flows.runtime.queue.executor.ask(command)
    return await flows.ended(accepted.id)


async def purge(flows: Flows, ended: Ended, *, whole: bool = True) -> Purged:
    """Purge an execution as the task does, or its files alone."""
    runtime = flows.runtime
    access = ExecutorAccess(
        runtime.executions,
        FlowRepository(runtime.database),
        runtime.logs,
        MetricRepository(runtime.database),
        runtime.released_files,
        runtime.definitions,
        runtime.queue.executor,
        runtime.environment,
        "main",
    )
    until = runtime.clock() + timedelta(days=1)
    return await access.purge(ExecutionPurge(until, execution_id=ended.execution.id, executions=whole))


async def delete(flows: Flows, ended: Ended) -> int:
    """Delete an execution as the API does; how many files went."""
    await flows.runtime.queue.executor.ask(DeleteExecution(ended.execution.id))
    return await flows.runtime.released_files.remove([ended.execution.id])


def value(run: TaskRun) -> str:
    found = (run.outputs or {})["value"]
    assert isinstance(found, str)
    return found


def folders(flows: Flows) -> set[str]:
    """The executions that have files in the storage."""
    root: Path = flows.runtime.settings.storage_path / "main"
    return {found.name for found in root.glob("company/**/executions/*")}


async def test_a_replay_reads_what_its_execution_had_after_that_is_deleted(flows: Flows) -> None:
    first = await flows.run(FLOW)
    assert stored_value((first.run("rows").outputs or {})["value"]) is not None
    second = await replay(flows, first)
    assert await delete(flows, first) == 0
    assert await flows.runtime.executions.load(first.execution.id) is None

    third = await replay(flows, second)
    assert value(third.run("reads")) == WRITTEN
    # Nothing of it is the second's, but the first's files are as much the third's.
    assert await delete(flows, second) == 0
    fourth = await replay(flows, third)
    assert value(fourth.run("reads")) == WRITTEN

    assert await delete(flows, third) == 0
    assert await delete(flows, fourth) == 2
    assert not folders(flows)


async def test_a_replay_from_the_start_borrows_only_what_its_inputs_name(flows: Flows) -> None:
    first = await flows.run(FLOW)
    again = await replay(flows, first, None)
    assert await delete(flows, first) == 2
    assert folders(flows) == {again.execution.id}
    assert await delete(flows, again) == 2


async def test_a_restarted_replay_reads_files_of_an_execution_that_is_deleted(flows: Flows) -> None:
    first = await flows.run(FLOW, {"fail": True})
    second = await replay(flows, first, "reads")
    assert second.state == "FAILED"
    await delete(flows, first)
    await flows.runtime.queue.executor.ask(RestartExecution(second.execution.id))
    again = await flows.until(second.execution.id, lambda e: len(e.history) > 5 and e.state == "FAILED")
    assert value(again.run("reads")) == WRITTEN
    await delete(flows, again)
    assert not folders(flows)


async def test_a_purge_keeps_what_a_replay_needs_until_that_is_purged(flows: Flows) -> None:
    first = await flows.run(FLOW)
    second = await replay(flows, first)
    purged = await purge(flows, first)
    assert (purged.executions, purged.files) == (1, 0)
    third = await replay(flows, second)
    assert value(third.run("reads")) == WRITTEN
    assert (await purge(flows, second)).files == 0
    assert (await purge(flows, third)).files == 2
    assert not folders(flows)


async def test_a_purge_of_files_alone_spares_those_of_others_and_of_restarts(flows: Flows) -> None:
    first = await flows.run(FLOW, {"fail": True})
    second = await replay(flows, first)
    for ended in (first, second):
        await purge(flows, ended, whole=False)
    assert not folders(flows), "nobody needs them: both were purged"

    third = await flows.run(FLOW, {"fail": True})
    fourth = await replay(flows, third)
    await purge(flows, third, whole=False)
    assert folders(flows) == {third.execution.id}
    # It goes on, so what the purge has said of it is of no account any more.
    await flows.runtime.queue.executor.ask(RestartExecution(third.execution.id))
    await flows.until(third.execution.id, lambda e: len(e.history) > 4 and e.state == "FAILED")
    await delete(flows, fourth)
    assert folders(flows) == {third.execution.id}
    await delete(flows, third)
    assert not folders(flows)


RETRIED = """
    id: retried
    namespace: company.team
    inputs:
      - {id: given, type: FILE}
    retry: {type: constant, interval: PT0.05S, maxAttempts: 2, behavior: CREATE_NEW_EXECUTION}
    tasks:
      - id: reads
        type: io.kestra.plugin.core.debug.Return
        format: "{{ read(inputs.given) }}"
      - {id: fails, type: io.kestra.plugin.core.execution.Fail}
"""


async def test_a_retry_as_a_new_execution_keeps_the_files_of_its_inputs(flows: Flows) -> None:
    flow = await flows.save(RETRIED)
    files = flows.runtime.storage.for_tenant("main")
    source = await flows.run(FLOW)
    uri = (source.run("file").outputs or {})["uri"]
    first = await flows.ended(await flows.start(flow, {"given": uri}))
    own = await files.put(
        execution_prefix("company.team", "retried", first.execution.id) + "/inputs/given/own", b"own"
    )
    second = await flows.successor(first)
    assert value(second.run("reads")) == "written once"
    # Whoever was given a file keeps it, whatever becomes of the one that has made it.
    await delete(flows, source)
    await delete(flows, first)
    assert folders(flows) == {source.execution.id}, own.uri
    third = await replay(flows, second)
    assert value(third.run("reads")) == "written once"
    await delete(flows, second)
    await delete(flows, third)
    assert not folders(flows)


@pytest.mark.parametrize("kept", ["the tombstone", "the folder"])
async def test_files_of_a_deleted_execution_are_swept_after_a_crash(flows: Flows, kept: str) -> None:
    ended = await flows.run(FLOW)
    # The server dies after the commit that deletes the execution, or before the note of it is gone.
    await flows.runtime.queue.executor.ask(DeleteExecution(ended.execution.id))
    assert folders(flows)
    if kept == "the tombstone":
        files = flows.runtime.storage.for_tenant("main")
        await files.delete_prefix(execution_prefix("company.team", "report", ended.execution.id))
    assert await flows.runtime.released_files.sweep() == (0 if kept == "the tombstone" else 2)
    assert not folders(flows)
    assert await flows.runtime.released_files.sweep() == 0


async def test_deletions_one_by_one_are_done_together(flows: Flows) -> None:
    ended = [await flows.run(FLOW) for _ in range(5)]
    for each in ended:
        await flows.runtime.queue.executor.ask(DeleteExecution(each.execution.id))
    released = flows.runtime.released_files
    await asyncio.gather(*(released.remove_together([each.execution.id]) for each in ended))
    assert not folders(flows)


async def test_a_folder_that_cannot_be_deleted_waits_for_the_sweep(
    flows: Flows, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = await flows.run(FLOW)

    async def refuse(*arguments: object) -> int:
        raise StorageError("kestra:///company: the disk is read-only")

    with monkeypatch.context() as broken:
        broken.setattr("windhover.storage.TenantStorage.delete_prefix", refuse)
        assert await delete(flows, ended) == 0
    assert folders(flows)
    assert await flows.runtime.released_files.sweep() == 2
    assert not folders(flows)


CLEANS = (
    FLOW.replace("id: report", "id: cleans").split("      - id: fails")[0]
    + """
      - {id: clean, type: io.kestra.plugin.core.storage.PurgeCurrentExecutionFiles}
      - id: counts
        type: io.kestra.plugin.core.debug.Return
        format: "{{ outputs.rows.value | length }}"
      - id: fails
        type: io.kestra.plugin.core.execution.Fail
        condition: "{{ inputs.fail }}"
"""
)


async def test_an_execution_that_deletes_its_files_keeps_its_large_outputs(flows: Flows) -> None:
    ended = await flows.run(CLEANS)
    assert ended.state == "SUCCESS"
    assert (ended.run("clean").outputs or {})["uris"] == [(ended.run("file").outputs or {})["uri"]]
    assert value(ended.run("counts")) == "108895"


async def test_an_execution_deletes_no_files_that_its_replay_needs(flows: Flows) -> None:
    # It fails before it cleans, and does so after it was replayed.
    flow = CLEANS.replace(
        "      - {id: clean,",
        "      - {id: breaks, type: io.kestra.plugin.core.execution.Fail}\n      - {id: clean,",
    )
    first = await flows.run(flow)
    assert first.state == "FAILED"
    second = await replay(flows, first)
    mended = await flows.save(CLEANS)
    assert mended.revision == 2
    run = first.run("breaks")
    await flows.runtime.queue.executor.ask(ChangeTaskRunState(first.execution.id, run.id, StateType.SUCCESS))
    again = await flows.until(first.execution.id, lambda e: e.state == "SUCCESS")
    assert (again.run("clean").outputs or {})["uris"] == []
    third = await replay(flows, second)
    assert value(third.run("reads")) == WRITTEN


async def test_files_are_kept_for_good_where_a_deletion_says_so(flows: Flows) -> None:
    first = await flows.run(FLOW)
    second = await replay(flows, first)
    await flows.runtime.queue.executor.ask(DeleteExecution(second.execution.id, files=False))
    assert await delete(flows, first) == 2
    assert await flows.runtime.released_files.sweep() == 0
