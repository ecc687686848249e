"""What people do to triggers and backfills: each change is one row of the database, and schedulers are told.

Documentation page: ``docs/triggers.md``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import msgspec

from windhover.engine.messages import TriggersChanged
from windhover.engine.schedule_dates import Dates, schedule_dates
from windhover.expression import ExpressionError
from windhover.model.execution import JsonValue, Label
from windhover.model.flow import Flow
from windhover.model.trigger import Trigger
from windhover.model.trigger_state import Backfill, BackfillMode, TriggerKey, TriggerState
from windhover.plugin.trigger import RecoverMissedSchedules, ScheduleTrigger
from windhover.repository.backfills import BackfillRepository, StoredBackfill
from windhover.repository.filters import Paging
from windhover.repository.flow_definitions import FlowNotFound, FlowUnreadable
from windhover.repository.trigger_enabling import enable_trigger
from windhover.repository.triggers import TriggerQuery, TriggerRepository
from windhover.util.ids import new_id
from windhover.webserver.errors import conflict, invalid_entity, not_found
from windhover.webserver.services import WebServices

_AT_ONCE = 1000

#: How often a change of a backfill is tried again when a scheduler came in between.
_ATTEMPTS = 10


BackfillChange = Callable[[Backfill], Backfill]


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
    """The triggers of one tenant."""

    def __init__(self, services: WebServices, tenant: str) -> None:
        self._services = services
        self._tenant = tenant
        self.states = TriggerRepository(services.database)
        self.backfills = BackfillRepository(services.database)

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
            raise not_found(f"Trigger '{key.trigger_id}' of flow '{key.namespace}.{key.flow_id}' not found")
        return state

    async def definition(self, key: TriggerKey) -> tuple[Flow, Trigger] | None:
        """The flow and the trigger as it declares it now; None when it does not, or cannot be read."""
        try:
            flow = await self._services.definitions.get(key.tenant_id, key.namespace, key.flow_id)
        except (FlowNotFound, FlowUnreadable):
            return None
        return next(((flow, trigger) for trigger in flow.triggers if trigger.id == key.trigger_id), None)

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

    @property
    def zone(self) -> str:
        """The time zone of schedules that name none."""
        return self._services.zone

    async def matching(self, query: TriggerQuery) -> AsyncIterator[TriggerState]:
        """All triggers that meet the conditions."""
        page = 1
        while True:
            found = await self.states.search(msgspec.structs.replace(query, paging=Paging(page, _AT_ONCE)))
            for state in found.results:
                yield state
            if len(found.results) < _AT_ONCE:
                return
            page += 1

    # ---------------------------------------------------------------- triggers

    async def set_disabled(
        self, key: TriggerKey, disabled: bool, recover: RecoverMissedSchedules | None = None
    ) -> None:
        """Disable a trigger, or enable it; ``recover`` says what of the dates is made up for since then.

        Without it, what the trigger itself says counts, and where that says nothing the past is left alone.

        Raises:
            ApiError: 404, there is no such trigger; 409, its flow disables it.
        """
        state = await self.state(key)
        now = self._services.clock()
        found = await self.definition(key)
        if not disabled and not state.active:
            raise conflict(f"Trigger '{key.trigger_id}' is disabled in its flow: change it there")
        if disabled:
            await self.states.disable(key, now)
        else:
            try:
                await enable_trigger(
                    self.states,
                    state,
                    found,
                    recover,
                    environment=self._services.environment,
                    zone=self.zone,
                    now=now,
                )
            except (ValueError, ExpressionError) as error:
                raise invalid_entity(f"The dates of the schedule cannot be told: {error}") from None
        self._tell()

    async def unlock(self, key: TriggerKey) -> None:
        """Let a trigger fire though its execution is under way.

        Raises:
            ApiError: 404, there is no such trigger; 409, it is not locked.
        """
        state = await self.state(key)
        if state.execution_id is None and state.lease is None:
            raise conflict(f"Trigger '{key.trigger_id}' is not locked")
        await self.states.unlock(key, self._services.clock())
        self._tell()

    async def restart(self, key: TriggerKey) -> None:
        """Begin anew with a trigger, as if it had just been declared.

        Raises:
            ApiError: 404, there is no such trigger.
        """
        await self.state(key)
        await self.states.restart(key, self._services.clock())
        self._tell()

    async def delete(self, key: TriggerKey) -> None:
        """Forget the state of a trigger; one that its flow still declares begins anew.

        Raises:
            ApiError: 404, there is no such trigger.
        """
        await self.state(key)
        if await self.definition(key) is None:
            await self.states.delete(key)
        else:
            await self.states.restart(key, self._services.clock())
        self._tell()

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
        found: list[datetime] = []
        date = dates.next_after(backfill.start - timedelta(microseconds=1))
        while date is not None and date <= backfill.end and len(found) < limit:
            if backfill.mode.wants(runs.get(date)):
                found.append(date)
            date = dates.next_after(date)
        return found

    async def pause_backfill(self, key: TriggerKey, paused: bool) -> None:
        """Pause a backfill, or let it go on.

        Raises:
            ApiError: 409, there is none under way, or it is in that state already.
        """

        def change(backfill: Backfill) -> Backfill:
            if backfill.paused == paused:
                raise conflict(f"The backfill is {'paused already' if paused else 'not paused'}")
            return msgspec.structs.replace(backfill, paused=paused)

        await self._change_backfill(key, change)

    async def delete_backfill(self, key: TriggerKey) -> None:
        """End a backfill; executions that it started go on, and the live schedule never noticed.

        Raises:
            ApiError: 409, there is none under way.
        """
        now = self._services.clock()
        await self._change_backfill(key, lambda backfill: msgspec.structs.replace(backfill, ended=now))

    async def _change_backfill(self, key: TriggerKey, change: BackfillChange) -> None:
        for _ in range(_ATTEMPTS):
            stored = await self._active_backfill(key)
            if await self.backfills.update(stored, change(stored.backfill), self._services.clock()):
                self._tell()
                return
        raise conflict("The backfill is being changed by others all the time; try again")

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
