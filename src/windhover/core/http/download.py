"""``io.kestra.plugin.core.http.Download``"""

import re
from pathlib import Path, PurePosixPath
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import Field

from windhover.core.http_exchange import EXCHANGE_METRICS, HttpProperties, exchange, header_lists
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask, TaskFailure

_FILE_NAME = re.compile(r"""filename\s*=\s*(?:"(?P<quoted>[^"]*)"|(?P<bare>[^;]+))""", re.IGNORECASE)


class DownloadOutput(Output):
    """What a Download task gives."""

    uri: Annotated[str, Field(description="The file in the internal storage.")]
    code: Annotated[int, Field(description="The status of the answer.")]
    length: Annotated[int, Field(description="Bytes of the file.")]
    headers: dict[str, list[str]]


class Download(HttpProperties, RunnableTask[DownloadOutput]):
    """Send an HTTP request and stream the answer into a file of the internal storage."""

    type_name = "io.kestra.plugin.core.http.Download"
    aliases = ("io.kestra.plugin.fs.http.Download",)
    examples = (
        Example(
            title="Download a CSV file",
            code="""
uri: https://example.com/orders.csv
""",
        ),
    )
    reported_metrics = EXCHANGE_METRICS

    fail_on_empty_response: Annotated[
        bool, Field(description="An answer without a body fails the task, unless `allowFailed` is set.")
    ] = True
    save_as: Annotated[
        str | None,
        Field(description="The name of the file; without it the server, or the address, names it."),
    ] = None
    allow_failed: Annotated[bool | None, Field(deprecated=True)] = None

    async def run(self, ctx: RunContext) -> DownloadOutput:
        path = ctx.working_directory / "download"
        async with exchange(self, ctx) as answer:
            length = 0
            with path.open("wb") as file:
                async for chunk in answer.aiter_bytes():
                    file.write(chunk)
                    length += len(chunk)
            if length == 0 and self.fail_on_empty_response and not self.effective_options.allow_failed:
                raise TaskFailure("No response from server")
            if length == 0:
                ctx.logger.warn(f"The answer of {self.uri} is empty")
            name = self.save_as or _announced_name(answer.headers.get("content-disposition", ""))
            return DownloadOutput(
                uri=await ctx.files.put(path, name or f"download{_extension(self.uri)}"),
                code=answer.status_code,
                length=length,
                headers=header_lists(answer),
            )


def _announced_name(disposition: str) -> str | None:
    """The file name that a ``Content-Disposition`` header says, without any folders."""
    found = _FILE_NAME.search(disposition)
    if found is None:
        return None
    said = unquote((found["quoted"] if found["quoted"] is not None else found["bare"]).strip())
    name = PurePosixPath(said.replace("\\", "/")).name
    return name.replace(" ", "+").replace("[", "%5B").replace("]", "%5D") or None


def _extension(address: str) -> str:
    return Path(urlsplit(address).path).suffix or ".tmp"
