"""``io.kestra.plugin.core.flow.LoopUntil``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field

from windhover.core.concurrency import RenderedCount
from windhover.expression import truthy
from windhover.model.definition import Definition, RenderedDuration
from windhover.model.execution import JsonValue
from windhover.plugin.documentation import Example
from windhover.plugin.flowable import Again, Body, Enough, Fault, FlowableContext, FlowableTask, Lane, Round
from windhover.plugin.nesting import TaskList
from windhover.plugin.task import Output
from windhover.util.durations import read_duration


class CheckFrequency(Definition):
    """How long a loop waits between two rounds, and when it gives up."""

    interval: Annotated[
        RenderedDuration,
        Field(description="The wait after a round, as an ISO-8601 duration. May be an expression."),
    ] = "PT1M"
    max_iterations: Annotated[
        RenderedCount | None, Field(description="How many rounds there are at most. May be an expression.")
    ] = None
    max_duration: Annotated[
        RenderedDuration | None,
        Field(
            description="How long the loop goes on at most, as an ISO-8601 duration. May be an expression."
        ),
    ] = None


class LoopUntilOutput(Output):
    """What a LoopUntil task gives."""

    iteration_count: Annotated[
        int, Field(description="1 in the first round; raised after a round that has not ended the loop.")
    ]


class LoopUntil(FlowableTask):
    """Run tasks again and again until a condition is true.

    The condition is looked at after each round, and sees the outputs of its tasks and `iterationCount`.
    Only the task runs of the last round are kept. A task that fails ends the loop.
    """

    type_name: ClassVar[str] = "io.kestra.plugin.core.flow.LoopUntil"
    output: ClassVar[type[Output] | None] = LoopUntilOutput
    aliases: ClassVar[tuple[str, ...]] = ("io.kestra.plugin.core.flow.WaitFor",)
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="Ask every five seconds whether a job is done, for ten minutes at most",
            code="""
id: wait_for_job
type: io.kestra.plugin.core.flow.LoopUntil
condition: "{{ outputs.ask.code == 200 }}"
checkFrequency:
  interval: PT5S
  maxDuration: PT10M
failOnMaxReached: true
tasks:
  - id: ask
    type: io.kestra.plugin.core.http.Request
    uri: https://example.com/jobs/1
    options:
      allowFailed: true
""",
        ),
    )

    condition: Annotated[
        str | bool | int | float, Field(description="The loop ends when this is true; usually an expression.")
    ]
    check_frequency: CheckFrequency = CheckFrequency()
    fail_on_max_reached: Annotated[
        bool | str, Field(description="Whether the loop fails when it gives up. May be an expression.")
    ] = False
    tasks: TaskList = ()

    def body(self, resolved: JsonValue) -> Body:
        return Body([Lane(self.tasks)], rounds=True)

    def outputs(self, resolved: JsonValue) -> dict[str, JsonValue]:
        return self.round_outputs(0)

    def round_outputs(self, rounds: int) -> dict[str, JsonValue]:
        return {"iterationCount": rounds + 1}

    def after_round(self, ctx: FlowableContext, done: Round) -> Again | Enough:
        if truthy(ctx.render(self.condition)):
            return Enough()
        warning = self._limit_reached(ctx, done)
        if warning is not None:
            return Enough(warning, failed=truthy(ctx.render(self.fail_on_max_reached)))
        interval = _duration(ctx, self.check_frequency.interval, "checkFrequency.interval")
        return Again(max(interval, timedelta()).total_seconds())

    def check(self) -> Iterator[Fault]:
        if not self.tasks:
            yield Fault("The 'tasks' property cannot be empty", "tasks")

    def _limit_reached(self, ctx: FlowableContext, done: Round) -> str | None:
        limits = self.check_frequency
        if limits.max_iterations is not None:
            most = str(ctx.render(limits.max_iterations)).strip()
            if not most.isdecimal():
                raise ValueError(f"`checkFrequency.maxIterations` must be a whole number, not `{most}`")
            if done.number >= int(most):
                return "Max iterations reached"
        if limits.max_duration is not None:
            longest = _duration(ctx, limits.max_duration, "checkFrequency.maxDuration")
            if done.elapsed > longest:
                return "Max duration reached"
        return None


def _duration(ctx: FlowableContext, written: str, name: str) -> timedelta:
    try:
        return read_duration(ctx.render(written))
    except ValueError as error:
        raise ValueError(f"`{name}`: {error}") from None
