"""``windhover run``: one flow, in this process, on a database in memory."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import Path, PurePath

import msgspec

from windhover.cli.progress import Reporter, make_reporter
from windhover.engine.checks import begun, consequence, failed_checks
from windhover.engine.creation import FlowInputRenderer, new_execution
from windhover.engine.inputs import resolve_inputs
from windhover.engine.messages import (
    CreateExecution,
    ExecutionChanged,
    KillExecution,
    LogsCommitted,
    TaskProgressed,
)
from windhover.model.check import CheckBehavior
from windhover.model.execution import Execution, JsonValue, Label, TaskRun
from windhover.model.flow import Flow
from windhover.model.inputs import FileInput
from windhover.model.inputs.graph import flatten
from windhover.model.log import LogLevel
from windhover.model.problem import FlowInvalid
from windhover.model.state import StateType
from windhover.repository.sqlite import SqliteDatabase
from windhover.server.runtime import DEFAULT_TENANT, Runtime, RuntimeSettings
from windhover.storage import input_uri
from windhover.util.ids import new_id

#: Exit codes by end state; all others are 1.
EXIT_CODES = {
    StateType.SUCCESS: 0,
    StateType.WARNING: 0,
    StateType.FAILED: 1,
    StateType.CANCELLED: 3,
    StateType.KILLED: 130,
}
USAGE = 2


class RunOptions(msgspec.Struct, frozen=True):
    """What was given on the command line."""

    file: Path
    inputs: Sequence[str]
    labels: Sequence[str]
    as_json: bool
    level: str
    save: Path | None


class Refused(Exception):
    """The run cannot begin; the message says why."""


def run_flow(options: RunOptions) -> int:
    """Run a flow and return the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        level = LogLevel[options.level]
    except KeyError:
        print(
            f"--log-level: `{options.level}` is no level; use TRACE, DEBUG, INFO, WARN or ERROR.",
            file=sys.stderr,
        )
        return USAGE
    reporter = make_reporter(options.as_json, level)
    home = Path(tempfile.mkdtemp(prefix="windhover-run-"))
    # Ctrl-C is not to break a loop that is half made: it waits until the loop can hear it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return asyncio.run(_run(options, reporter, home))
    except asyncio.CancelledError:
        return EXIT_CODES[StateType.KILLED]
    except Refused as refused:
        print(refused, file=sys.stderr)
        return USAGE
    finally:
        shutil.rmtree(home, ignore_errors=True)


async def _run(options: RunOptions, reporter: Reporter, home: Path) -> int:
    _give_up_on_interrupt()
    database = SqliteDatabase.in_memory()
    await database.open()
    settings = RuntimeSettings(
        home=home,
        storage_path=home / "storage",
        temporary=home / "work",
        encryption_key=base64.b64encode(os.urandom(32)).decode(),  # what it seals is gone when this ends
    )
    runtime = Runtime(database, settings)
    try:
        flow = await _read_flow(options.file, runtime)
        start = await _prepare(options, flow, runtime)
        await runtime.start()
        try:
            ended, task_runs = await _follow(start, runtime, reporter)
        finally:
            await runtime.stop(timedelta(seconds=1))
        if options.save is not None:
            await _save_files(ended, task_runs, options.save, runtime)
        reporter.ended(ended, task_runs)
        return EXIT_CODES.get(ended.state.current, 1)
    finally:
        await runtime.close()


def _give_up_on_interrupt() -> None:
    """While there is no execution to kill, Ctrl-C ends the run."""
    running = asyncio.current_task()
    assert running is not None, "called by a coroutine"
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, running.cancel)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


async def _read_flow(file: Path, runtime: Runtime) -> Flow:
    from windhover.cli.validate import format_problem

    try:
        parsed = runtime.definitions.parse(file.read_bytes())
    except OSError as error:
        raise Refused(f"{file} cannot be read: {error.strerror}") from None
    except FlowInvalid as error:
        raise Refused("\n".join(format_problem(file, problem) for problem in error.problems)) from None
    return await runtime.definitions.save(DEFAULT_TENANT, parsed)


async def _prepare(options: RunOptions, flow: Flow, runtime: Runtime) -> CreateExecution:
    execution_id = new_id()
    given = await _given(options.inputs, flow, execution_id, runtime)
    labels = [_label(text) for text in options.labels]
    now = runtime.clock()
    renderer = FlowInputRenderer(runtime.environment, flow, execution_id, labels=labels, start=now)
    resolved = await asyncio.to_thread(
        resolve_inputs,
        flow.inputs,
        given,
        renderer,
        workflow=f"{flow.namespace}.{flow.id}",
        encrypt=runtime.environment.encrypt,
    )
    if resolved.problems:
        raise Refused("\n".join(problem.message for problem in resolved.problems))
    for warning in resolved.warnings:
        print(warning, file=sys.stderr)
    failed = await asyncio.to_thread(failed_checks, flow.checks, resolved.values, renderer)
    if consequence(failed) is CheckBehavior.BLOCK_EXECUTION:
        raise Refused("\n".join(check.message for check in failed))
    execution = new_execution(flow, resolved.values, execution_id, now, labels=labels)
    return begun(execution, failed)


