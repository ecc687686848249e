"""What the worker costs: overhead of a light task, and how many shell tasks it starts a second.

python benchmarks/worker.py
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from windhover.core.log.log import Log
from windhover.engine.messages import Job, TaskEnded
from windhover.worker.inline import InlineWorker
from windhover_scripts.shell.commands import Commands

LIGHT_TASKS = 5_000
SHELL_TASKS = 200
LINES = 1_000_000


async def run_all(inline: InlineWorker, jobs: list[Job]) -> float:
    """Seconds from handing over the jobs to the end of the last."""
    began = time.perf_counter()
    for job in jobs:
        inline.queue.jobs.send(job)
    ended = 0
    while ended < len(jobs):
        await inline.queue.executor.wait()
        ended += sum(isinstance(event, TaskEnded) for event in inline.queue.executor.drain(10_000))
    return time.perf_counter() - began


async def main(folder: Path) -> None:
    inline = InlineWorker(folder)
    working = asyncio.create_task(inline.worker.run())

    def light() -> list[Job]:
        variables = {"inputs": {"name": "Ada"}}
        return [inline.job(Log, {"message": "Hi {{ inputs.name }}"}, variables) for _ in range(LIGHT_TASKS)]

    def shell(command: str, count: int) -> list[Job]:
        return [inline.job(Commands, {"commands": [command]}) for _ in range(count)]

    await run_all(inline, light())
    overhead = min([await run_all(inline, light()) for _ in range(3)]) / LIGHT_TASKS
    rate = SHELL_TASKS / min([await run_all(inline, shell("true", SHELL_TASKS)) for _ in range(3)])
    lines = await run_all(inline, shell(f"seq {LINES}", 1))
    print(f"{'log.Log, one task':<40}{overhead * 1e6:>12.0f} µs")
    print(f"{'shell.Commands `true`':<40}{rate:>12.0f} a second")
    print(f"{f'a script that prints {LINES:,} lines':<40}{lines:>12.1f} s")
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await inline.storage.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        asyncio.run(main(Path(temporary)))
