"""Scripts as real processes: their output, their end, and what they leave behind."""

from __future__ import annotations

import asyncio
import os
import resource
from pathlib import Path

import pytest

from windhover.core.runner.process_tree import marked_processes, process_marker
from windhover.engine.messages import Job
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.worker.inline import InlineWorker
from windhover_scripts.shell.commands import Commands
from windhover_scripts.shell.script import Script


def processes_of(worker: InlineWorker, job: Job) -> list[int]:
    identity = job.identity
    marks = process_marker(worker.environment.home_id, identity.task_run_id, identity.dispatch)
    return [process.pid for process in marked_processes(marks)]


async def test_lines_outputs_and_metrics(worker: InlineWorker) -> None:
    run = await worker.run(
        Commands,
        {
            "commands": [
                "echo hello {{ inputs.name }}",
                "echo trouble >&2",
                """echo '::{"outputs":{"rows":3,"ok":true}}::'""",
                """echo '::{ "outputs":{"r":0.5}}::' >&2""",
                """echo '::{"metrics":[{"name":"n","type":"counter","value":2,"tags":{"a":1}}]}::'""",
                """echo '::{"metrics":[{"name":"t","type":"timer","value":1.5}],"unknown":1}::'""",
                """echo '::{"logs":[{"level":"WARNING","message":"careful"}]}::'""",
                "printf 'no newline at the end'",
            ]
        },
        {"inputs": {"name": "Ada"}},
    )
    assert run.state is StateType.SUCCESS
    assert run.outputs == {"vars": {"rows": 3, "ok": True, "r": 0.5}, "exitCode": 0, "outputFiles": {}}
    assert run.at(LogLevel.INFO) == ["hello Ada", "no newline at the end"]
    assert run.at(LogLevel.ERROR) == ["trouble"]
    assert run.at(LogLevel.WARN) == ["careful"]
    metrics = {(metric.name, metric.type, metric.value) for metric in run.metrics}
    assert metrics == {("t", "timer", 1500.0), ("n", "counter", 2.0)}


