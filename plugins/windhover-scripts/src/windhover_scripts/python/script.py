"""``io.kestra.plugin.scripts.python.Script``"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pydantic import Field

from windhover.plugin.context import RunContext
from windhover_scripts.python.python_task import PythonTask
from windhover_scripts.working_files import WorkingFiles


class Script(PythonTask):
    """Run a Python script written in the flow."""

    type_name = "io.kestra.plugin.scripts.python.Script"

    script: str = Field(description="The Python code.")

    async def shell_lines(self, ctx: RunContext, files: WorkingFiles) -> Sequence[str]:
        path = files.add_script(await files.localize(self.script), ".py")
        return [f"{self.interpreter_command()} {shlex.quote(str(path))}"]
