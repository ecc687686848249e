"""Base classes of triggers: what starts executions of a flow.

Some are decided by the server itself, from what the flow says: :class:`ScheduleTrigger`,
:class:`FlowTrigger`, :class:`WebhookTrigger`. They are definitions and keep text that may hold expressions
as written. The others are run by workers, with rendered and typed properties as tasks are:
:class:`PollingTrigger` looks now and then, :class:`RealtimeTrigger` listens all the time.

Documentation page: ``docs/plugins.md``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, ClassVar, Generic, Protocol

import msgspec
from pydantic import BaseModel, ConfigDict, Field, SkipValidation
from pydantic.alias_generators import to_camel

from windhover.model.definition import NonEmptyText
from windhover.model.execution import JsonValue
from windhover.model.state import StateType
from windhover.model.trigger import Trigger
from windhover.plugin.condition import unfit_conditions
from windhover.plugin.context import RunContext
from windhover.plugin.definition import bind_properties
from windhover.plugin.documentation import Example
from windhover.plugin.event_batch import EventBatch
from windhover.plugin.flowable import Fault
from windhover.plugin.gathering import ALL_EXECUTIONS, Gathering, Interest
from windhover.plugin.kind import PluginKind
from windhover.plugin.nesting import ConditionList
from windhover.plugin.task import Output, OutputT
from windhover.plugin.types import Duration, Static, TimeZone, WrittenDuration


class TriggerKind(StrEnum):
    """Who decides when a trigger fires. Triggers of the first three kinds have a state that is kept."""

    SCHEDULE = "SCHEDULE"
    POLLING = "POLLING"
    REALTIME = "REALTIME"
    FLOW = "FLOW"
    WEBHOOK = "WEBHOOK"


class RecoverMissedSchedules(StrEnum):
    """Which of the dates that passed while no scheduler ran are made up for."""

    LAST = "LAST"
    NONE = "NONE"
    ALL = "ALL"


class TriggerType(Trigger):
    """What the trigger types that the server decides have in common.

    ``inputs`` are given to the executions; they may hold expressions over ``trigger``.
    """

    plugin_kind: ClassVar[PluginKind] = PluginKind.TRIGGER
    trigger_kind: ClassVar[TriggerKind]
    type_name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    deprecated: ClassVar[bool] = False
    examples: ClassVar[tuple[Example, ...]] = ()
    #: What the variable ``trigger`` of the executions has.
    output: ClassVar[type[Output] | None] = None

    conditions: ConditionList = ()
    inputs: Annotated[
        dict[str, JsonValue] | None,
        Field(description="The inputs of the executions that this trigger starts."),
    ] = None

    def check(self) -> Iterator[Fault]:
        """What is wrong with the trigger beyond what the types of its properties say."""
        looks_at_executions = self.trigger_kind in (TriggerKind.FLOW, TriggerKind.WEBHOOK)
        return _unfit(self, executions=looks_at_executions)


class Calendar(Protocol):
    """The dates of a schedule, in the zone that they are told in."""

    def next_after(self, instant: datetime) -> datetime | None:
        """The first date after an instant; None when there is none."""

    def previous_before(self, instant: datetime) -> datetime | None:
        """The last date before an instant; None when there is none."""


class ScheduleTrigger(TriggerType):
    """Fires at dates that can be computed. The scheduler evaluates it."""

    trigger_kind = TriggerKind.SCHEDULE

    late_maximum_delay: Annotated[
        WrittenDuration | None, Field(description="Dates that are later than this are skipped.")
    ] = None

    timezone: Annotated[
        Static[TimeZone | None],
        Field(description="The time zone that dates are computed in; the server's when there is none."),
    ] = None
    recover_missed_schedules: Annotated[
        RecoverMissedSchedules | None,
        Field(description="Which dates are made up for that passed while the server was down."),
    ] = None

    @abstractmethod
    def calendar(self, zone: str, render: Callable[[JsonValue], JsonValue]) -> Calendar:
        """The dates of the trigger; ``zone`` is for one that names none, ``render`` renders expressions.

        Raises:
            ValueError: what was rendered holds no dates.
            windhover.expression.ExpressionError: an expression cannot be rendered.
        """


class FlowTrigger(TriggerType):
    """Fires on what other executions do. The executor evaluates it, at each new state of each execution.

    A type says beforehand which states and executions it may react to, so that all others cost nothing. Then
    its conditions must hold, and what it gathers must be complete.
    """

    trigger_kind = TriggerKind.FLOW

    @abstractmethod
    def reacts_to(self, state: StateType) -> bool:
        """Whether executions that reach this state may fire the trigger."""

    def interests(self) -> Sequence[Interest]:
        """The executions that may fire the trigger, as far as can be told beforehand."""
        return (ALL_EXECUTIONS,)

    def gatherings(self) -> Sequence[Gathering]:
        """What several executions have to bring about together; all must be complete."""
        return ()


class WebhookTrigger(TriggerType):
    """Fires on an HTTP request. The web server evaluates it."""

    trigger_kind = TriggerKind.WEBHOOK


class Event(msgspec.Struct, Generic[OutputT], frozen=True):
    """Something that happened outside, and starts one execution.

    ``output`` becomes the variable ``trigger`` of the execution. ``key`` identifies the event among all of
    its trigger, as an offset or the id of a message does: one that comes again with the same key starts
    nothing. ``acknowledge`` is awaited once the execution is committed, or the event is kept for a batch, or
    once it is known that the key was seen before; if the process dies in between, it has to come again.
    """

    output: OutputT
    key: str | None = None
    acknowledge: Callable[[], Awaitable[None]] | None = None


class Forget(msgspec.Struct, frozen=True):
    """Keys that their source will not give again for the same event, but may give to another one.

    ``prefix`` is what they begin with; it must not be empty. ``acknowledge`` is awaited once they are
    forgotten, which outlives the process; if that dies before, the source has to say it again.
    """

    prefix: str
    acknowledge: Callable[[], Awaitable[None]] | None = None


class WorkerTrigger(BaseModel, Generic[OutputT]):
    """What the triggers that workers run have in common. Subclasses are the typed form, after rendering."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
        defer_build=True,
    )

    plugin_kind: ClassVar[PluginKind] = PluginKind.TRIGGER
    trigger_kind: ClassVar[TriggerKind]
    type_name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    deprecated: ClassVar[bool] = False
    examples: ClassVar[tuple[Example, ...]] = ()

    event_key: Annotated[
        Static[NonEmptyText | None],
        Field(
            description="An expression over `trigger` that says which event it is: one with the key of an "
            "earlier one of the trigger starts nothing."
        ),
    ] = None