async def test_outputs_on_a_line_that_is_too_long_fail_the_task_and_say_what_to_do(
    worker: InlineWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("windhover.core.runner.lines.MAX_LINE_BYTES", 1_000)
    monkeypatch.setattr("windhover.core.runner.lines.LineSplitter.__init__.__defaults__", (1_000,))
    monkeypatch.setattr("windhover_scripts.protocol.MAX_LINE_BYTES", 1_000)
    script = """printf '::{"outputs":{"rows":"%s"}}::' $(head -c 3000 /dev/zero | tr '\\0' x)"""
    run = await worker.run(Commands, {"commands": [script]})
    assert run.state is StateType.FAILED
    assert any("MiB on one line. Write large data to a file" in text for text in run.at(LogLevel.ERROR))
    assert not run.at(LogLevel.INFO)


@pytest.mark.parametrize(
    "line",
    [
        '::{"outputs": 3}::',
        '::{"outputs":{"a":}}::',
        '::{"metrics":[{"name":"n","type":"speed","value":1}]}::',
        '::{"metrics":[{"name":"n","type":"counter","value":"1"}]}::',
    ],
)
async def test_a_broken_message_is_a_line_with_a_warning(worker: InlineWorker, line: str) -> None:
    run = await worker.run(Commands, {"commands": [f"echo '{line}'"]})
    assert run.state is StateType.SUCCESS
    assert run.outputs["vars"] == {}
    [warning] = run.at(LogLevel.WARN)
    assert warning.startswith(f"Invalid outputs '{line}'")
    assert run.at(LogLevel.INFO) == [line]


@pytest.mark.parametrize("line", ["a ::{}::", "::{}", "{}::", "::[]::", ":: {} ::"])
async def test_what_is_no_message_is_a_line(worker: InlineWorker, line: str) -> None:
    run = await worker.run(Commands, {"commands": [f"echo '{line}'"]})
    assert (run.at(LogLevel.INFO), run.at(LogLevel.WARN)) == ([line], [])


async def test_a_failure_names_the_exit_code_and_keeps_what_was_made(worker: InlineWorker) -> None:
    run = await worker.run(
        Commands,
        {
            "commands": ["""echo '::{"outputs":{"a":1}}::'""", "echo x > made.txt", "exit 7"],
            "outputFiles": ["made.txt"],
        },
    )
    assert run.state is StateType.FAILED
    assert run.at(LogLevel.ERROR) == ["Command failed with exit code 7"]
    assert (run.outputs["exitCode"], run.outputs["vars"]) == (7, {"a": 1})
    assert list(run.outputs["outputFiles"]) == ["made.txt"]


async def test_a_script_killed_from_outside_says_so(worker: InlineWorker) -> None:
    run = await worker.run(Commands, {"commands": ["kill -9 $$"]})
    assert run.outputs["exitCode"] == 137
    assert run.at(LogLevel.ERROR)[0].startswith("Command failed with exit code 137 (killed by SIGKILL")


@pytest.mark.parametrize(
    ("fail_fast", "state", "lines"),
    [(True, StateType.FAILED, []), (False, StateType.SUCCESS, ["after"])],
)
async def test_fail_fast(worker: InlineWorker, fail_fast: bool, state: StateType, lines: list[str]) -> None:
    run = await worker.run(Commands, {"commands": ["false", "echo after"], "failFast": fail_fast})
    assert (run.state, run.at(LogLevel.INFO)) == (state, lines)


async def test_before_commands_share_the_shell_with_the_script(worker: InlineWorker) -> None:
    run = await worker.run(
        Script,
        {
            "beforeCommands": ["greeting=hi"],
            "script": 'for who in a b; do\n  echo "$greeting $who"\ndone',
            "interpreter": ["/bin/bash", "-c"],
        },
    )
    assert run.messages == ["hi a", "hi b"]


async def test_the_environment_is_the_tasks_and_the_servers_but_for_its_secrets(
    worker: InlineWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hidden")
    monkeypatch.setenv("KESTRA_CONFIGURATION", "hidden")
    monkeypatch.setenv("OF_THE_SERVER", "seen")
    run = await worker.run(
        Commands,
        {"commands": ["env"], "env": {"NUMBER": 5, "TEXT": "{{ inputs.t }}"}},
        {"inputs": {"t": "a b"}},
    )
    assert {"OF_THE_SERVER=seen", "NUMBER=5", "TEXT=a b"} <= set(run.messages)
    assert not [line for line in run.messages if "hidden" in line]


async def test_standard_input_is_closed(worker: InlineWorker) -> None:
    run = await worker.run(Commands, {"commands": ["read line || echo nothing to read"]})
    assert run.messages == ["nothing to read"]


async def test_an_interpreter_that_is_not_there(worker: InlineWorker) -> None:
    run = await worker.run(Commands, {"commands": ["true"], "interpreter": ["/nowhere/sh", "-c"]})
    assert run.state is StateType.FAILED
    assert run.at(LogLevel.ERROR)[0].startswith("Cannot start `/nowhere/sh`")


async def test_a_process_left_behind_does_not_hold_the_task(worker: InlineWorker) -> None:
    job = worker.job(Commands, {"commands": ["sleep 600 &", "echo done"]})
    run = await worker.submit(job).ended
    assert (run.state, run.messages) == (StateType.SUCCESS, ["done"])
    for pid in processes_of(worker, job):
        os.kill(pid, 9)


TREE = """
trap '' HUP
(trap '' TERM; exec sleep 601) &
setsid sleep 602 &
(setsid sh -c 'setsid sleep 603 & exec sleep 604' &)
echo ready
wait
"""


@pytest.mark.parametrize("how", ["kill", "timeout"])
async def test_a_stopped_task_leaves_no_process(worker: InlineWorker, how: str) -> None:
    """Children in the group, in sessions of their own, orphaned, and one that ignores SIGTERM."""
    limit = {"timeout": "PT1S"} if how == "timeout" else {}
    job = worker.job(Script, {"script": TREE}, **limit)
    pending = worker.submit(job)
    await pending.logged("ready")
    assert len(processes_of(worker, job)) >= 4
    if how == "kill":
        worker.worker.kill(job.identity.task_run_id, job.identity.dispatch)
    run = await pending.ended
    assert run.state is (StateType.KILLED if how == "kill" else StateType.FAILED)
    assert processes_of(worker, job) == []
    assert any(line.startswith("Ending command with pid") for line in run.at(LogLevel.WARN))


async def test_a_script_may_clean_up_when_it_is_killed(worker: InlineWorker, tmp_path: Path) -> None:
    proof = tmp_path / "cleaned"
    job = worker.job(
        Script,
        {"script": f"trap 'touch {proof}; exit' TERM\necho ready\nsleep 600 & wait", "failFast": False},
    )
    pending = worker.submit(job)
    await pending.logged("ready")
    worker.worker.kill(job.identity.task_run_id, job.identity.dispatch)
    assert (await pending.ended).state is StateType.KILLED
    assert proof.exists()


async def test_lines_arrive_while_the_script_runs(worker: InlineWorker) -> None:
    job = worker.job(Commands, {"commands": ["echo first", "sleep 600"]})
    pending = worker.submit(job)
    await pending.logged("first")
    worker.worker.kill(job.identity.task_run_id, job.identity.dispatch)
    await pending.ended


@pytest.mark.slow
async def test_a_million_lines_cost_neither_memory_nor_much_time(worker: InlineWorker) -> None:
    await worker.run(Commands, {"commands": ["seq 1000"]})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run = await asyncio.wait_for(worker.run(Commands, {"commands": ["seq 1000000"]}), 30)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert run.state is StateType.SUCCESS
    assert len(run.logs) <= worker.environment.settings.logs.max_lines + 10
    dropped = sum(int(line.split()[0]) for line in run.at(LogLevel.WARN))
    told_by_the_runner = 2
    assert dropped + len(run.logs) - len(run.at(LogLevel.WARN)) == 1_000_000 + told_by_the_runner
    assert grown < 150 * 1024  # KiB; most of it the lines that the test keeps


async def test_a_line_without_an_end_is_cut(worker: InlineWorker) -> None:
    run = await worker.run(Commands, {"commands": ["head -c 40000000 /dev/zero | tr '\\0' x"]})
    [line] = run.messages
    assert line.startswith("xxx")
    assert "(cut: 32768 of 16777216 characters)" in line


async def test_the_docker_runner_is_accepted_and_the_commands_run_as_a_process(worker: InlineWorker) -> None:
    run = await worker.run(
        Commands,
        {
            "commands": ["echo here"],
            "containerImage": "ubuntu",
            "taskRunner": {
                "type": "io.kestra.plugin.scripts.runner.docker.Docker",
                "pullPolicy": "NEVER",
                "cpu": {"cpus": 1},
            },
        },
    )
    assert run.messages == ["here"]
    assert "The commands run as a process on the worker, without a container" in run.at(LogLevel.DEBUG)


async def test_an_unknown_task_runner_is_refused(worker: InlineWorker) -> None:
    run = await worker.run(
        Commands, {"commands": ["true"], "taskRunner": {"type": "io.kestra.plugin.core.runner.Proces"}}
    )
    assert run.state is StateType.FAILED
    assert "did you mean io.kestra.plugin.core.runner.Process?" in run.at(LogLevel.ERROR)[0]


def test_scripts_run_on_the_servers_own_event_loop(tmp_path: Path) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def run() -> None:
        async with InlineWorker(tmp_path) as worker:
            ended = await worker.run(Commands, {"commands": ["echo out", "echo err >&2", "exit 2"]})
            assert sorted(ended.messages) == ["Command failed with exit code 2", "err", "out"]
            job = worker.job(Commands, {"commands": ["echo ready", "sleep 600"]})
            pending = worker.submit(job)
            await pending.logged("ready")
            worker.worker.kill(job.identity.task_run_id, job.identity.dispatch)
            assert (await pending.ended).state is StateType.KILLED
            assert processes_of(worker, job) == []

    uvloop.run(run())
