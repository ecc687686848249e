"""Turns events that were gathered into executions, one for many, when a batch is full or has waited enough.

It works in rounds of its own, beside those of the scheduler. Nothing is decided in memory: what waits, until
when, and which events a batch has, is read from the database: a crash at any moment loses and repeats none.

Documentation pages: ``docs/webhooks.md`` and ``docs/triggers.md``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import TypeGuard

import msgspec

from windhover.core.trigger.webhook import Webhook
from windhover.engine.environment import EngineEnvironment
from windhover.engine.firing import FROM_TRIGGER, Firing, Occasion, failed_firing, fire
from windhover.engine.messages import (
    EventGathered,
    ExecutionStored,
    FlowChanged,
    TriggersChanged,
)
from windhover.engine.spill import StoredValue, stored_value
from windhover.model.execution import Execution, ExecutionTrigger, JsonValue
from windhover.model.flow import Flow
from windhover.model.log import LogEntry
from windhover.model.trigger import Trigger
from windhover.model.trigger_state import TriggerKey
from windhover.plugin.event_batch import EventBatch
from windhover.plugin.trigger import TriggerDefinition, TriggerKind
from windhover.queue.local import LocalQueue
from windhover.repository.batched_events import (
    BatchedEventRepository,
    EventContent,
    Waiting,
    WaitingEvent,
)
from windhover.repository.errors import RepositoryError, RepositoryUnavailable
from windhover.repository.flow_definitions import FlowDefinitions, FlowNotFound, FlowUnreadable
from windhover.scheduler.schedules import numbered
from windhover.scheduler.settings import SchedulerSettings
from windhover.storage import (
    Storage,
    StorageError,
    StorageFileNotFoundError,
    TenantStorage,
    input_uri,
    parse_uri,
)
from windhover.util.turn import Turn

logger = logging.getLogger(__name__)

_STORED_INPUT = "trigger"
#: How much of a batch is encoded, and stored, at once.
_CHUNK_BYTES = 256 * 1024
_NEVER = datetime.max.replace(tzinfo=UTC)

GatheringTrigger = Webhook | TriggerDefinition


class EventBatches:
    """Starts an execution for each batch of events. Several processes may do so on one database.

    One without ``storage`` leaves to the others what has files, or is too large for a row.
    """

    def __init__(
        self,
        repository: BatchedEventRepository,
        definitions: FlowDefinitions,
        storage: Storage | None,
        queue: LocalQueue,
        environment: EngineEnvironment,
        *,
        clock: Callable[[], datetime],
        settings: SchedulerSettings,
    ) -> None:
        self._repository = repository
        self._definitions = definitions
        self._storage = storage
        self._queue = queue
        self._environment = environment
        self._clock = clock
        self._settings = settings
        #: Executions of which it is not known whether they are written, and their log lines.
        self._unsure: dict[str, tuple[Execution, list[LogEntry]]] = {}
        #: Batches that need the storage, in a process that has none.
        self._left_to_others: set[str] = set()
        #: Triggers that something has happened to since they were looked at.
        self._changed: set[TriggerKey] = set()
        #: When the first event of a trigger has waited enough.
        self._due: dict[TriggerKey, datetime] = {}
        #: When the database is asked for all that waits, also for what other processes have gathered.
        self._next_check = clock()
        self._awake = asyncio.Event()
        self._stopping = False
        self._failed_rounds = 0

    async def run(self) -> None:
        """Work until :meth:`stop`. While the database is away, events wait."""
        listening = asyncio.create_task(self._listen(), name="gathered events")
        try:
            while not self._stopping:
                try:
                    await self.work()
                except RepositoryUnavailable as error:
                    await self._wait_for_database(error)
                    continue
                self._failed_rounds = 0
                await self._sleep()
        finally:
            listening.cancel()

    def stop(self) -> None:
        """End :meth:`run` after the round under way; what waits is taken up at the next start."""
        self._stopping = True
        self._awake.set()

    async def work(self) -> None:
        """One round: start what is full or due now.

        Raises:
            RepositoryUnavailable: the next round looks at everything again.
        """
        now = self._clock()
        try:
            for execution, logs in list(self._unsure.values()):
                await self._commit(execution, logs)
            if now >= self._next_check:
                self._next_check = now + self._settings.check_interval
                await self._take_up()
                self._changed.update(await self._repository.triggers())
            due = [key for key, at in self._due.items() if at <= now]
            looked_at = {*self._changed, *due}
            self._changed.clear()
            for key in looked_at:
                await self._look(key, now)
        except RepositoryUnavailable:
            self._next_check = now
            raise

    # ---------------------------------------------------------------- waiting

    async def _listen(self) -> None:
        with self._queue.broadcasts.subscribe(
            kinds=(EventGathered, FlowChanged, TriggersChanged)
        ) as messages:
            async for message in messages:
                if isinstance(message, EventGathered):
                    self._changed.add(message.key)
                else:
                    # What waits, if anything does, may have other limits now, or need not wait any more.
                    self._next_check = self._clock()
                self._awake.set()

    async def _sleep(self) -> None:
        now = self._clock()
        wanted = min([self._settings.tick, self._next_check - now, *(at - now for at in self._due.values())])
        try:
            async with asyncio.timeout(max(0.0, wanted.total_seconds())):
                await self._awake.wait()
        except TimeoutError:
            pass
        self._awake.clear()

    async def _wait_for_database(self, error: RepositoryUnavailable) -> None:
        if not self._failed_rounds:
            logger.warning("Gathered events wait for the database: %s", error)
        await asyncio.sleep(min(5.0, 0.1 * 2 ** min(self._failed_rounds, 10)))
        self._failed_rounds += 1

    # ---------------------------------------------------------------- what waits

    async def _look(self, key: TriggerKey, now: datetime) -> None:
        """Settle and start the batches of a trigger that wait for nothing more."""
        self._due.pop(key, None)
        try:
            found = await self._find(key)
        except FlowUnreadable as error:
            logger.warning("Events of %s wait, as its flow cannot be read: %s", _name(key), error)
            return
        if found is None:
            _log_dropped(key, await self._repository.drop(key))
            return
        flow, trigger = found
        if flow.disabled or trigger.disabled:
            return
        window = trigger.batch or EventBatch()
        while not await self._repository.is_disabled(key):
            waiting = await self._repository.waiting(key)
            if waiting is None:
                return
            if not _is_ready(trigger.batch, waiting, now):
                self._due[key] = waiting.due
                return
            first = await self._repository.first(key, window.max_events)
            if not _is_ready(trigger.batch, _together(first), now):
                # Another process has begun with what was there a moment ago.
                continue
            chosen = first[: window.cut([event.size for event in first])]
            batch_id = self._environment.new_id()
            await self._repository.settle(batch_id, [event.id for event in chosen])
            if not await self._start(batch_id, key, now):
                return

    async def _find(self, key: TriggerKey) -> tuple[Flow, GatheringTrigger] | None:
        """The trigger of events in the latest revision of its flow; None when there is none any more.

        Raises:
            FlowUnreadable: it cannot be told.
        """
        # Asked anew each time: a revision that others have saved must not cost the events of a new trigger.
        try:
            flow = await self._definitions.get(key.tenant_id, key.namespace, key.flow_id)
        except FlowNotFound:
            return None
        for trigger in flow.triggers:
            if trigger.id == key.trigger_id and _gathers(trigger):
                return flow, trigger
        return None

    # ---------------------------------------------------------------- batches

    async def _take_up(self) -> None:
        """Go on with batches that were settled, and whose execution somebody did not come to write."""
        now = self._clock()
        settled = await self._repository.settled()
        self._left_to_others &= {batch_id for batch_id, _ in settled}
        for batch_id, key in settled:
            if batch_id not in self._left_to_others:
                await self._start(batch_id, key, now)

    async def _start(self, batch_id: str, key: TriggerKey, now: datetime) -> bool:
        """Start the execution of a batch that is settled; False when that has to be tried again later."""
        if await self._repository.is_disabled(key):
            return False
        events = await self._repository.events_of(batch_id)
        if not events:
            return True
        try:
            found = await self._find(key)
            if found is None:
                await self._repository.drop_batch(batch_id)
                _log_dropped(key, len(events))
                return True
            flow, trigger = found
            if self._storage is None and await self._need_storage(events):
                self._left_to_others.add(batch_id)
                return False
            given = await self._variables(batch_id, key, events)
            kept = await self._fitted(batch_id, key, given)
            firing = await asyncio.to_thread(self._fire, batch_id, flow, trigger, given, now)
            execution, logs = firing.execution, numbered(firing.logs)
            execution.trigger = ExecutionTrigger(trigger.id, trigger.type, kept)
            await self._commit(execution, logs)
        except (FlowUnreadable, StorageError, RepositoryError) as error:
            logger.warning("Events of %s wait, as they cannot be started now: %s", _name(key), error)
            return False
        return True

    async def _commit(self, execution: Execution, logs: list[LogEntry]) -> None:
        # It may be written though the database says that it went away: then somebody must still tell of it.
        self._unsure[execution.id] = (execution, logs)
        try:
            is_new = await self._repository.start(execution, logs)
        except RepositoryError:
            del self._unsure[execution.id]
            raise
        del self._unsure[execution.id]
        if is_new:
            self._queue.executor.send(ExecutionStored(execution.id, execution, len(logs)))

    def _fire(
        self,
        batch_id: str,
        flow: Flow,
        trigger: GatheringTrigger,
        given: dict[str, JsonValue],
        now: datetime,
    ) -> Firing:
        inputs = trigger.inputs if isinstance(trigger, Webhook) else None
        occasion = Occasion(trigger, given, inputs=inputs, labels=[FROM_TRIGGER], execution_id=batch_id)
        try:
            return fire(flow, occasion, self._environment, now)
        except Exception as error:
            # An event that was acknowledged must be seen in some execution, whatever is wrong with it.
            logger.exception("Events of %s.%s.%s cannot be started", flow.namespace, flow.id, trigger.id)
            return failed_firing(flow, occasion, str(error), self._environment, now)

    # ---------------------------------------------------------------- what the execution reads

    async def _need_storage(self, events: list[EventContent]) -> bool:
        if any(event.stored for event in events):
            return True
        return self._is_large(await _encoded([event.variables for event in events]))

    def _is_large(self, chunks: list[bytes]) -> bool:
        return sum(map(len, chunks)) > self._settings.inline_events

    def _files(self, key: TriggerKey) -> TenantStorage:
        assert self._storage is not None, "batches that need it are left to processes that have it"
        return self._storage.for_tenant(key.tenant_id)

    async def _variables(
        self, batch_id: str, key: TriggerKey, events: list[EventContent]
    ) -> dict[str, JsonValue]:
        """The variable ``trigger``: each event, with its files moved to the execution's.

        Raises:
            StorageError: a file cannot be moved or read.
        """
        shown: list[JsonValue] = []
        for number, event in enumerate(events):
            moved = {uri: await self._move(batch_id, key, uri, number) for uri in event.stored}
            shown.append(await self._with_files(key, event.variables, moved) if moved else event.variables)
        return {"events": shown}

    async def _with_files(
        self, key: TriggerKey, variables: dict[str, JsonValue], moved: dict[str, str]
    ) -> dict[str, JsonValue]:
        """The variables of an event with the new URIs of its files, and with the values that were stored."""
        shown = dict(variables)
        for name, value in variables.items():
            stored = stored_value(value)
            if stored is not None and stored.uri in moved:
                content = await self._files(key).read(moved[stored.uri], stored.size)
                shown[name] = msgspec.json.decode(content)
        uri = shown.get("uri")
        if isinstance(uri, str):
            shown["uri"] = moved.get(uri, uri)
        parts = shown.get("parts")
        if isinstance(parts, list):
            shown["parts"] = [{**part, "uri": moved.get(part["uri"], part["uri"])} for part in parts]
        return shown

    async def _move(self, batch_id: str, key: TriggerKey, uri: str, number: int) -> str:
        """Make a file the execution's; whoever began with the same batch before may have done so."""
        files = self._files(key)
        target = _uri(batch_id, key, f"{number}-{parse_uri(uri).segments[-1]}")
        try:
            await files.move(uri, target)
        except StorageFileNotFoundError:
            await files.stat(target)
        return target

    async def _fitted(
        self, batch_id: str, key: TriggerKey, given: dict[str, JsonValue]
    ) -> dict[str, JsonValue]:
        """The same, with events that are too large for a row in the storage.

        Raises:
            StorageError: they cannot be stored.
        """
        chunks = await _encoded(given["events"])
        if not self._is_large(chunks):
            return given
        uri = _uri(batch_id, key, "events.json")
        stored = await self._files(key).put(uri, _in_turn(chunks))
        return {**given, "events": StoredValue(uri, stored.size).marker()}


