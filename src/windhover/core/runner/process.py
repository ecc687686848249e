"""``io.kestra.plugin.core.runner.Process``"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from typing import BinaryIO, cast

from windhover.core.runner.lines import LineSplitter
from windhover.core.runner.process_tree import end_group
from windhover.plugin.context import RunContext
from windhover.plugin.runner import Command, LineConsumer, TaskRunner
from windhover.plugin.task import TaskFailure

_CHUNK = 256 * 1024

#: How long output may stay silent once the command itself has ended, while a process that it left
#: behind still holds the pipe.
_SILENCE_AFTER_END = 1.0

#: What of the server's environment is none of a script's business: its secrets and its configuration.
_WITHHELD_PREFIXES = ("SECRET_", "WINDHOVER_")
_WITHHELD = frozenset({"KESTRA_CONFIGURATION", "MICRONAUT_CONFIG_FILES"})


class Process(TaskRunner):
    """Run the commands as processes on the host of the worker.

    They run in the task's working directory, with the environment of the server (but for its secrets and
    configuration) and that of the task, as leaders of a session of their own, and without input. When the
    task is killed or timed out, the whole tree of processes is asked to end, and ended after a grace period.
    """

    type_name = "io.kestra.plugin.core.runner.Process"

    async def run(self, ctx: RunContext, command: Command, on_line: LineConsumer) -> int:
        process = _start(command, ctx.process_environment)
        ctx.logger.debug(f"Starting command with pid {process.pid} [{' '.join(command.arguments)}]")
        readers = [
            _PipeReader(cast("BinaryIO", process.stdout), False, on_line, ctx),
            _PipeReader(cast("BinaryIO", process.stderr), True, on_line, ctx),
        ]
        reading = [asyncio.create_task(reader.read()) for reader in readers]
        try:
            await _wait(process)
            await _finish(reading, readers, ctx)
        except BaseException:
            ctx.logger.warn(f"Ending command with pid {process.pid} and all that it started")
            await end_group(process.pid, ctx.process_environment, ctx.kill_grace)
            raise
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
            for reader in readers:
                reader.close()
            process.poll()
        code = _exit_code(process.returncode)
        if code == 0:
            ctx.logger.debug(f"Command succeed with exit code {code}")
        return code


def _start(command: Command, marks: Mapping[str, str]) -> subprocess.Popen[bytes]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_WITHHELD_PREFIXES) and name not in _WITHHELD
    }
    # Popen itself, not asyncio's: it starts a process by vfork, several times faster than uvloop does.
    try:
        return subprocess.Popen(
            command.arguments,
            cwd=command.directory,
            env={**inherited, **command.environment, **marks},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise TaskFailure(f"Cannot start `{command.arguments[0]}`: {error}") from error


async def _wait(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a process, and reap it."""
    if not hasattr(os, "pidfd_open"):
        await asyncio.to_thread(process.wait)
        return
    descriptor = os.pidfd_open(process.pid)
    try:
        await _until_readable(descriptor)
    finally:
        os.close(descriptor)
    process.wait()


async def _until_readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)


async def _finish(
    reading: Iterable[asyncio.Task[None]], readers: Iterable[_PipeReader], ctx: RunContext
) -> None:
    """Wait for the end of the output, unless only processes left behind could still write to it."""
    while True:
        seen = [reader.chunks for reader in readers]
        _, open_pipes = await asyncio.wait(reading, timeout=_SILENCE_AFTER_END)
        if not open_pipes:
            return
        if not any(reader.busy for reader in readers) and seen == [reader.chunks for reader in readers]:
            ctx.logger.debug("A process that the command left behind is no longer listened to")
            return


class _PipeReader:
    """Passes on the lines of a pipe, no faster than the log takes them: the script is slowed down instead."""

    def __init__(self, pipe: BinaryIO, is_error: bool, on_line: LineConsumer, ctx: RunContext) -> None:
        self._pipe = pipe
        self._is_error = is_error
        self._on_line = on_line
        self._ctx = ctx
        self.chunks = 0
        self.busy = False

    async def read(self) -> None:
        # Read by hand: uvloop's transport closes the descriptor of a pipe twice, and the second time it may
        # already be another's.
        splitter = LineSplitter()
        try:
            os.set_blocking(self._pipe.fileno(), False)
            while chunk := await self._next_chunk():
                self.chunks += 1
                self.busy = True
                self._pass_on(splitter.feed(chunk))
                await self._ctx.logger.drain()
                # A flood of output must leave the loop to others now and then.
                await asyncio.sleep(0)
                self.busy = False
            self._pass_on(splitter.end())
        finally:
            self.close()

    def close(self) -> None:
        """Close the pipe, whether or not it was read to its end."""
        self._pipe.close()

    async def _next_chunk(self) -> bytes:
        """What has come, or comes next; nothing at the end."""
        descriptor = self._pipe.fileno()
        while True:
            try:
                return os.read(descriptor, _CHUNK)
            except BlockingIOError:
                await _until_readable(descriptor)

    def _pass_on(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._on_line(line, self._is_error)


def _exit_code(code: int | None) -> int:
    """The exit code as a shell gives it: 128 and the signal's number for a process ended by one."""
    if code is None:
        return 128 + signal.SIGKILL
    return code if code >= 0 else 128 - code
