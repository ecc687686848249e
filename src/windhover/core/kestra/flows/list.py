"""``io.kestra.plugin.kestra.flows.List``"""

from typing import Annotated

from pydantic import Field

from windhover.core.kestra.server_task import ServerTask
from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.task import Output


class ListOutput(Output):
    """What a List task gives: the flows, each with its namespace, id, revision, labels and description."""

    flows: list[dict[str, JsonValue]]


class List(ServerTask[ListOutput]):
    """List flows, sorted by namespace and id."""

    type_name = "io.kestra.plugin.kestra.flows.List"

    namespace: Annotated[
        str | None, Field(description="Only flows in this namespace and below it; all if not set.")
    ] = None

    async def act(self, ctx: RunContext) -> ListOutput:
        found = await ctx.server.flows.find(namespace=self.namespace)
        flows = [
            {
                "namespace": flow.namespace,
                "id": flow.id,
                "revision": flow.revision,
                "disabled": flow.disabled,
                "description": flow.description,
                "labels": {label.key: label.value for label in flow.labels},
            }
            for flow in found
        ]
        return ListOutput(flows=flows)
