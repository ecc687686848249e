"""``io.kestra.plugin.core.execution.SetVariables``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.core.merging import deeply_merged
from windhover.model.execution import Execution, JsonValue
from windhover.plugin.execution_update import ExecutionUpdate, ExecutionUpdateTask


class SetVariables(ExecutionUpdateTask):
    """Set variables of the execution; those of the flow stay as they are."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.execution.SetVariables"

    variables: Annotated[
        dict[str, JsonValue], Field(description="Merged deeply into `vars`; lists are joined.")
    ]
    overwrite: Annotated[
        bool, Field(description="When false, a variable that exists already fails the task.")
    ] = True

    def update(self, execution: Execution) -> ExecutionUpdate:
        present = execution.variables or {}
        clashes = [name for name in self.variables if name in present]
        if clashes and not self.overwrite:
            raise ValueError(
                "`overwrite` is set to false and the following variables already exist: " + ",".join(clashes)
            )
        return ExecutionUpdate(variables=deeply_merged(present, self.variables))
