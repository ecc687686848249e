"""``io.kestra.plugin.core.condition.ExecutionStatus``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.plugin.condition import ConditionType
from windhover.plugin.types import StatesText


class ExecutionStatus(ConditionType):
    """The execution is in one of some states, or in none of some others."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.ExecutionStatus"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.models.conditions.types.ExecutionStatusCondition",
        "io.kestra.plugin.core.condition.ExecutionStatusCondition",
    )

    in_: Annotated[StatesText | None, Field(alias="in", description="The states that count.")] = None
    not_in: Annotated[StatesText | None, Field(description="The states that do not count.")] = None
