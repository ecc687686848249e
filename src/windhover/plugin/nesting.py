"""The annotations of properties that hold nested tasks, conditions or triggers.

Each is written as a map with a ``type``; which class it becomes is decided by the resolver given in the
validation context.
"""

from __future__ import annotations

from typing import Annotated, Protocol

from pydantic import ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator

from windhover.model.task import Task
from windhover.model.trigger import Condition, Trigger


class TaskResolver(Protocol):
    """Turns the raw map of a task into the definition that its ``type`` calls for."""

    def parse_task(self, raw: object, info: ValidationInfo) -> Task: ...


class ConditionResolver(Protocol):
    """Turns the raw map of a condition into the definition that its ``type`` calls for."""

    def parse_condition(self, raw: object, info: ValidationInfo) -> Condition: ...


class TriggerResolver(Protocol):
    """Turns the raw map of a trigger into the definition that its ``type`` calls for."""

    def parse_trigger(self, raw: object, info: ValidationInfo) -> Trigger: ...


def _parse_task(value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Task:
    if isinstance(value, Task):
        return value
    resolver: TaskResolver = (info.context or {})["resolver"]
    return resolver.parse_task(value, info)


def _parse_condition(value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Condition:
    if isinstance(value, Condition):
        return value
    resolver: ConditionResolver = (info.context or {})["resolver"]
    return resolver.parse_condition(value, info)


def _parse_trigger(value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Trigger:
    if isinstance(value, Trigger):
        return value
    resolver: TriggerResolver = (info.context or {})["resolver"]
    return resolver.parse_trigger(value, info)


#: One nested task of any type.
AnyTask = Annotated[Task, WrapValidator(_parse_task)]

#: A list of nested tasks, kept as a tuple because definitions are immutable.
TaskList = tuple[AnyTask, ...]

#: One nested condition of any type.
AnyCondition = Annotated[Condition, WrapValidator(_parse_condition)]

#: A list of conditions.
ConditionList = tuple[AnyCondition, ...]

#: One trigger of any type.
AnyTrigger = Annotated[Trigger, WrapValidator(_parse_trigger)]
