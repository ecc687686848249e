"""``io.kestra.plugin.core.condition.Or``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.plugin.condition import ScheduleConditionType
from windhover.plugin.nesting import ConditionList


class Or(ScheduleConditionType):
    """At least one of the conditions holds."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.Or"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.models.conditions.types.OrCondition",
        "io.kestra.plugin.core.condition.OrCondition",
    )

    conditions: Annotated[ConditionList, Field(min_length=1, description="The conditions.")]
