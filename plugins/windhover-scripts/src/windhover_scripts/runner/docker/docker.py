"""``io.kestra.plugin.scripts.runner.docker.Docker``"""

from __future__ import annotations

from typing import ClassVar

from pydantic import ConfigDict

from windhover.core.runner.process import Process
from windhover.plugin.context import RunContext
from windhover.plugin.runner import Command, LineConsumer, TaskRunner


class Docker(TaskRunner):
    """Accept flows that name the Docker task runner, and run their commands as processes.

    No container engine is needed or used; all properties of the original are accepted.
    """

    model_config = ConfigDict(extra="allow")

    type_name: ClassVar[str] = "io.kestra.plugin.scripts.runner.docker.Docker"

    async def run(self, ctx: RunContext, command: Command, on_line: LineConsumer) -> int:
        ctx.logger.debug("The commands run as a process on the worker, without a container")
        return await Process().run(ctx, command, on_line)
