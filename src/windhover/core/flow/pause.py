"""``io.kestra.plugin.core.flow.Pause``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.model.definition import RenderedDuration, unless_expression
from windhover.model.execution import JsonValue
from windhover.model.inputs import Input
from windhover.model.state import StateType
from windhover.plugin.flowable import Body, FlowableContext, FlowableTask, Lane, PauseBehavior, PauseUntil
from windhover.plugin.nesting import AnyTask, TaskList
from windhover.plugin.task import Output
from windhover.util.durations import read_duration


class Resumed(Output):
    """How a pause ended."""

    by: Annotated[str | None, Field(description="Who resumed it, if it was a person.")] = None
    on: Annotated[str, Field(description="When, as a date and time in UTC.")]
    to: Annotated[StateType, Field(description="The state in which the pause ended.")]


class PauseOutput(Output):
    """What a Pause task gives."""

    on_resume: Annotated[
        dict[str, JsonValue] | None, Field(description="The inputs that were given to go on.")
    ] = None
    resumed: Resumed


_CHOICES = (PauseBehavior.RESUME, PauseBehavior.WARN, PauseBehavior.CANCEL, PauseBehavior.FAIL)


def _chosen(behavior: str) -> str:
    """What an author has chosen for the end of a pause, in upper case.

    Raises:
        ValueError: there is no such choice.
    """
    found = behavior.upper()
    if found not in _CHOICES:
        raise ValueError(f"there is no behavior `{behavior}`; there are {', '.join(_CHOICES)}")
    return found


class Pause(FlowableTask):
    """Let the execution wait: for somebody to resume it, or for a time.

    Without `pauseDuration` it waits until it is resumed. With one, `behavior` says what happens at its end.
    """

    type_name: ClassVar[str] = "io.kestra.plugin.core.flow.Pause"
    output: ClassVar[type[Output] | None] = PauseOutput
    aliases: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.Pause",)

    pause_duration: Annotated[
        RenderedDuration | None,
        Field(description="How long to wait, as an ISO-8601 duration. May be an expression."),
    ] = None
    delay: Annotated[
        RenderedDuration | None, Field(deprecated=True, description="The old name of `pauseDuration`.")
    ] = None
    behavior: Annotated[
        str,
        unless_expression(_chosen),
        Field(description="At the end of `pauseDuration`: RESUME, WARN, CANCEL or FAIL."),
    ] = PauseBehavior.RESUME
    on_resume: Annotated[
        tuple[Input, ...], Field(description="Inputs that whoever resumes the execution gives.")
    ] = ()
    on_pause: Annotated[AnyTask | None, Field(description="A task that runs when the pause begins.")] = None
    tasks: Annotated[TaskList, Field(deprecated=True)] = ()

    def resolve(self, ctx: FlowableContext) -> JsonValue:
        duration = self._duration(ctx, self.pause_duration or vars(self)["delay"], "pauseDuration")
        limit = self._duration(ctx, self.timeout, "timeout")
        if duration is not None:
            return {"seconds": duration, "behavior": _chosen(str(ctx.render(self.behavior)))}
        if limit is not None:
            return {"seconds": limit, "behavior": PauseBehavior.TIMEOUT.value}
        return {"seconds": None, "behavior": PauseBehavior.RESUME.value}

    def body(self, resolved: JsonValue) -> Body:
        behavior = PauseBehavior(resolved["behavior"])
        tasks: TaskList = vars(self)["tasks"]
        until = PauseUntil(resolved["seconds"], behavior, self.on_resume, self.on_pause)
        return Body([Lane(tasks)] if tasks else [], pause=until)

    @staticmethod
    def _duration(ctx: FlowableContext, written: str | None, name: str) -> float | None:
        if written is None:
            return None
        rendered = ctx.render(written)
        if rendered is None or rendered == "":
            return None
        try:
            return read_duration(rendered).total_seconds()
        except ValueError as error:
            raise ValueError(f"`{name}`: {error}") from None