class TriggerContext(RunContext, Protocol):
    """The argument of a trigger that workers run: what tasks get, and a memory from one look to the next."""

    @property
    def memory(self) -> Mapping[str, JsonValue]:
        """What the last look that came to an end has asked to remember; empty before the first."""

    def remember(self, memory: Mapping[str, JsonValue]) -> None:
        """Keep this for the next look instead.

        It is written in the transaction that stores the execution of this look, or notes that there is none:
        after a crash the trigger looks again with the memory it had.
        """


class PollingTrigger(WorkerTrigger[OutputT]):
    """Looks for something at intervals; what it finds starts one execution."""

    trigger_kind = TriggerKind.POLLING

    interval: Annotated[Static[Duration], Field(description="The time between two looks.")] = timedelta(
        seconds=60
    )

    @abstractmethod
    def poll(self, ctx: TriggerContext) -> Event[OutputT] | Awaitable[Event[OutputT] | None] | None:
        """Look once. What is found starts one execution; None starts none.

        ``async def`` is awaited on the worker's loop, ``def`` runs in a thread.
        """


class RealtimeTrigger(WorkerTrigger[OutputT]):
    """Listens as long as it is enabled; every event starts an execution, or, with ``batch``, many start one.

    The server gathers: a type does nothing for it. Events are acknowledged as soon as they are gathered.
    """

    trigger_kind = TriggerKind.REALTIME

    batch: Annotated[
        Static[EventBatch | None],
        Field(description="Gather events, and start one execution for many: `trigger.events`."),
    ] = None

    @abstractmethod
    def events(self, ctx: RunContext) -> AsyncIterator[Event[OutputT] | Forget]:
        """Yield each event, as an async generator; every one starts an execution or goes into a batch.

        Where a source uses the keys of its events again, it also yields which of them to forget.

        The generator is asked for more before the events it gave are acknowledged, so it limits by itself
        how many may be under way. It is cancelled when the trigger is disabled or changed, and begun anew
        with increasing pauses when it ends or raises.
        """


class TriggerDefinition(Trigger):
    """A trigger that workers run, as the flow writes it: its class and its properties before rendering.

    ``properties`` holds what is not common to all triggers, as JSON values, under the names that flows use
    (camelCase).
    """

    conditions: ConditionList = ()
    plugin: SkipValidation[type[WorkerTrigger[Output | None]]]
    properties: Mapping[str, JsonValue] = {}

    @cached_property
    def batch(self) -> EventBatch | None:
        """The window in which the events of a trigger that listens are gathered; None when they are not."""
        written = self.properties.get("batch") if issubclass(self.plugin, RealtimeTrigger) else None
        return None if written is None else EventBatch.model_validate(written)

    def check(self) -> Iterator[Fault]:
        """What is wrong with the trigger beyond what the types of its properties say."""
        return _unfit(self, executions=False)

    def bind(self, rendered: Mapping[str, JsonValue]) -> WorkerTrigger[Output | None]:
        """Validate rendered properties into the class.

        Raises:
            InvalidProperties: values do not fit their properties; it has one problem for each.
        """
        return bind_properties(self.plugin, rendered)


def _unfit(trigger: Trigger, *, executions: bool) -> Iterator[Fault]:
    for reason in unfit_conditions(trigger.all_conditions, executions=executions):
        yield Fault(reason, "conditions")
