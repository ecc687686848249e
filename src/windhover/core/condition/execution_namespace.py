"""``io.kestra.plugin.core.condition.ExecutionNamespace``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from windhover.expression import truthy
from windhover.model.definition import Text
from windhover.model.execution import Execution
from windhover.plugin.condition import ConditionContext, ExecutionConditionType
from windhover.plugin.types import BooleanText, readable_as


class Comparison(StrEnum):
    """How namespaces are compared."""

    EQUALS = "EQUALS"
    PREFIX = "PREFIX"
    SUFFIX = "SUFFIX"


class ExecutionNamespace(ExecutionConditionType):
    """The execution is one of a flow of a certain namespace."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.ExecutionNamespace"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.models.conditions.types.ExecutionNamespaceCondition",
        "io.kestra.plugin.core.condition.ExecutionNamespaceCondition",
    )

    namespace: Annotated[Text, Field(description="The namespace.")]
    comparison: Annotated[
        Annotated[Text, readable_as(Comparison)] | None,
        Field(description="How it is compared; `PREFIX` when `prefix` is set, else `EQUALS`."),
    ] = None
    prefix: Annotated[BooleanText, Field(description="The older way to compare by prefix.")] = "false"

    def holds_for(self, execution: Execution, context: ConditionContext) -> bool:
        namespace = context.text(self.namespace)
        match self._comparison(context):
            case Comparison.EQUALS:
                return execution.namespace == namespace
            case Comparison.PREFIX:
                return execution.namespace.startswith(namespace)
            case Comparison.SUFFIX:
                return execution.namespace.endswith(namespace)

    def _comparison(self, context: ConditionContext) -> Comparison:
        if self.comparison is not None:
            return Comparison(context.text(self.comparison))
        return Comparison.PREFIX if truthy(context.renderer.render(self.prefix)) else Comparison.EQUALS
