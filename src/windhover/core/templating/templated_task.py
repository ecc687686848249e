"""``io.kestra.plugin.core.templating.TemplatedTask``"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from typing import Annotated, cast

from pydantic import Field

from windhover.model.execution import JsonValue
from windhover.model.task import Task
from windhover.model.yaml.document import DocumentInvalid, read_document
from windhover.plugin.context import RunContext
from windhover.plugin.definition import bind_properties, static_properties
from windhover.plugin.documentation import Example
from windhover.plugin.registry import shared_registry
from windhover.plugin.task import Output, RunnableTask, TaskFailure

#: Properties that every task has: the ones of the outer task count.
_COMMON = frozenset(info.alias or name for name, info in Task.model_fields.items())


class TemplatedTask(RunnableTask[Output | None]):
    """Run a task whose definition is itself made by expressions, its type even.

    It gives the outputs of that task. Flow-control tasks and other templated tasks are refused.
    """

    type_name = "io.kestra.plugin.core.templating.TemplatedTask"
    aliases = ("io.kestra.core.tasks.templating.TemplatedTask",)
    renders_other_texts = True
    examples = (
        Example(
            title="Log or return, as the one who starts the flow wants it",
            code="""
spec: |
  type: io.kestra.plugin.core.{{ inputs.log ? 'log.Log' : 'debug.Return' }}
  {{ inputs.log ? 'message' : 'format' }}: Hello
""",
        ),
    )

    spec: Annotated[str, Field(description="The YAML of a task, without an `id`, after rendering.")]

    async def run(self, ctx: RunContext) -> Output | None:
        task, properties = self._task()
        rendered = await asyncio.to_thread(_rendered, ctx, task, properties)
        bound = bind_properties(task, rendered)
        if inspect.iscoroutinefunction(bound.run):
            return await cast("Awaitable[Output | None]", bound.run(ctx))
        return cast("Output | None", await asyncio.to_thread(bound.run, ctx))

    def _task(self) -> tuple[type[RunnableTask[Output | None]], dict[str, JsonValue]]:
        """The class that the text names, and its properties.

        Raises:
            TaskFailure: the text is no task that could be run here.
        """
        try:
            written = read_document(self.spec).value
        except DocumentInvalid as error:
            raise TaskFailure(f"`spec` cannot be read: {error}") from None
        type_name = written.get("type") if isinstance(written, dict) else None
        if not isinstance(written, dict) or not isinstance(type_name, str):
            raise TaskFailure("`spec` must be a task with a `type`")
        found = shared_registry().find(type_name)
        if found is None:
            near = shared_registry().suggest(type_name)
            hint = f"; did you mean {near}?" if near else ""
            raise TaskFailure(f"`spec` names an unknown type: {type_name}{hint}")
        if not issubclass(found.cls, RunnableTask) or issubclass(found.cls, TemplatedTask):
            raise TaskFailure(f"A templated task cannot run {found.type_name}: it is no task for a worker")
        return found.cls, {name: value for name, value in written.items() if name not in _COMMON}


def _rendered(
    ctx: RunContext, task: type[RunnableTask[Output | None]], properties: dict[str, JsonValue]
) -> dict[str, JsonValue]:
    static = static_properties(task)
    return {
        name: value if name in static else ctx.render(value)
        for name, value in properties.items()
        if value is not None
    }
