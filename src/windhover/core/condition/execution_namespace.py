"""``io.kestra.plugin.core.condition.ExecutionNamespace``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from windhover.model.definition import Text
from windhover.plugin.condition import ConditionType
from windhover.plugin.types import BooleanText, readable_as


class Comparison(StrEnum):
    """How namespaces are compared."""

    EQUALS = "EQUALS"
    PREFIX = "PREFIX"
    SUFFIX = "SUFFIX"


class ExecutionNamespace(ConditionType):
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
