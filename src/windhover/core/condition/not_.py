"""``io.kestra.plugin.core.condition.Not``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.plugin.condition import ScheduleConditionType
from windhover.plugin.nesting import ConditionList


class Not(ScheduleConditionType):
    """None of the conditions holds."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.Not"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.models.conditions.types.NotCondition",
        "io.kestra.plugin.core.condition.NotCondition",
    )

    conditions: Annotated[ConditionList, Field(min_length=1, description="The conditions.")]
