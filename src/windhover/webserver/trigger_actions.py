"""What people do to triggers and backfills: to one or to many in a transaction, of which schedulers are told.

Documentation page: ``docs/triggers.md``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

import msgspec

from windhover.engine.messages import TriggersChanged
from windhover.engine.schedule_dates import Dates, schedule_dates
from windhover.expression import ExpressionError
from windhover.model.execution import JsonValue, Label
from windhover.model.flow import Flow
from windhover.model.trigger import Trigger
from windhover.model.trigger_state import Backfill, BackfillMode, TriggerKey, TriggerState
from windhover.plugin.condition import ConditionError
from windhover.plugin.trigger import RecoverMissedSchedules, ScheduleTrigger
from windhover.repository.backfills import BackfillRepository, StoredBackfill
from windhover.repository.declared_triggers import keeps_state
from windhover.repository.filters import Paging
from windhover.repository.flow_definitions import FlowNotFound, FlowUnreadable
from windhover.repository.trigger_changes import Delete, Disable, Restart, TriggerChange, Unlock
from windhover.repository.trigger_enabling import enabling
from windhover.repository.triggers import TriggerQuery, TriggerRepository
from windhover.util.ids import new_id
from windhover.webserver.errors import ApiError, conflict, invalid_entity, not_found
from windhover.webserver.reacting_triggers import reacting_state
from windhover.webserver.services import WebServices

#: How many triggers are read, or changed in one transaction.
AT_ONCE = 1000

#: How many flows are kept at hand, at most.
_FLOWS = 100

#: How often a change of a backfill is tried again when a scheduler came in between.
_ATTEMPTS = 10


BackfillChange = Callable[[Backfill], Backfill]

#: What is to be done to a trigger, given its state.
#: It raises an ``ApiError`` when that cannot be done.
TriggerAction = Callable[[TriggerState], Awaitable[TriggerChange]]

T = TypeVar("T")


class BackfillRequest(msgspec.Struct, rename="camel"):
    """Which dates are to be run. Both ends are included, and the end is now if none is given."""

    start: datetime
    end: datetime | None = None
    inputs: dict[str, JsonValue] | None = None
    labels: list[Label] | None = None
    mode: BackfillMode = BackfillMode.ALL
    max_concurrent: int = 1
    paused: bool = False


class TriggerActions:
    """The triggers of one tenant, for one request: a flow that was looked at is not read again."""

    def __init__(self, services: WebServices, tenant: str) -> None:
        self._services = services
        self._tenant = tenant
        self.states = TriggerRepository(services.database)
        self.backfills = BackfillRepository(services.database)
        self._flows: dict[tuple[str, str, str], Flow | None] = {}

    def key(self, namespace: str, flow_id: str, trigger_id: str) -> TriggerKey:
        return TriggerKey(self._tenant, namespace, flow_id, trigger_id)

    # ---------------------------------------------------------------- reading

    async def state(self, key: TriggerKey) -> TriggerState:
        """The state of a trigger.

        Raises:
            ApiError: 404, there is none.
        """
        state = await self.states.get(key)
        if state is None:
            name = f"'{key.trigger_id}' of flow '{key.namespace}.{key.flow_id}'"
            found = await self.definition(key)
            if found is not None and not keeps_state(found[1]):
                raise not_found(
                    f"No state is kept of trigger {name}: an execution or a request fires it, "
                    "and its flow can disable it"
                )
            raise not_found(f"Trigger {name} not found")
        return state

    async def shown(self, key: TriggerKey) -> TriggerState:
        """The state of a trigger, kept or not.

        Raises:
            ApiError: 404, there is no such trigger.
        """
        kept = await self.states.get(key)
        if kept is not None:
            return kept
        found = await self.definition(key)
        if found is None or keeps_state(found[1]):
            return await self.state(key)
        return await reacting_state(self._services, *found)

    async def reacting(self, namespace: str, flow_id: str, text: str | None) -> list[TriggerState]:
        """The Flow and Webhook triggers of a flow, those that have a text in their id."""
        flow = await self._flow((self._tenant, namespace, flow_id))
        return [
            await reacting_state(self._services, flow, trigger)
            for trigger in (() if flow is None else flow.triggers)
            if flow is not None and not keeps_state(trigger) and (text or "") in trigger.id
        ]

    async def definition(self, key: TriggerKey) -> tuple[Flow, Trigger] | None:
        """The flow and the trigger as it declares it now; None when it does not, or cannot be read."""
        flow = await self._flow((key.tenant_id, key.namespace, key.flow_id))
        triggers = () if flow is None else flow.triggers
        trigger = next((trigger for trigger in triggers if trigger.id == key.trigger_id), None)
        return None if flow is None or trigger is None else (flow, trigger)

    async def _flow(self, name: tuple[str, str, str]) -> Flow | None:
        if name not in self._flows:
            if len(self._flows) == _FLOWS:
                self._flows.clear()
            try:
                self._flows[name] = await self._services.definitions.get(*name)
            except (FlowNotFound, FlowUnreadable):
                self._flows[name] = None
        return self._flows[name]

    async def schedule(self, key: TriggerKey) -> tuple[ScheduleTrigger, Dates]:
        """A schedule and its dates.

        Raises:
            ApiError: 404, there is no such trigger; 422, it is no schedule, or its dates cannot be told.
        """
        await self.state(key)
        found = await self.definition(key)
        flow, trigger = found if found is not None else (None, None)
        if flow is None or not isinstance(trigger, ScheduleTrigger):
            raise invalid_entity(f"Trigger '{key.trigger_id}' is not a schedule: it has no dates")
        try:
            return trigger, schedule_dates(flow, trigger, self._services.environment, self.zone)
        except (ValueError, ExpressionError) as error:
            raise invalid_entity(f"The dates of trigger '{key.trigger_id}' cannot be told: {error}") from None

    async def upcoming(self, dates: Dates, count: int) -> list[datetime]:
        """The next dates of a schedule, at most ``count`` of them.

        Raises:
            ApiError: 422, they cannot be told.
        """
        now = self._services.clock()

        def all_dates() -> Iterator[datetime]:
            date = dates.next_after(now)
            while date is not None:
                yield date
                date = dates.next_after(date)

        return await _told(lambda: list(islice(all_dates(), count)))

    @property
    def zone(self) -> str:
        """The time zone of schedules that name none."""
        return self._services.zone

    async def matching(self, query: TriggerQuery) -> AsyncIterator[TriggerState]:
        """All triggers that meet the conditions."""
        page = 1
        while True:
            found = await self.states.search(msgspec.structs.replace(query, paging=Paging(page, AT_ONCE)))
            for state in found.results:
                yield state
            if len(found.results) < AT_ONCE:
                return
            page += 1

    # ---------------------------------------------------------------- triggers

    async def act(self, key: TriggerKey, action: TriggerAction) -> None:
        """Do something to a trigger.

        Raises:
            ApiError: 404, there is no such trigger; and what the action raises.
        """
        change = await action(await self.state(key))
        await self.states.change([change], self._services.clock())
        self._tell()

    async def act_on_all(self, states: Sequence[TriggerState], action: TriggerAction) -> int:
        """Do something to many triggers in one transaction; returns to how many it could be done."""
        changes: list[TriggerChange] = []
        for state in states:
            with _leaving_out_refused():
                changes.append(await action(state))
        await self.states.change(changes, self._services.clock())
        self._tell()
        return len(changes)

    def set_disabled(self, disabled: bool, recover: RecoverMissedSchedules | None = None) -> TriggerAction:
        """Disable a trigger, or enable it; ``recover`` says what of the dates is made up for since then.

        Without it, what the trigger itself says counts, and where that says nothing the past is left alone.
        It raises 409 when its flow disables the trigger, and 422 when its dates cannot be told.
        """

        async def enable(state: TriggerState) -> TriggerChange:
            if not state.active:
                raise conflict(f"Trigger '{state.key.trigger_id}' is disabled in its flow: change it there")
            found = await self.definition(state.key)
            environment, now = self._services.environment, self._services.clock()
            return await _told(
                lambda: enabling(state, found, recover, environment=environment, zone=self.zone, now=now)
            )

        async def disable(state: TriggerState) -> TriggerChange:
            return Disable(state.key)

        return disable if disabled else enable

    async def unlock(self, state: TriggerState) -> TriggerChange:
        """Let a trigger fire though its execution is under way.

        Raises:
            ApiError: 409, it is not locked.
        """
        if state.execution_id is None and state.lease is None:
            raise conflict(f"Trigger '{state.key.trigger_id}' is not locked")
        return Unlock(state.key)

    async def restart(self, state: TriggerState) -> TriggerChange:
        """Begin anew with a trigger, as if it had just been declared."""
        return Restart(state.key)

    async def delete(self, state: TriggerState) -> TriggerChange:
        """Forget the state of a trigger; one that its flow still declares begins anew."""
        declared = await self.definition(state.key) is not None
        return Restart(state.key) if declared else Delete(state.key)

    # ---------------------------------------------------------------- backfills

    async def create_backfill(self, key: TriggerKey, request: BackfillRequest) -> Backfill:
        """Begin to run dates of the past.

        Raises:
            ApiError: 404, there is no such trigger; 409, one is under way; 422, the request cannot be met.
        """
        await self.schedule(key)
        if await self.backfills.active(key) is not None:
            raise conflict(f"Trigger '{key.trigger_id}' has a backfill under way: delete it first")
        backfill = self._backfill(key, request)
        await self.backfills.create(backfill, self._services.clock())
        self._tell()
        return backfill

    async def preview(self, key: TriggerKey, request: BackfillRequest, limit: int) -> list[datetime]:
        """The dates that a backfill would run, at most ``limit`` of them.

        Raises:
            ApiError: as :meth:`create_backfill`.
        """
        _, dates = await self.schedule(key)
        backfill = self._backfill(key, request)
        runs = await self.states.slots(key, backfill.start, backfill.end)

        def wanted() -> Iterator[datetime]:
            date = dates.next_after(backfill.start - timedelta(microseconds=1))
            while date is not None and date <= backfill.end:
                if backfill.mode.wants(runs.get(date)):
                    yield date
                date = dates.next_after(date)

        return await _told(lambda: list(islice(wanted(), limit)))

    def pausing(self, paused: bool) -> BackfillChange:
        """Pause a backfill, or let it go on; it raises 409 when it is in that state already."""

        def change(backfill: Backfill) -> Backfill:
            if backfill.paused == paused:
                raise conflict(f"The backfill is {'paused already' if paused else 'not paused'}")
            return msgspec.structs.replace(backfill, paused=paused)

        return change

    def ending(self) -> BackfillChange:
        """End a backfill; executions that it started go on, and the live schedule never noticed."""
        now = self._services.clock()
        return lambda backfill: msgspec.structs.replace(backfill, ended=now)

    async def change_backfill(self, key: TriggerKey, change: BackfillChange) -> None:
        """Change the backfill of a trigger.

        Raises:
            ApiError: 404, there is no such trigger; 409, it has none under way; and what the change raises.
        """
        for _ in range(_ATTEMPTS):
            stored = await self._active_backfill(key)
            if await self.backfills.update(stored, change(stored.backfill), self._services.clock()):
                self._tell()
                return
        raise conflict("The backfill is being changed by others all the time; try again")

    async def change_backfills(self, states: Sequence[TriggerState], change: BackfillChange) -> int:
        """Change the backfills of many triggers in one transaction; returns how many could be changed."""
        changes: list[tuple[StoredBackfill, Backfill]] = []
        for stored in await self.backfills.active_of_all([state.key for state in states]):
            with _leaving_out_refused():
                changes.append((stored, change(stored.backfill)))
        done = await self.backfills.update_all(changes, self._services.clock())
        for stored, _ in changes:
            # A scheduler came in between with some of them.
            if stored.backfill.id not in done:
                with _leaving_out_refused():
                    await self.change_backfill(stored.backfill.key, change)
                    done.add(stored.backfill.id)
        self._tell()
        return len(done)

    async def _active_backfill(self, key: TriggerKey) -> StoredBackfill:
        await self.state(key)
        stored = await self.backfills.active(key)
        if stored is None:
            raise conflict(f"Trigger '{key.trigger_id}' has no backfill under way")
        return stored

    def _backfill(self, key: TriggerKey, request: BackfillRequest) -> Backfill:
        now = self._services.clock()
        end = request.end or now
        if request.start.tzinfo is None or end.tzinfo is None:
            raise invalid_entity("`start` and `end` need a time zone, such as 2024-05-31T12:00:00Z")
        if request.start > end:
            raise invalid_entity("The backfill ends before it starts: `end` must not be before `start`")
        if request.max_concurrent < 1:
            raise invalid_entity("`maxConcurrent` must be 1 or more")
        return Backfill(
            id=new_id(),
            key=key,
            start=request.start,
            end=end,
            created=now,
            paused=request.paused,
            mode=request.mode,
            max_concurrent=request.max_concurrent,
            inputs=request.inputs or {},
            labels=request.labels or [],
        )

    def _tell(self) -> None:
        self._services.queue.broadcasts.publish(TriggersChanged())


@contextmanager
def _leaving_out_refused() -> Iterator[None]:
    """Go on with others where something cannot be done to a trigger."""
    try:
        yield
    except ApiError as error:
        if error.status not in (404, 409, 422):
            raise


async def _told(work: Callable[[], T]) -> T:
    """What is computed from the dates of a schedule, in a thread: conditions may be asked of ten thousand.

    Raises:
        ApiError: 422, the dates cannot be told.
    """
    try:
        return await asyncio.to_thread(work)
    except (ValueError, ConditionError, ExpressionError) as error:
        raise invalid_entity(f"The dates of the schedule cannot be told: {error}") from None
