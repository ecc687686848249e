"""``io.kestra.plugin.core.namespace.DeleteFiles``"""

from typing import Annotated

from pydantic import Field

from windhover.model.namespace_file import parent_directories
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example, MetricDescription
from windhover.plugin.namespace_files import path_filter
from windhover.plugin.task import Output, RunnableTask


class DeleteFilesOutput(Output):
    """What a DeleteFiles task gives: nothing, though flows may name ``files``."""

    files: dict[str, str] | None = None


class DeleteFiles(RunnableTask[DeleteFilesOutput]):
    """Delete files of a namespace. Their versions are kept until they are purged."""

    type_name = "io.kestra.plugin.core.namespace.DeleteFiles"
    examples = (
        Example(
            title="Delete files and the directories that this leaves empty",
            code="""
namespace: "{{ flow.namespace }}"
files:
  - /tmp/**
deleteParentFolder: true
""",
        ),
    )
    reported_metrics = (MetricDescription("deleted", "counter", "Files deleted."),)

    namespace: str
    files: Annotated[str | list[str], Field(description="Patterns; without a leading `/` at any depth.")]
    delete_parent_folder: Annotated[bool, Field(description="Also directories that are then empty.")] = False

    async def run(self, ctx: RunContext) -> DeleteFilesOutput:
        wanted = path_filter([self.files] if isinstance(self.files, str) else self.files)
        store = ctx.server.namespace_files
        deleted: list[str] = []
        for file in await store.list(self.namespace):
            if not file.is_directory and wanted(file.path):
                await store.delete(self.namespace, file.path)
                deleted.append(file.path)
                ctx.logger.debug(f"Deleted {file.path}")
        if self.delete_parent_folder:
            await self._delete_empty(ctx, {parent for path in deleted for parent in parent_directories(path)})
        ctx.metric("counter", "deleted", len(deleted))
        return DeleteFilesOutput()

    async def _delete_empty(self, ctx: RunContext, directories: set[str]) -> None:
        store = ctx.server.namespace_files
        # The innermost first: that may empty the one around it.
        for directory in sorted(directories, key=len, reverse=True):
            if not await store.list(self.namespace, directory):
                await store.delete(self.namespace, directory)
                ctx.logger.debug(f"Deleted empty folder: {directory.rstrip('/')}")
