"""What scheduler, worker and executor say to each other about triggers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from windhover.engine.messages import TriggersChanged
from windhover.model.execution import JsonValue
from windhover.model.flow import Flow
from windhover.model.log import LogEntry
from windhover.model.trigger_state import TriggerKey, TriggerState
from windhover.plugin.trigger import TriggerDefinition


class TriggerJob(msgspec.Struct, frozen=True):
    """A trigger for a worker: to look once, or to listen until it is told to stop.

    ``state`` holds the lease under which it is done, which is lost at ``until`` unless it is renewed.
    ``execution_id`` is that of the execution which a look may start, so that its files can be stored for it.
    """

    state: TriggerState
    flow: Flow
    trigger: TriggerDefinition
    execution_id: str
    until: datetime

    @property
    def key(self) -> TriggerKey:
        return self.state.key

    @property
    def lease(self) -> str:
        assert self.state.lease is not None, "a worker is only given triggers that were claimed"
        return self.state.lease


class Sighting(msgspec.Struct, frozen=True):
    """An event that a trigger has seen: what becomes the variable ``trigger``, and what identifies it."""

    variables: dict[str, JsonValue]
    key: str | None = None
    acknowledge: Callable[[], Awaitable[None]] | None = None


class LookEnded(msgspec.Struct, frozen=True):
    """A worker has looked: at nothing, at an event, or in vain because of an error.

    ``interval`` is the time until the next look, ``memory`` what that is to know, if it is to know something
    else than this one.
    """

    job: TriggerJob
    interval: timedelta
    sighting: Sighting | None = None
    memory: dict[str, JsonValue] | None = None
    error: str | None = None


class ListeningStarted(msgspec.Struct, frozen=True):
    """A worker has begun to listen."""

    job: TriggerJob
    worker_id: str


class EventRefused(Exception):
    """An event was not taken, as whoever saw it has lost the trigger: its source has to give it again."""


class EventSeen(msgspec.Struct, frozen=True):
    """A worker that listens has seen an event.

    ``taken`` is done once the event is committed, or known already; it raises :class:`EventRefused`.
    """

    job: TriggerJob
    sighting: Sighting
    taken: asyncio.Future[None]


class KeysForgotten(msgspec.Struct, frozen=True):
    """The source of a worker that listens may use keys again, those that begin with ``prefix``.

    ``taken`` is done once they are forgotten; it raises :class:`EventRefused`.
    """

    job: TriggerJob
    prefix: str
    taken: asyncio.Future[None]


class ListeningEnded(msgspec.Struct, frozen=True):
    """A worker listens no more: it was told to stop, or because of an error."""

    job: TriggerJob
    error: str | None = None


class TriggerLogged(msgspec.Struct, frozen=True):
    """Lines that a trigger has written on a worker; they have no numbers yet."""

    key: TriggerKey
    lines: Sequence[LogEntry]


class TriggeredExecutionEnded(msgspec.Struct, frozen=True):
    """An execution that a trigger has started is over."""

    key: TriggerKey
    execution_id: str


SchedulerMessage = (
    LookEnded
    | ListeningStarted
    | EventSeen
    | KeysForgotten
    | ListeningEnded
    | TriggerLogged
    | TriggeredExecutionEnded
    | TriggersChanged
)