async def _encoded(events: list[JsonValue]) -> list[bytes]:
    """A list as JSON, in chunks. A batch may be large: others have their turn on the event loop meanwhile."""
    turn = Turn()
    chunks = []
    chunk = bytearray(b"[")
    for number, event in enumerate(events):
        if len(chunk) >= _CHUNK_BYTES:
            chunks.append(bytes(chunk))
            chunk.clear()
        if number:
            chunk += b","
        chunk += msgspec.json.encode(event)
        await turn.give_way()
    return [*chunks, bytes(chunk + b"]")]


async def _in_turn(chunks: list[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def _gathers(trigger: Trigger) -> TypeGuard[GatheringTrigger]:
    """Whether a trigger is of a kind whose events can be gathered; ``batch`` says whether they are."""
    if isinstance(trigger, TriggerDefinition):
        return trigger.plugin.trigger_kind is TriggerKind.REALTIME
    return isinstance(trigger, Webhook)


def _uri(batch_id: str, key: TriggerKey, name: str) -> str:
    return input_uri(key.namespace, key.flow_id, batch_id, _STORED_INPUT, name)


def _log_dropped(key: TriggerKey, events: int) -> None:
    if events:
        logger.warning("%s exists no more: %d events that it has gathered are dropped", _name(key), events)


def _is_ready(window: EventBatch | None, waiting: Waiting, now: datetime) -> bool:
    # A trigger that gathers no more lets go of what it has.
    return window is None or waiting.due <= now or window.is_full(waiting.events, waiting.size)


def _together(events: list[WaitingEvent]) -> Waiting:
    return Waiting(
        len(events),
        sum(event.size for event in events),
        min((event.due for event in events), default=_NEVER),
    )


def _name(key: TriggerKey) -> str:
    return f"Trigger {key.namespace}.{key.flow_id}.{key.trigger_id}"
