"""``io.kestra.plugin.core.condition.FlowNamespaceCondition``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.model.definition import Text
from windhover.plugin.condition import ConditionContext, ConditionType
from windhover.plugin.types import Static


class FlowNamespaceCondition(ConditionType):
    """The flow is of a certain namespace; use `ExecutionNamespace` instead."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.FlowNamespaceCondition"
    aliases: ClassVar[tuple[str, ...]] = ("io.kestra.core.models.conditions.types.FlowNamespaceCondition",)
    deprecated: ClassVar[bool] = True

    namespace: Annotated[Static[Text], Field(description="The namespace.")]
    prefix: Annotated[bool, Field(description="Namespaces that begin with it count as well.")] = False

    def holds(self, context: ConditionContext) -> bool:
        if self.prefix:
            return context.namespace.startswith(self.namespace)
        return context.namespace == self.namespace
