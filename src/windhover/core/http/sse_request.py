"""``io.kestra.plugin.core.http.SseRequest``"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import IO, Annotated

from pydantic import Field

from windhover.core.http_exchange import EXCHANGE_METRICS, HttpProperties, exchange
from windhover.expression import ExpressionError, to_text
from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example, MetricDescription
from windhover.plugin.task import Output, RunnableTask, TaskFailure


class SseRequestOutput(Output):
    """What an SseRequest task gives."""

    uri: Annotated[str, Field(description="A file with all events, an Ion struct a line.")]
    events: Annotated[
        list[dict[str, JsonValue]] | None,
        Field(description="All events, unless they are put together by `concatJqExpression`."),
    ] = None
    size: Annotated[int, Field(description="How many events came.")]
    result: Annotated[str | None, Field(description="What `concatJqExpression` found, put together.")] = None


class SseRequest(HttpProperties, RunnableTask[SseRequestOutput]):
    """Send an HTTP request and collect the server-sent events of the answer until the server ends it."""

    type_name = "io.kestra.plugin.core.http.SseRequest"
    examples = (
        Example(
            title="Put the words of a language model together",
            code="""
uri: https://example.com/v1/completions
method: POST
body: |
  {"prompt": "Hello", "stream": true}
concatJqExpression: .choices[0].text
failedOnMissingJq: false
""",
        ),
    )
    reported_metrics = (*EXCHANGE_METRICS, MetricDescription("size", "counter", "Events received."))

    concat_jq_expression: Annotated[
        str | None, Field(description="A jq program over the data of each event; its texts are joined.")
    ] = None
    failed_on_missing_jq: Annotated[
        bool | None, Field(description="Fail when the program finds nothing in an event; true if unset.")
    ] = None
    allow_failed: Annotated[bool | None, Field(deprecated=True)] = None

    async def run(self, ctx: RunContext) -> SseRequestOutput:
        path = ctx.working_directory / "events.ion"
        events: list[dict[str, JsonValue]] = []
        found: list[str] = []
        program = self.concat_jq_expression
        size = 0
        async with exchange(self, ctx, accept="text/event-stream") as answer:
            with path.open("w", encoding="utf-8") as file:
                async for event in _events(answer.aiter_lines()):
                    size += 1
                    _write(event, file)
                    if program is None:
                        events.append(event)
                    else:
                        found += await asyncio.to_thread(self._find, ctx, program, event)
        ctx.metric("counter", "size", size)
        joined = "".join(found)
        return SseRequestOutput(
            uri=await ctx.files.put(path, path.name),
            events=None if joined else events,
            size=size,
            result=joined or None,
        )

    def _find(self, ctx: RunContext, program: str, event: dict[str, JsonValue]) -> list[str]:
        variables: dict[str, JsonValue] = {"program": program, "data": json.dumps(event.get("data"))}
        try:
            found = ctx.render("{{ data | jq(program) | toJson }}", variables)
        except ExpressionError as error:
            raise TaskFailure(f"`concatJqExpression`: {error}") from None
        results = json.loads(to_text(found))
        texts = [to_text(value) for value in results if value is not None]
        if not texts and self.failed_on_missing_jq is not False:
            raise TaskFailure(f"`concatJqExpression` finds nothing in event {json.dumps(event)}")
        return texts


@dataclass(slots=True)
class _Building:
    """An event of which not all lines are there yet."""

    fields: dict[str, JsonValue] = field(default_factory=dict)
    data: list[str] = field(default_factory=list)

    def take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self.data.append(value)
        else:
            self.fields[name or "comment"] = value

    def event(self) -> dict[str, JsonValue]:
        if not self.data:
            return self.fields
        text = "\n".join(self.data)
        try:
            return {**self.fields, "data": json.loads(text)}
        except ValueError:
            return {**self.fields, "data": text}


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[dict[str, JsonValue]]:
    building = _Building()
    async for line in lines:
        if line:
            building.take(line)
        elif building.fields or building.data:
            yield building.event()
            building = _Building()
    if building.fields or building.data:
        yield building.event()


def _write(event: dict[str, JsonValue], file: IO[str]) -> None:
    from amazon.ion import simpleion

    file.write(f"{simpleion.dumps(event, binary=False, omit_version_marker=True)}\n")
