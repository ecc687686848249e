"""``io.kestra.plugin.scripts.python.Script``"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pydantic import Field

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.working_files import WorkingFiles
from windhover_scripts.python.python_task import PythonTask


class Script(PythonTask):
    """Run a Python script written in the flow."""

    type_name = "io.kestra.plugin.scripts.python.Script"
    examples = (
        Example(
            title="Count rows and report them",
            code="""
inputFiles:
  data.csv: "{{ outputs.extract.uri }}"
script: |
  import json
  rows = sum(1 for _ in open("data.csv"))
  print("::" + json.dumps({"outputs": {"rows": rows}}) + "::")
""",
        ),
    )

    script: str = Field(description="The Python code.")

    async def shell_lines(self, ctx: RunContext, files: WorkingFiles) -> Sequence[str]:
        path = files.add_script(await files.localize(self.script), ".py")
        return [f"{self.interpreter_command()} {shlex.quote(str(path))}"]
