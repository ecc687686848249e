"""``io.kestra.plugin.core.condition.HasRetryAttempt``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.plugin.condition import ConditionType
from windhover.plugin.types import StatesText


class HasRetryAttempt(ConditionType):
    """A task run of the execution has an attempt that ended in one of some states."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.HasRetryAttempt"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.models.conditions.types.HasRetryAttemptCondition",
        "io.kestra.plugin.core.condition.HasRetryAttemptCondition",
    )

    in_: Annotated[StatesText | None, Field(alias="in", description="The states that count.")] = None
    not_in: Annotated[StatesText | None, Field(description="The states that do not count.")] = None
