"""``io.kestra.plugin.scripts.python.Commands``"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.working_files import WorkingFiles
from windhover_scripts.python.python_task import PythonTask


class Commands(PythonTask):
    """Run commands in a shell that has Python, and the packages that the task names, at hand."""

    type_name = "io.kestra.plugin.scripts.python.Commands"
    examples = (
        Example(
            title="Run a file with packages",
            code="""
dependencies:
  - polars
inputFiles:
  main.py: |
    import polars
    print(polars.__version__)
commands:
  - python main.py
""",
        ),
    )

    commands: list[str] = Field(description="The commands to run, such as `python main.py`.")

    async def shell_lines(self, ctx: RunContext, files: WorkingFiles) -> Sequence[str]:
        return [await files.localize(command) for command in self.commands]
