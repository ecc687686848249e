"""``io.kestra.plugin.core.namespace.PurgeFiles``"""

from typing import Annotated

from pydantic import Field

from windhover.core.purge_scope import VersionBehavior, name_filter, purged_namespaces
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask


class PurgeFilesOutput(Output):
    """What a PurgeFiles task gives: how many versions it deleted."""

    size: int


class PurgeFiles(RunnableTask[PurgeFilesOutput]):
    """Delete old versions of the files of namespaces for good, and what is left of deleted files."""

    type_name = "io.kestra.plugin.core.namespace.PurgeFiles"
    examples = (
        Example(
            title="Keep three versions of each Python file",
            code="""
namespaces: [company]
filePattern: "**/*.py"
behavior:
  type: version
  keepAmount: 3
""",
        ),
    )

    file_pattern: Annotated[str | None, Field(description="Paths to look at, such as `**/*.py`.")] = None
    namespaces: list[str] | None = None
    namespace_pattern: Annotated[str | None, Field(description="Namespaces, such as `company.*`.")] = None
    behavior: VersionBehavior = VersionBehavior(keep_amount=1)
    include_child_namespaces: bool = True

    async def run(self, ctx: RunContext) -> PurgeFilesOutput:
        store = ctx.server.namespace_files
        namespaces = purged_namespaces(
            await store.namespaces(),
            self.namespaces,
            self.namespace_pattern,
            children=self.include_child_namespaces,
        )
        ctx.logger.info(f"purging {len(namespaces)} namespaces: [{', '.join(namespaces)}]")
        size = await store.purge(namespaces, name_filter(self.file_pattern), self.behavior.purge())
        ctx.logger.info(f"purged {size} files")
        return PurgeFilesOutput(size=size)
