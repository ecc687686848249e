"""``io.kestra.plugin.core.condition.ExecutionLabels``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.model.labels import Labels
from windhover.plugin.condition import ConditionType


class ExecutionLabels(ConditionType):
    """The execution has all of some labels."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.ExecutionLabels"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.models.conditions.types.ExecutionLabelsCondition",
        "io.kestra.plugin.core.condition.ExecutionLabelsCondition",
    )

    labels: Annotated[Labels, Field(description="The labels: a map, or a list of keys and values.")]
