"""Finding and ending the processes that a task has started, wherever they have gone.

A task's processes carry two variables in their environment, which children inherit. By them they are
found even after they have left their process group or lost their parent. Linux only: elsewhere nothing
is found, and the process group is all that a kill reaches.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import msgspec

#: ``<task run id>:<dispatch>``
TASK_RUN_VARIABLE = "WINDHOVER_TASK_RUN"

#: The installation that started the process.
HOME_VARIABLE = "WINDHOVER_HOME_ID"

#: How long processes have for ending by themselves when they are asked to.
DEFAULT_GRACE = timedelta(seconds=5)

_PROC = Path("/proc")
_POLL = 0.02


class Process(msgspec.Struct, frozen=True):
    """A process; ``started`` (clock ticks since boot) tells it from a later one of the same number."""

    pid: int
    started: int


def process_marker(home_id: str, task_run_id: str, dispatch: int) -> Mapping[str, str]:
    """The environment variables that mark the processes of one attempt."""
    return {HOME_VARIABLE: home_id, TASK_RUN_VARIABLE: f"{task_run_id}:{dispatch}"}


def marked_processes(variables: Mapping[str, str]) -> list[Process]:
    """The live processes whose environment holds all these variables, without this one."""
    wanted = [f"{name}={value}".encode() for name, value in variables.items()]
    found = []
    for pid in _pids():
        if pid == os.getpid():
            continue
        # A process may end, or be none of ours to look into, at any moment.
        with suppress(OSError, ValueError):
            environment = b"\0" + (_PROC / str(pid) / "environ").read_bytes() + b"\0"
            if all(b"\0" + entry + b"\0" in environment for entry in wanted):
                started, _, state = _status(pid)
                if state != "Z":
                    found.append(Process(pid, started))
    return found


def descendants(pid: int) -> list[Process]:
    """The live children of a process, their children, and so on."""
    children: dict[int, list[Process]] = {}
    for candidate in _pids():
        with suppress(OSError, ValueError):
            started, parent, state = _status(candidate)
            if state != "Z":
                children.setdefault(parent, []).append(Process(candidate, started))
    found: list[Process] = []
    queue = [pid]
    while queue:
        below = children.pop(queue.pop(), [])
        found.extend(below)
        queue.extend(process.pid for process in below)
    return found


def is_alive(process: Process) -> bool:
    """Whether this very process still runs."""
    try:
        started, _, state = _status(process.pid)
    except (OSError, ValueError):
        return False
    return started == process.started and state != "Z"


def send_signal(processes: list[Process], number: signal.Signals) -> None:
    """Signal those that are still the processes they were."""
    for process in processes:
        if is_alive(process):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, number)


def end_processes(variables: Mapping[str, str], grace: timedelta) -> int:
    """Ask all marked processes to end, end those that have not after ``grace``, and return their number.

    Blocks up to ``grace``: not for the event loop.
    """
    processes = marked_processes(variables)
    if not processes:
        return 0
    send_signal(processes, signal.SIGTERM)
    deadline = time.monotonic() + grace.total_seconds()
    while time.monotonic() < deadline and any(is_alive(process) for process in processes):
        time.sleep(_POLL)
    # A process that forks while it is looked for may get away once, but not for ever.
    for _ in range(20):
        left = marked_processes(variables)
        if not left:
            break
        send_signal(left, signal.SIGKILL)
        time.sleep(_POLL)
    return len(processes)


async def end_group(pid: int, variables: Mapping[str, str], grace: timedelta) -> None:
    """End a process that leads its own group, the group, its descendants and all that carry the marks.

    The process must not have been waited for: until then its number, and its group's, cannot belong to
    another.
    """
    outside = await asyncio.to_thread(_family, pid, variables)
    _signal_group(pid, signal.SIGTERM)
    send_signal([process for process in outside if _group(process.pid) != pid], signal.SIGTERM)
    deadline = time.monotonic() + grace.total_seconds()
    # No event tells of the end of a process that is nobody's child here.
    while time.monotonic() < deadline and any(is_alive(process) for process in outside):  # noqa: ASYNC110
        await asyncio.sleep(_POLL)
    _signal_group(pid, signal.SIGKILL)
    await asyncio.to_thread(_kill_left, outside, variables)


def _family(pid: int, variables: Mapping[str, str]) -> list[Process]:
    leader: list[Process] = []
    with suppress(OSError, ValueError):
        leader.append(Process(pid, _status(pid)[0]))
    return list({*leader, *descendants(pid), *marked_processes(variables)})


def _kill_left(known: list[Process], variables: Mapping[str, str]) -> None:
    send_signal(known, signal.SIGKILL)
    for _ in range(20):
        left = marked_processes(variables)
        if not left:
            return
        send_signal(left, signal.SIGKILL)
        time.sleep(_POLL)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _group(pid: int) -> int | None:
    with suppress(OSError):
        return os.getpgid(pid)
    return None


def _pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir(_PROC) if name.isdigit()]
    except OSError:
        return []


def _status(pid: int) -> tuple[int, int, str]:
    """When a process was started, its parent, and its state."""
    text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    fields = text[text.rindex(")") + 2 :].split()
    return int(fields[19]), int(fields[1]), fields[0]
