"""WorkingDirectory with the real executor and worker, on both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.integration.executor.flows import TIME_LIMIT, Ended, Flows

from windhover.engine.messages import KillExecution
from windhover.model.state import StateType

HEAD = """
    id: together
    namespace: test
    tasks:
      - id: wd
        type: io.kestra.plugin.core.flow.WorkingDirectory
"""


def shell(task_id: str, command: str, extra: str = "") -> str:
    return f"""
          - id: {task_id}
            type: io.kestra.plugin.scripts.shell.Commands
            commands: ["{command}"]
            {extra}"""


def directories(flows: Flows) -> list[Path]:
    temporary = flows.runtime.settings.temporary
    return list(temporary.iterdir()) if temporary.exists() else []


async def cleared(flows: Flows) -> None:
    """Wait until no working directory is left: they go once the end of their execution is on the disk."""
    async with asyncio.timeout(TIME_LIMIT):
        while directories(flows):  # noqa: ASYNC110 - a folder tells nobody that it is gone
            await asyncio.sleep(0.01)


async def test_what_one_task_leaves_the_next_one_finds(flows: Flows) -> None:
    source = (
        HEAD
        + """
        inputFiles: {a/name.txt: Ada}
        outputFiles: ["**.out"]
        tasks:"""
        + shell("write", "tr a-z A-Z < a/name.txt > b.out")
        + shell("read", "cat b.out")
    )
    ended = await flows.run(source)
    assert ended.state == "SUCCESS"
    assert "ADA" in ended.messages("INFO")
    (uri,) = (ended.run("wd").outputs or {})["outputFiles"].values()
    assert await flows.runtime.storage.for_tenant("main").read(uri) == b"ADA\n"[:3]
    assert ended.run_history("read") == ["CREATED", "RUNNING", "SUCCESS"]
    await cleared(flows)


async def test_files_of_a_failed_sequence_are_collected_all_the_same(flows: Flows) -> None:
    source = (
        HEAD
        + """
        outputFiles: [b.out]
        tasks:"""
        + shell("write", "echo 1 > b.out; exit 3")
        + shell("never", "echo 2")
    )
    ended = await flows.run(source)
    assert ended.states() == {"wd": "FAILED", "write": "FAILED"}
    assert list((ended.run("wd").outputs or {})["outputFiles"]) == ["b.out"]


@pytest.mark.parametrize("bad", ["inputFiles: {../x: y}", "outputFiles: [../x]"])
async def test_no_file_leads_out_of_the_directory(flows: Flows, bad: str) -> None:
    ended = await flows.run(HEAD + f"        {bad}\n        tasks:" + shell("only", "echo 1"))
    assert ended.run("wd").state.current is StateType.FAILED
    assert "working directory" in ended.messages("ERROR")[0]
    await cleared(flows)


CACHED = (
    HEAD
    + """
        cache: {patterns: ["env/**"], ttl: TTL}
        tasks:"""
    + shell("seen", "cat env/n 2>/dev/null || echo nothing")
    + shell("make", "COMMAND")
)


def said(ended: Ended) -> list[str]:
    return [entry.message for entry in ended.logs if entry.task_id == "seen" and entry.level.name == "INFO"]


async def test_files_are_kept_from_one_execution_to_the_next(flows: Flows) -> None:
    flow = await flows.save(
        CACHED.replace("TTL", "PT1H").replace(
            "COMMAND", "mkdir -p env; ln -sf /bin/sh env/sh; echo x >> env/n"
        )
    )
    first, second, third = [await flows.ended(await flows.start(flow)) for _ in range(3)]
    assert [said(first), said(second), said(third)] == [["nothing"], ["x"], ["x", "x"]]


async def test_files_that_are_too_old_are_not_restored(flows: Flows) -> None:
    flow = await flows.save(
        CACHED.replace("TTL", "PT0.000001S").replace("COMMAND", "mkdir env; echo x > env/n")
    )
    first, second = [await flows.ended(await flows.start(flow)) for _ in range(2)]
    assert [said(first), said(second)] == [["nothing"], ["nothing"]]


async def test_what_a_failed_task_leaves_is_not_kept(flows: Flows) -> None:
    flow = await flows.save(
        CACHED.replace("TTL", "PT1H").replace("COMMAND", "mkdir env; echo x > env/n; exit 1")
    )
    first, second = [await flows.ended(await flows.start(flow)) for _ in range(2)]
    assert [said(first), said(second)] == [["nothing"], ["nothing"]]


async def test_a_kill_really_ends_the_task_and_removes_the_directory(flows: Flows) -> None:
    source = HEAD + "        tasks:" + shell("long", "echo begun > x; sleep 600") + shell("never", "echo 2")
    execution_id = await flows.start(await flows.save(source))
    await flows.until(
        execution_id, lambda e: e.states().get("long") == "RUNNING" and bool(directories(flows))
    )
    await flows.runtime.queue.executor.ask(KillExecution(execution_id))
    ended = await flows.ended(execution_id)
    assert ended.states() == {"wd": "KILLED", "long": "KILLED"}
    await cleared(flows)


async def test_a_timeout_of_a_task_ends_the_sequence(flows: Flows) -> None:
    ended = await flows.run(HEAD + "        tasks:" + shell("long", "sleep 600", "timeout: PT0.2S"))
    assert ended.states() == {"wd": "FAILED", "long": "FAILED"}
    await cleared(flows)


async def test_a_task_that_has_children_is_refused(flows: Flows) -> None:
    from windhover.model.problem import FlowInvalid

    source = (
        HEAD
        + """
        tasks:
          - {id: p, type: io.kestra.plugin.core.flow.Pause}
"""
    )
    with pytest.raises(FlowInvalid, match="Only runnable tasks are allowed"):
        await flows.save(source)


async def test_a_worker_that_goes_in_the_middle_lets_all_begin_again(flows: Flows) -> None:
    source = HEAD + "        tasks:" + shell("first", "test ! -e x && touch x") + shell("second", "sleep 0.5")
    execution_id = await flows.start(await flows.save(source))
    await flows.until(execution_id, lambda e: e.states().get("second") == "RUNNING")
    await flows.lose_server()
    ended = await flows.ended(execution_id)
    assert ended.states() == {"wd": "SUCCESS", "first": "SUCCESS", "second": "SUCCESS"}
    attempts = [attempt.state.current.value for attempt in ended.run("wd").attempts or ()]
    assert attempts == ["RESUBMITTED", "SUCCESS"]
