"""``io.kestra.plugin.core.namespace.DownloadFiles``"""

from typing import Annotated

from pydantic import Field

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example, MetricDescription
from windhover.plugin.namespace_files import path_filter
from windhover.plugin.task import Output, RunnableTask


class DownloadFilesOutput(Output):
    """What a DownloadFiles task gives: the URIs of the copies, by path within the namespace."""

    files: dict[str, str]


class DownloadFiles(RunnableTask[DownloadFilesOutput]):
    """Copy files of a namespace into the execution, so that its tasks can read them by URI."""

    type_name = "io.kestra.plugin.core.namespace.DownloadFiles"
    examples = (
        Example(
            title="Copy all SQL files",
            code="""
namespace: "{{ flow.namespace }}"
files:
  - "*.sql"
""",
        ),
    )
    reported_metrics = (MetricDescription("downloaded", "counter", "Files copied."),)

    namespace: str
    files: Annotated[str | list[str], Field(description="Patterns; without a leading `/` at any depth.")]
    destination: Annotated[str, Field(description="The directory for the copies.")] = ""

    async def run(self, ctx: RunContext) -> DownloadFilesOutput:
        wanted = path_filter([self.files] if isinstance(self.files, str) else self.files)
        store = ctx.server.namespace_files
        found: dict[str, str] = {}
        for file in await store.list(self.namespace):
            if not file.is_directory and wanted(file.path):
                uri = await ctx.files.put(store.stream(file), f"{self.destination}/{file.path}")
                found[f"/{file.path}"] = uri
                ctx.logger.debug(f"Downloaded {uri}")
        ctx.metric("counter", "downloaded", len(found))
        return DownloadFilesOutput(files=found)
