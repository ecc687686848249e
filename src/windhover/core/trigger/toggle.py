"""``io.kestra.plugin.core.trigger.Toggle``"""

from typing import Annotated

from pydantic import Field

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import RunnableTask, TaskFailure


class Toggle(RunnableTask[None]):
    """Disable a trigger of a flow, or enable it."""

    type_name = "io.kestra.plugin.core.trigger.Toggle"
    aliases = ("io.kestra.core.tasks.trigger.Toggle",)
    deprecated = True
    examples = (
        Example(
            title="Stop a schedule once there is nothing left to do",
            code="""
trigger: every-minute
enabled: false
""",
        ),
    )

    trigger: Annotated[str, Field(description="The id of the trigger.")]
    flow_id: Annotated[str | None, Field(description="The id of its flow; this one if there is none.")] = None
    namespace: Annotated[
        str | None, Field(description="The namespace of its flow; that of this one if there is none.")
    ] = None
    enabled: Annotated[bool, Field(description="Enable it instead of disabling it.")] = False

    async def run(self, ctx: RunContext) -> None:
        # An expression that has come out empty must not change a trigger of this flow instead.
        namespace = ctx.identity.namespace if self.namespace is None else self.namespace
        flow_id = ctx.identity.flow_id if self.flow_id is None else self.flow_id
        try:
            await ctx.server.triggers.set_enabled(namespace, flow_id, self.trigger, self.enabled)
        except LookupError as error:
            raise TaskFailure(str(error.args[0])) from None
        ctx.logger.info(
            f"Trigger '{self.trigger}' of flow '{namespace}.{flow_id}' is "
            f"{'enabled' if self.enabled else 'disabled'}"
        )
