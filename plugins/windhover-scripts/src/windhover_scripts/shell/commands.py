"""``io.kestra.plugin.scripts.shell.Commands``"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.working_files import WorkingFiles
from windhover_scripts.script_task import ScriptTask


class Commands(ScriptTask):
    """Run commands in a shell, one after the other."""

    type_name = "io.kestra.plugin.scripts.shell.Commands"
    examples = (
        Example(
            title="Make a file and keep it",
            code="""
commands:
  - echo "{{ inputs.name }}" > name.txt
outputFiles:
  - name.txt
""",
        ),
        Example(
            title="Report an output",
            code="""
commands:
  - rows=$(wc -l < data.csv)
  - echo "::{\\"outputs\\":{\\"rows\\":$rows}}::"
inputFiles:
  data.csv: "{{ outputs.extract.uri }}"
""",
        ),
    )

    commands: list[str] = Field(description="The commands to run.")

    async def shell_lines(self, ctx: RunContext, files: WorkingFiles) -> Sequence[str]:
        return [await files.localize(command) for command in self.commands]
