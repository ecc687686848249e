"""``io.kestra.plugin.scripts.shell.Script``"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.working_files import WorkingFiles
from windhover_scripts.script_task import ScriptTask


class Script(ScriptTask):
    """Run a script written in the flow in a shell."""

    type_name = "io.kestra.plugin.scripts.shell.Script"
    examples = (
        Example(
            title="Loop in the shell",
            code="""
script: |
  for name in a b c; do
    echo "$name"
  done
""",
        ),
    )

    script: str = Field(description="The script, of any number of lines.")

    async def shell_lines(self, ctx: RunContext, files: WorkingFiles) -> Sequence[str]:
        return [await files.localize(self.script)]