async def _given(
    texts: Sequence[str], flow: Flow, execution_id: str, runtime: Runtime
) -> dict[str, JsonValue]:
    declared = {name: flat.definition for name, flat in flatten(flow.inputs).items()}
    given: dict[str, JsonValue] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise Refused(f"--input: `{text}` is not of the form name=value or name=@path")
        if value.startswith("@"):
            path = Path(value[1:])
            try:
                if isinstance(declared.get(name), FileInput):
                    uri = input_uri(flow.namespace, flow.id, execution_id, name, path.name)
                    given[name] = (await runtime.storage.for_tenant(DEFAULT_TENANT).put(uri, path)).uri
                else:
                    given[name] = path.read_text()
            except (OSError, UnicodeDecodeError) as error:
                raise Refused(f"--input {name}: {path} cannot be read: {error}") from None
        else:
            given[name] = value
    return given


def _label(text: str) -> Label:
    key, colon, value = text.partition(":")
    if not colon or not key or not value:
        raise Refused(f"--label: `{text}` is not of the form key:value")
    return Label(key, value)


async def _follow(
    start: CreateExecution, runtime: Runtime, reporter: Reporter
) -> tuple[Execution, list[TaskRun]]:
    """Start the execution and report until it has ended, and each that takes its place when it is retried as
    a new one; Ctrl-C kills the one that runs."""
    followed: Execution = start.execution
    retried = False

    def about(message: object) -> bool:
        # What takes the place of a retried execution is told apart when it is there.
        return retried or getattr(message, "execution_id", None) == followed.id

    _kill_on_interrupt(runtime, followed)
    kinds = (ExecutionChanged, LogsCommitted, TaskProgressed)
    with runtime.queue.broadcasts.subscribe(about, kinds=kinds) as messages:
        reporter.started(followed)
        await runtime.queue.executor.ask(start)
        while True:
            message = await messages.next()
            if not isinstance(message, kinds):
                continue
            if retried:
                successor = await runtime.executions.header(message.execution_id)
                if successor is None or successor.parent_id != followed.id:
                    continue
                followed, retried = successor, False
                _kill_on_interrupt(runtime, followed)
                reporter.started(followed)
            if isinstance(message, LogsCommitted):
                for entry in message.entries:
                    reporter.log(entry)
            elif isinstance(message, TaskProgressed):
                reporter.progressed(message)
            elif isinstance(message, ExecutionChanged) and (reporter.wants_progress or message.ended):
                loaded = await runtime.executions.load(followed.id)
                assert loaded is not None, "it is there, since it is followed"
                reporter.changed(*loaded)
                retried = message.ended and message.state is StateType.RETRIED
                if message.ended and not retried:
                    return loaded
                if retried:
                    _give_up_on_interrupt()


def _kill_on_interrupt(runtime: Runtime, execution: Execution) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _kill, runtime, execution.id)


_kills: set[asyncio.Task[Execution]] = set()


def _kill(runtime: Runtime, execution_id: str) -> None:
    task = asyncio.ensure_future(runtime.queue.executor.ask(KillExecution(execution_id, "Ctrl-C")))
    _kills.add(task)
    task.add_done_callback(_kills.discard)


async def _save_files(
    execution: Execution, task_runs: Sequence[TaskRun], folder: Path, runtime: Runtime
) -> None:
    """Copy every stored file that the outputs name; of files with the same name, later ones get a number."""
    folder.mkdir(parents=True, exist_ok=True)
    storage = runtime.storage.for_tenant(DEFAULT_TENANT)
    taken: set[str] = set()
    for uri in dict.fromkeys(_uris([execution.outputs, [run.outputs for run in task_runs]])):
        if await storage.exists(uri):
            name = _free_name(uri.rsplit("/", 1)[-1], taken)
            taken.add(name)
            await storage.download(uri, folder / name)


def _free_name(name: str, taken: Collection[str]) -> str:
    """``result.txt``, or ``result-2.txt`` and so on where that is taken."""
    path, number, free = PurePath(name), 1, name
    while free in taken:
        number += 1
        free = f"{path.stem}-{number}{path.suffix}"
    return free


def _uris(value: JsonValue) -> list[str]:
    if isinstance(value, str):
        return [value] if value.startswith("kestra:///") else []
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [uri for item in value for uri in _uris(item)]
    return []
