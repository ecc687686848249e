"""``io.kestra.plugin.core.execution.UnsetVariables``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from windhover.model.execution import Execution, JsonValue
from windhover.plugin.execution_update import ExecutionUpdate, ExecutionUpdateTask


class UnsetVariables(ExecutionUpdateTask):
    """Remove variables of the execution."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.execution.UnsetVariables"

    variables: Annotated[list[str], Field(description="Names; a dot leads into a map.")]
    ignore_missing: Annotated[
        bool, Field(description="When false, a name that leads into what is no map fails the task.")
    ] = False

    def update(self, execution: Execution) -> ExecutionUpdate:
        variables = dict(execution.variables or {})
        for name in self.variables:
            self._remove(variables, name.split("."), name)
        return ExecutionUpdate(variables=variables)

    def _remove(self, variables: dict[str, JsonValue], path: list[str], name: str) -> None:
        first, *rest = path
        if not rest:
            # One that is not there is as it should be, whatever is said about missing ones: flows rely on it.
            variables.pop(first, None)
        elif first not in variables:
            if not self.ignore_missing:
                raise ValueError(f"The variable `{first}` does not exist, so `{name}` cannot be removed.")
        elif isinstance(variables[first], Mapping):
            below = variables[first] = dict(variables[first])
            self._remove(below, rest, name)
        elif not self.ignore_missing:
            raise ValueError(f"`{first}` holds no map, so `{name}` cannot be removed.")
