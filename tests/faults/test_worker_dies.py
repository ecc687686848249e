"""A server that is killed with scripts under way."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from windhover.core.runner.process_tree import HOME_VARIABLE, is_alive, marked_processes
from windhover.util.ids import new_id
from windhover.worker import sweep_orphans

SERVER = """
import asyncio, sys
from pathlib import Path
from windhover.worker.inline import InlineWorker
from windhover_scripts.shell.commands import Commands

async def main(folder, home):
    async with InlineWorker(Path(folder), home_id=home) as worker:
        pending = worker.submit(worker.job(Commands, {"commands": ["setsid sleep 600 & echo up; sleep 600"]}))
        print(await pending.logged("up"), flush=True)
        await pending.ended

asyncio.run(main(*sys.argv[1:]))
"""


def test_scripts_of_a_killed_server_are_ended_by_the_next(tmp_path: Path) -> None:
    home = new_id()
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path), home], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    with server.stdout:
        assert server.stdout.readline() == "up\n"
        server.send_signal(signal.SIGKILL)
        server.wait()
    orphans = marked_processes({HOME_VARIABLE: home})
    assert len(orphans) >= 3
    assert any((tmp_path / "work").iterdir())

    assert sweep_orphans(home, tmp_path / "work", timedelta(seconds=5)) == len(orphans)
    assert not any(is_alive(process) for process in orphans)
    assert not any((tmp_path / "work").iterdir())
