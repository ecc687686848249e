"""Tasks that leave traces, wait for files, and misbehave: what the fault tests run."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from windhover.plugin.context import RunContext
from windhover.plugin.task import Output, RunnableTask

PLUGINS = {
    f"tests.fault.{name}": f"windhover_fault_tasks:{name}" for name in ("Append", "Blob", "Gate", "Stubborn")
}


class Append(RunnableTask[None]):
    """Write a line to a file, in one piece."""

    type_name = "tests.fault.Append"

    path: str
    line: str

    def run(self, ctx: RunContext) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(descriptor, f"{self.line}\n".encode())
        finally:
            os.close(descriptor)


class Gate(RunnableTask[None]):
    """Say so in a file, then wait until another file is there."""

    type_name = "tests.fault.Gate"

    entered: str
    opened: str

    async def run(self, ctx: RunContext) -> None:
        _note(self.entered)
        # A file tells nobody that it has come.
        while not Path(self.opened).exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class Stubborn(RunnableTask[None]):
    """As Gate, in a thread that does not look whether it is cancelled."""

    type_name = "tests.fault.Stubborn"

    entered: str
    opened: str

    def run(self, ctx: RunContext) -> None:
        _note(self.entered)
        while not Path(self.opened).exists():
            time.sleep(0.01)


def _note(path: str) -> None:
    with open(path, "a") as file:
        file.write("entered\n")


class BlobOutput(Output):
    text: str
    flag: bool
    items: list[str]


class Blob(RunnableTask[BlobOutput]):
    """Give a text of so many bytes, a list that is as large, and a flag beside them."""

    type_name = "tests.fault.Blob"

    size: int

    async def run(self, ctx: RunContext) -> BlobOutput:
        return BlobOutput(
            text="x" * self.size, flag=True, items=[f"{number:05}" for number in range(self.size // 8)]
        )
