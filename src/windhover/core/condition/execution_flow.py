"""``io.kestra.plugin.core.condition.ExecutionFlow``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.model.definition import Text
from windhover.plugin.condition import ConditionType


class ExecutionFlow(ConditionType):
    """The execution is one of a certain flow."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.ExecutionFlow"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.models.conditions.types.ExecutionFlowCondition",
        "io.kestra.plugin.core.condition.ExecutionFlowCondition",
    )

    namespace: Annotated[Text, Field(description="The namespace of the flow.")]
    flow_id: Annotated[Text, Field(description="The id of the flow.")]
