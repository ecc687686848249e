"""``io.kestra.plugin.scripts.shell.Commands``"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from windhover.plugin.context import RunContext
from windhover_scripts.script_task import ScriptTask
from windhover_scripts.working_files import WorkingFiles


class Commands(ScriptTask):
    """Run commands in a shell, one after the other."""

    type_name = "io.kestra.plugin.scripts.shell.Commands"

    commands: list[str] = Field(description="The commands to run.")

    async def shell_lines(self, ctx: RunContext, files: WorkingFiles) -> Sequence[str]:
        return [await files.localize(command) for command in self.commands]
