"""``io.kestra.plugin.core.execution.Exit``."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from windhover.model.execution import Execution
from windhover.model.state import StateType
from windhover.plugin.execution_update import ExecutionUpdate, ExecutionUpdateTask


class Exit(ExecutionUpdateTask):
    """End the execution here and now, in a state of your choice.

    No further task starts, nor do the `errors` and `finally` branches; `afterExecution` runs. Other tasks
    under way may finish, but are killed with `KILLED`.
    """

    type_name: ClassVar[str] = "io.kestra.plugin.core.execution.Exit"

    state: Annotated[
        Literal["SUCCESS", "WARNING", "KILLED", "FAILED", "CANCELLED", "CANCELED"],
        Field(description="The end state; `CANCELED` is the old spelling of `CANCELLED`."),
    ] = "SUCCESS"

    def update(self, execution: Execution) -> ExecutionUpdate:
        state = StateType.CANCELLED if self.state == "CANCELED" else StateType(self.state)
        return ExecutionUpdate(end=state)
