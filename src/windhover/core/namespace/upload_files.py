"""``io.kestra.plugin.core.namespace.UploadFiles``"""

from collections.abc import AsyncIterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from windhover.model.namespace_file import NamespaceFileExists
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.local_paths import files_matching
from windhover.plugin.task import Output, RunnableTask, TaskFailure


class Conflict(StrEnum):
    """What to do about a file that the namespace has already."""

    OVERWRITE = "OVERWRITE"
    ERROR = "ERROR"
    SKIP = "SKIP"


class UploadFilesOutput(Output):
    """What an UploadFiles task gives: nothing, though flows may name ``files``."""

    files: dict[str, str] | None = None


class UploadFiles(RunnableTask[UploadFilesOutput]):
    """Store files among those of a namespace."""

    type_name = "io.kestra.plugin.core.namespace.UploadFiles"
    examples = (
        Example(
            title="Store an output under a name of its own",
            code="""
namespace: "{{ flow.namespace }}"
filesMap:
  data/customers.csv: "{{ outputs.download.uri }}"
""",
        ),
    )

    namespace: str
    files: Annotated[list[str] | None, Field(description="Patterns of files of the working directory.")] = (
        None
    )
    files_map: Annotated[dict[str, str | None] | None, Field(description="URIs by name.")] = None
    destination: Annotated[str, Field(description="The directory to store them in.")] = "/"
    conflict: Conflict = Conflict.OVERWRITE

    async def run(self, ctx: RunContext) -> UploadFilesOutput:
        if self.files is None and self.files_map is None:
            raise TaskFailure("Set `files`, `filesMap` or both")
        for name, path in files_matching(ctx.working_directory, self.files or ()).items():
            await self._upload(ctx, name, path)
        for name, uri in (self.files_map or {}).items():
            if uri is not None and await ctx.files.exists(uri):
                await self._upload(ctx, name, ctx.files.open(uri))
        return UploadFilesOutput()

    async def _upload(self, ctx: RunContext, name: str, source: Path | AsyncIterator[bytes]) -> None:
        path = f"{self.destination.strip('/')}/{name.lstrip('/')}".lstrip("/")
        store = ctx.server.namespace_files
        try:
            stored = await store.put(
                self.namespace, path, source, overwrite=self.conflict is Conflict.OVERWRITE
            )
        except NamespaceFileExists as error:
            if self.conflict is not Conflict.SKIP:
                reason = " and conflict is set to ERROR" if self.conflict is Conflict.ERROR else ""
                raise TaskFailure(f"{error}{reason}") from None
            ctx.logger.debug(f"File '/{path}' skipped: it exists in namespace '{self.namespace}'.")
            return
        done = "added to" if stored.created == stored.updated else "overwritten into"
        ctx.logger.debug(f"File '/{path}' {done} namespace '{self.namespace}'.")
