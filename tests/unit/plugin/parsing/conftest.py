"""A few plugins of each kind, so that parsing is tested apart from the types that come with the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, ClassVar

import pytest
from pydantic import Field

from windhover.model.definition import Definition
from windhover.model.execution import JsonValue
from windhover.model.state import StateType
from windhover.plugin.condition import ConditionContext, ConditionType
from windhover.plugin.context import RunContext
from windhover.plugin.flowable import Body, Fault, FlowableTask, Lane
from windhover.plugin.kind import PluginKind
from windhover.plugin.nesting import AnyCondition, AnyTask, TaskList
from windhover.plugin.parsing import ParsedFlow, parse_flow
from windhover.plugin.registry import Registry
from windhover.plugin.task import RunnableTask
from windhover.plugin.trigger import Calendar, Event, FlowTrigger, PollingTrigger, ScheduleTrigger


class Say(RunnableTask[None]):
    """Says something."""

    type_name: ClassVar[str] = "test.Say"
    aliases: ClassVar[tuple[str, ...]] = ("test.old.Say",)

    message: str | list[str]
    times: Annotated[int, Field(ge=1)] = 1
    options: dict[str, str] | None = None

    def run(self, ctx: RunContext) -> None: ...


class Shout(Say):
    """Says something the old way."""

    type_name: ClassVar[str] = "test.Shout"
    aliases: ClassVar[tuple[str, ...]] = ()
    deprecated: ClassVar[bool] = True


class Group(FlowableTask):
    """Holds tasks."""

    type_name: ClassVar[str] = "test.Group"

    tasks: TaskList = ()
    limit: Annotated[int, Field(ge=0)] = 0
    value: str | list[str] | None = None

    def body(self, resolved: JsonValue) -> Body:
        return Body([Lane(self.tasks)])

    def check(self) -> Iterator[Fault]:
        if not self.tasks:
            yield Fault("The 'tasks' property cannot be empty", "tasks")
        if len(self.tasks) > 3:
            yield Fault("too many tasks")


class Branch(FlowableTask):
    """Holds tasks of which there must be some, and tasks by name."""

    type_name: ClassVar[str] = "test.Branch"

    then: Annotated[TaskList, Field(min_length=1)]
    cases: dict[str, TaskList] = Field(default_factory=dict)

    def body(self, resolved: JsonValue) -> Body:
        return Body([Lane(self.then)])


class Step(Definition):
    """A task and those before it."""

    task: AnyTask
    after: tuple[str, ...] = ()


class Graph(FlowableTask):
    """Holds tasks within maps."""

    type_name: ClassVar[str] = "test.Graph"

    steps: tuple[Step, ...]

    def body(self, resolved: JsonValue) -> Body:
        return Body([Lane((step.task,)) for step in self.steps])


class Start(RunnableTask[None]):
    """Starts another flow."""

    plugin_kind: ClassVar[PluginKind] = PluginKind.EXECUTABLE
    type_name: ClassVar[str] = "test.Start"

    namespace: str
    flow_id: str

    def run(self, ctx: RunContext) -> None: ...


class Mark(RunnableTask[None]):
    """Marks its execution."""

    plugin_kind: ClassVar[PluginKind] = PluginKind.EXECUTION_UPDATE
    type_name: ClassVar[str] = "test.Mark"

    def run(self, ctx: RunContext) -> None: ...


class Timer(ScheduleTrigger):
    """Fires at dates."""

    type_name: ClassVar[str] = "test.Timer"

    cron: str

    def check(self) -> Iterator[Fault]:
        if self.cron == "never":
            yield Fault("invalid cron expression 'never'")

    def calendar(self, zone: str, render: Callable[[JsonValue], JsonValue]) -> Calendar:
        raise ValueError("no flow of these tests is scheduled")


class Upstream(FlowTrigger):
    """Fires on other flows."""

    type_name: ClassVar[str] = "test.Upstream"

    preconditions: dict[str, JsonValue] | None = None

    def reacts_to(self, state: StateType) -> bool:
        return state.is_terminated


class Poll(PollingTrigger[None]):
    """Looks for something."""

    type_name: ClassVar[str] = "test.Poll"

    uri: str
    attempts: int = 1

    def poll(self, ctx: RunContext) -> Event[None] | None: ...


class Is(ConditionType):
    """Compares something."""

    type_name: ClassVar[str] = "test.Is"

    expression: str

    def holds(self, context: ConditionContext) -> bool:
        return context.text(self.expression) == "true"


class Not(ConditionType):
    """Turns a condition round."""

    type_name: ClassVar[str] = "test.Not"

    condition: AnyCondition

    def holds(self, context: ConditionContext) -> bool:
        return not any(part.evaluate(context) for part in self.parts())

    def parts(self) -> Sequence[ConditionType]:
        return [self.condition] if isinstance(self.condition, ConditionType) else []


@pytest.fixture(scope="session")
def registry() -> Registry:
    registry = Registry(bundled=(), discover=False)
    for cls in (Say, Shout, Group, Branch, Graph, Start, Mark, Timer, Upstream, Poll, Is, Not):
        registry.register(cls)
    return registry


@pytest.fixture(scope="session")
def parse(registry: Registry) -> Callable[..., ParsedFlow]:
    def parse_text(source: str | bytes, **options: object) -> ParsedFlow:
        return parse_flow(source, registry, **options)  # type: ignore[arg-type]

    return parse_text
