"""Backfills under way: the next dates of each are run as long as it may have more executions at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta

import msgspec

from windhover.engine.environment import EngineEnvironment
from windhover.engine.firing import fire
from windhover.engine.schedule_dates import Dates, Slot
from windhover.expression import ExpressionError
from windhover.model.flow import Flow
from windhover.model.trigger_state import Backfill, BackfillMode, SlotRun
from windhover.plugin.condition import ConditionError
from windhover.plugin.trigger import ScheduleTrigger
from windhover.repository.backfills import BackfillRepository, StoredBackfill
from windhover.repository.flow_definitions import FlowNotFound, FlowUnreadable
from windhover.repository.triggers import TriggerBatch, TriggerEvent, TriggerRepository
from windhover.scheduler.latest_flows import LatestFlows
from windhover.scheduler.schedules import Schedules, numbered

_AT_ONCE = 100

#: How many dates are looked at in one look, the ones that need not be run included.
_ASKED_AT_ONCE = 1000

#: When a backfill is looked at again that cannot go on: its trigger is disabled, its flow is gone, or as many
#: executions are under way as may be.
_LATER = timedelta(seconds=5)

Commit = Callable[[TriggerBatch, datetime], Awaitable[set[str]]]


class Backfills:
    """Runs backfills. What each has done is kept, so any scheduler goes on with it."""

    def __init__(
        self,
        repository: BackfillRepository,
        triggers: TriggerRepository,
        schedules: Schedules,
        flows: LatestFlows,
        environment: EngineEnvironment,
        clock: Callable[[], datetime],
    ) -> None:
        self._repository = repository
        self._triggers = triggers
        self._schedules = schedules
        self._flows = flows
        self._environment = environment
        self._clock = clock
        #: When the next backfill is due.
        self.next_due: datetime | None = None
        #: The backfills that executions under way belong to.
        self._of_execution: dict[str, str] = {}

    async def wake(self) -> None:
        """Look at all backfills: executions may have ended while no scheduler ran."""
        await self._repository.wake(self._clock())
        self.next_due = await self._repository.next_due()

    async def refresh(self) -> None:
        """Find out when the next one is due, as somebody may have changed them."""
        self.next_due = await self._repository.next_due()

    async def executions_ended(self, execution_ids: Collection[str]) -> None:
        """Let backfills go on whose executions are over."""
        known = self._of_execution.keys() & set(execution_ids)
        if known:
            await self.wake()
        for id_ in known:
            del self._of_execution[id_]

    async def look(self, now: datetime, commit: Commit) -> None:
        """Go on with the backfills that are due."""
        if self.next_due is None or self.next_due > now:
            return
        for stored in await self._repository.due(now, _AT_ONCE):
            await self._go_on(stored, now, commit)
        self.next_due = await self._repository.next_due()

    async def _go_on(self, stored: StoredBackfill, now: datetime, commit: Commit) -> None:
        backfill = stored.backfill
        running = await self._still_running(backfill)
        changed = msgspec.structs.replace(backfill, running=running)
        try:
            found = await self._definition(backfill)
        except (FlowNotFound, FlowUnreadable):
            found = None
        if found is None or backfill.paused:
            await self._repository.update(stored, changed, now + _LATER)
            return
        flow, trigger = found
        try:
            dates = self._schedules.dates(flow, trigger)
            before = await self._runs(changed)
            # The next date on which conditions hold may be one of ten thousand.
            events, changed, again = await asyncio.to_thread(
                self._next, changed, flow, trigger, dates, before, now
            )
        except (ConditionError, ExpressionError, ValueError):
            # The live schedule shows the reason; it is the same.
            await self._repository.update(stored, changed, now + _LATER)
            return
        # The events first: they are written once only, whoever writes them.
        await commit(TriggerBatch(events=events), now)
        for event in events:
            self._of_execution[event.execution.id] = backfill.id
        # It is woken when an execution of it ends, but by the scheduler of the process that ran it alone.
        await self._repository.update(stored, changed, now if again else now + _LATER)

    async def _definition(self, backfill: Backfill) -> tuple[Flow, ScheduleTrigger] | None:
        key = backfill.key
        state = await self._triggers.get(key)
        flow = await self._flows.get(key.tenant_id, key.namespace, key.flow_id)
        for trigger in flow.triggers:
            if trigger.id == key.trigger_id and isinstance(trigger, ScheduleTrigger):
                active = state is not None and state.active and not state.disabled
                return (flow, trigger) if active else None
        return None

    async def _still_running(self, backfill: Backfill) -> list[str]:
        running = await self._triggers.not_ended(backfill.running)
        for id_ in running:
            self._of_execution[id_] = backfill.id
        return [id_ for id_ in backfill.running if id_ in running]

    def _next(
        self,
        backfill: Backfill,
        flow: Flow,
        trigger: ScheduleTrigger,
        dates: Dates,
        before: Mapping[datetime, SlotRun],
        now: datetime,
    ) -> tuple[list[TriggerEvent], Backfill, bool]:
        """The executions to start, the backfill after that, and whether to go on at once.

        ``before`` is what was run for dates before this backfill, where its mode asks for that.
        """
        events: list[TriggerEvent] = []
        running = list(backfill.running)
        cursor = backfill.current_date
        skipped = asked = 0
        date = _first_after(dates, backfill, cursor)
        while (
            date is not None
            and date <= backfill.end
            and len(running) < backfill.max_concurrent
            and len(events) < _AT_ONCE
            and asked < _ASKED_AT_ONCE
        ):
            asked += 1
            if not backfill.mode.wants(before.get(date)):
                skipped += 1
            elif dates.runs(slot := dates.slot(date)):
                events.append(self._event(backfill, flow, trigger, slot, now))
                running.append(events[-1].execution.id)
            cursor = date
            date = dates.next_after(date)
        if date is None and dates.searched_until is not None and dates.searched_until < backfill.end:
            # The next date is too far off to be found at once.
            cursor = date = dates.searched_until
        is_over = (date is None or date > backfill.end) and not running
        changed = msgspec.structs.replace(
            backfill,
            current_date=cursor,
            running=running,
            started=backfill.started + len(events),
            skipped=backfill.skipped + skipped,
            ended=now if is_over else None,
        )
        left = date is not None and date <= backfill.end
        return events, changed, left and len(running) < backfill.max_concurrent

    async def _runs(self, backfill: Backfill) -> dict[datetime, SlotRun]:
        """What was run before this backfill, where that matters."""
        if backfill.mode is BackfillMode.ALL:
            return {}
        start = backfill.current_date or backfill.start
        return await self._triggers.slots(backfill.key, start, backfill.end)

    def _event(
        self,
        backfill: Backfill,
        flow: Flow,
        trigger: ScheduleTrigger,
        slot: Slot,
        now: datetime,
    ) -> TriggerEvent:
        occasion = self._schedules.occasion(trigger, slot, inputs=backfill.inputs, labels=backfill.labels)
        firing = fire(flow, occasion, self._environment, now)
        key = f"backfill/{backfill.id}/{int(slot.date.timestamp())}"
        return TriggerEvent(backfill.key, key, firing.execution, numbered(firing.logs), slot=slot.date)


def _first_after(dates: Dates, backfill: Backfill, cursor: datetime | None) -> datetime | None:
    if cursor is not None:
        return dates.next_after(cursor)
    # The start is included.
    return dates.next_after(backfill.start - timedelta(microseconds=1))
