"""Virtual environments for the ``dependencies`` of Python tasks, one for each set of packages."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from windhover.core.runner.process import Process
from windhover.plugin.context import RunContext
from windhover.plugin.runner import Command
from windhover.plugin.task import TaskFailure

#: Written last into an environment; without it an environment is one whose making was interrupted.
_COMPLETE = ".complete"

_POLL_SECONDS = 0.1


async def python_environment(
    ctx: RunContext, dependencies: Sequence[str], *, version: str | None, prefer_uv: bool, keep: bool
) -> Path:
    """The folder of a virtual environment with these packages, made if there is none yet.

    Kept ones are below ``cacheDirectory`` of the plugin's configuration (by default in the user's cache
    folder). The same set of packages is never installed twice at a time.

    Raises:
        TaskFailure: the packages cannot be installed; what the installer said is in the log.
    """
    uv = shutil.which("uv") if prefer_uv else None
    if version is not None and uv is None:
        raise TaskFailure("`pythonVersion` needs `uv` on the worker's host")
    if not keep:
        folder = ctx.working_directory / ".windhover" / "python"
        await _make(ctx, folder, dependencies, uv, version)
        return folder
    base = _cache_directory(ctx)
    base.mkdir(parents=True, exist_ok=True)
    folder = base / _digest(dependencies, version)
    async with _locked(ctx, folder.with_suffix(".lock")):
        if (folder / _COMPLETE).exists():
            ctx.logger.debug(f"Using the Python packages in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
            await _make(ctx, folder, dependencies, uv, version)
            (folder / _COMPLETE).touch()
    return folder


async def _make(
    ctx: RunContext, folder: Path, dependencies: Sequence[str], uv: str | None, version: str | None
) -> None:
    ctx.logger.info(f"Installing Python packages: {', '.join(dependencies)}")
    python = str(folder / "bin" / "python")
    if uv is not None:
        wanted = version or sys.executable
        await _call(ctx, [uv, "venv", "--quiet", "--python", wanted, str(folder)])
        await _call(ctx, [uv, "pip", "install", "--quiet", "--python", python, "--", *dependencies])
    else:
        await _call(ctx, [sys.executable, "-m", "venv", str(folder)])
        await _call(
            ctx,
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--", *dependencies],
        )


async def _call(ctx: RunContext, arguments: Sequence[str]) -> None:
    def log(line: str, is_error: bool) -> None:
        ctx.logger.info(line)

    code = await Process().run(ctx, Command(arguments, {}, ctx.working_directory), log)
    if code != 0:
        raise TaskFailure(
            f"The Python packages cannot be installed: `{arguments[0]}` ended with exit code {code}"
        )


def _cache_directory(ctx: RunContext) -> Path:
    configured = ctx.configuration.get("cacheDirectory")
    if isinstance(configured, str):
        return Path(configured)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "windhover" / "python"


def _digest(dependencies: Sequence[str], version: str | None) -> str:
    key = json.dumps([sorted(dependencies), version or platform.python_version(), sys.executable])
    return hashlib.sha256(key.encode()).hexdigest()[:32]


@asynccontextmanager
async def _locked(ctx: RunContext, path: Path) -> AsyncIterator[None]:
    """Hold a lock that other processes on this host see, too."""
    with path.open("w") as file:
        while not _try_lock(file.fileno()):
            await ctx.sleep(_POLL_SECONDS)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
