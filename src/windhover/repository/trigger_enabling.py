"""Enabling a trigger that was disabled: what becomes of the dates that have passed meanwhile.

Documentation page: ``docs/triggers.md``.
"""

from __future__ import annotations

from datetime import datetime

from windhover.engine.environment import EngineEnvironment
from windhover.engine.schedule_dates import schedule_dates
from windhover.model.flow import Flow
from windhover.model.trigger import Trigger
from windhover.model.trigger_state import TriggerState
from windhover.plugin.trigger import RecoverMissedSchedules, ScheduleTrigger
from windhover.repository.trigger_changes import Enable


def enabling(
    state: TriggerState,
    definition: tuple[Flow, Trigger] | None,
    recover: RecoverMissedSchedules | None,
    *,
    environment: EngineEnvironment,
    zone: str,
    now: datetime,
) -> Enable:
    """How a trigger is let work again. It may look at ten thousand dates, so it belongs into a thread.

    ``recover`` says which dates of a schedule are made up for. Without it, what the trigger itself says
    counts, and where that says nothing the past is left alone. ``zone`` is that of schedules without one.

    Raises:
        ValueError: the dates of the schedule cannot be told.
        windhover.plugin.condition.ConditionError: its conditions cannot be evaluated.
        windhover.expression.ExpressionError: an expression in them cannot be rendered.
    """
    flow, trigger = definition if definition is not None else (None, None)
    if flow is None or not isinstance(trigger, ScheduleTrigger):
        return Enable(state.key)
    match recover or trigger.recover_missed_schedules:
        case RecoverMissedSchedules.ALL:
            return Enable(state.key, go_on=True)
        case RecoverMissedSchedules.LAST:
            last = schedule_dates(flow, trigger, environment, zone).previous_before(now)
            missed = state.next_date is not None and last is not None and last >= state.next_date
            return Enable(state.key, from_date=last if missed else None)
        case _:
            return Enable(state.key)
