"""The parts of a Loop: one round of it, and the file that results are stored in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from windhover.expression.ion_text import write_ion
from windhover.model.execution import JsonValue
from windhover.model.inputs import FlowOutput
from windhover.plugin.context import RunContext
from windhover.plugin.flowable import Body, FlowableTask, Lane
from windhover.plugin.nesting import TaskList
from windhover.plugin.task import Output, RunnableTask
from windhover.plugin.types import Typed


class LoopRound(FlowableTask):
    """The task runs of one value; no flow names it by itself."""

    isolates: ClassVar[bool] = True
    concludes: ClassVar[bool] = True

    tasks: TaskList = ()
    results: tuple[FlowOutput, ...] = ()

    def body(self, resolved: JsonValue) -> Body:
        return Body([Lane(self.tasks)])

    def declared_outputs(self) -> Sequence[FlowOutput]:
        return self.results


class LoopPart:
    """Makes a class a part of Loop, and no type that flows can name."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.flow.Loop"


class Stored(Output):
    """``uri`` is that of the file."""

    uri: str


class StoreResults(LoopPart, RunnableTask[Stored]):
    """Write what a loop has kept of its rounds into a file, an Ion struct a line."""

    results: Typed[JsonValue] = None

    async def run(self, ctx: RunContext) -> Stored:
        path = ctx.working_directory / "results.ion"
        await asyncio.to_thread(self._write, path)
        return Stored(uri=await ctx.files.put(path, path.name))

    def _write(self, path: Path) -> None:
        with path.open("w", encoding="utf-8") as file:
            for result in self.results or ():
                file.write(f"{write_ion(result)}\n")
