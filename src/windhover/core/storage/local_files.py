"""``io.kestra.plugin.core.storage.LocalFiles``"""

import json
from typing import Annotated

from pydantic import Field

from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.local_paths import files_matching, path_inside
from windhover.plugin.task import Output, RunnableTask


class LocalFilesOutput(Output):
    """What a LocalFiles task gives: the URIs of the stored files by path."""

    uris: dict[str, str]


class LocalFiles(RunnableTask[LocalFilesOutput]):
    """Put files into the working directory, and store files of it.

    Use `inputFiles` and `outputFiles` of the tasks that have them.
    """

    type_name = "io.kestra.plugin.core.storage.LocalFiles"
    aliases = ("io.kestra.core.tasks.storages.LocalFiles",)
    deprecated = True
    examples = (
        Example(
            title="Put a file there",
            code="""
inputs:
  data.csv: "{{ outputs.download.uri }}"
""",
        ),
    )

    inputs: Annotated[dict[str, JsonValue] | None, Field(description="Contents or URIs, by path.")] = None
    outputs: Annotated[list[str] | None, Field(description="Patterns of files to store.")] = None

    async def run(self, ctx: RunContext) -> LocalFilesOutput:
        for name, content in (self.inputs or {}).items():
            target = path_inside(ctx.working_directory, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str) and content.startswith("kestra://"):
                await ctx.files.download(content, target)
            else:
                target.write_text(_text(content), encoding="utf-8", newline="")
        found = files_matching(ctx.working_directory, self.outputs or ())
        return LocalFilesOutput(uris={name: await ctx.files.put(path, name) for name, path in found.items()})


def _text(content: JsonValue) -> str:
    if isinstance(content, str):
        return content
    return json.dumps(content, ensure_ascii=False)
