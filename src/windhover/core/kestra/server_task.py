"""What the tasks of ``io.kestra.plugin.kestra`` have in common: which server they are for, and who asks."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Generic, TypeVar

from pydantic import Field

from windhover.model.definition import Definition
from windhover.plugin.context import RunContext
from windhover.plugin.task import Output, RunnableTask, TaskFailure

OutputT = TypeVar("OutputT", bound=Output | None)


class Credentials(Definition):
    """Credentials of the server's API. A task on the server itself needs none."""

    api_token: str | None = None
    username: str | None = None
    password: str | None = None
    auto: bool = True


class ServerTask(RunnableTask[OutputT], Generic[OutputT]):
    """A task that acts on the server it runs on, with the rights of that server."""

    kestra_url: Annotated[
        str | None, Field(description="Accepted; the task acts on the server it runs on.")
    ] = None
    auth: Annotated[
        Credentials | None, Field(description="Accepted; a task on its own server needs no credentials.")
    ] = None
    tenant_id: Annotated[str | None, Field(description="The tenant; there is no other than the flow's.")] = (
        None
    )

    async def run(self, ctx: RunContext) -> OutputT:
        tenant = ctx.identity.tenant_id
        if self.tenant_id not in (None, tenant):
            raise TaskFailure(f"The tenant '{self.tenant_id}' cannot be reached from tenant '{tenant}'")
        if self.kestra_url is not None:
            ctx.logger.warn(f"`kestraUrl: {self.kestra_url}` is not used: the task acts on its own server")
        return await self.act(ctx)

    @abstractmethod
    async def act(self, ctx: RunContext) -> OutputT:
        """Do the work."""
