"""The annotation of properties that hold nested tasks.

A nested task is written as a map with a ``type``; which class it becomes is decided by the registry
given in the validation context.
"""

from __future__ import annotations

from typing import Annotated, Protocol

from pydantic import ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator

from windhover.model.task import Task


class TaskResolver(Protocol):
    """Turns the raw map of a task into the definition that its ``type`` calls for."""

    def parse_task(self, raw: object, info: ValidationInfo) -> Task: ...


def _parse_task(value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Task:
    if isinstance(value, Task):
        return value
    resolver: TaskResolver = (info.context or {})["resolver"]
    return resolver.parse_task(value, info)


#: One nested task of any type.
AnyTask = Annotated[Task, WrapValidator(_parse_task)]

#: A list of nested tasks, kept as a tuple because definitions are immutable.
TaskList = tuple[AnyTask, ...]
