"""``io.kestra.plugin.core.condition.HasRetryAttempt``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.model.execution import Execution
from windhover.plugin.condition import ConditionContext, ExecutionConditionType
from windhover.plugin.types import StatesText


class HasRetryAttempt(ExecutionConditionType):
    """A task run of the execution has an attempt that ended in one of some states."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.HasRetryAttempt"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.models.conditions.types.HasRetryAttemptCondition",
        "io.kestra.plugin.core.condition.HasRetryAttemptCondition",
    )

    in_: Annotated[StatesText | None, Field(alias="in", description="The states that count.")] = None
    not_in: Annotated[StatesText | None, Field(description="The states that do not count.")] = None

    def holds_for(self, execution: Execution, context: ConditionContext) -> bool:
        attempts = [run.attempts or [] for run in context.task_runs()]
        if self.in_ is None and self.not_in is None:
            return any(len(tries) > 1 for tries in attempts)
        states = {attempt.state.current for tries in attempts for attempt in tries}
        if self.in_ is not None and not states & context.states(self.in_):
            return False
        return self.not_in is None or not states & context.states(self.not_in)
