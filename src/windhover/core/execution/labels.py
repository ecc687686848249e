"""``io.kestra.plugin.core.execution.Labels``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.core.labels import read_labels
from windhover.model.execution import Execution, JsonValue, Label
from windhover.plugin.execution_update import ExecutionUpdate, ExecutionUpdateTask


class Labels(ExecutionUpdateTask):
    """Add labels to the execution; a new value takes the place of an old one."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.execution.Labels"
    aliases: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.executions.Labels",)

    labels: Annotated[
        dict[str, JsonValue] | list[JsonValue],
        Field(description="A map, or a list of `key` and `value`; also the JSON text of one."),
    ]

    def update(self, execution: Execution) -> ExecutionUpdate:
        merged = {label.key: label for label in execution.labels}
        merged.update((label.key, Label(label.key, label.value)) for label in read_labels(self.labels))
        return ExecutionUpdate(labels=list(merged.values()))
