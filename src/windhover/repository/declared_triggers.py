"""The triggers of a flow whose state is kept: those that are scheduled, poll or listen."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b

from windhover.engine.schedule_dates import Dates, is_conditional
from windhover.model.execution import JsonValue
from windhover.model.flow import Flow
from windhover.model.trigger import Trigger
from windhover.plugin.trigger import ScheduleTrigger, TriggerDefinition, TriggerKind, TriggerType
from windhover.repository.flows import DeclaredTrigger

_KEPT = frozenset({TriggerKind.SCHEDULE, TriggerKind.POLLING, TriggerKind.REALTIME})


def declared_triggers(flow: Flow, now: datetime, zone: str | None) -> tuple[DeclaredTrigger, ...]:
    """What a revision of a flow declares that is saved now.

    ``zone`` is the time zone of schedules that name none; without it first dates are left to a scheduler.
    """
    return tuple(
        DeclaredTrigger(
            trigger.id,
            kind.value,
            fingerprint(trigger),
            active=not (trigger.disabled or flow.disabled),
            first_date=None if zone is None else first_date(trigger, now, zone),
        )
        for trigger in flow.triggers
        if (kind := trigger_kind(trigger)) in _KEPT
    )


def keeps_state(trigger: Trigger) -> bool:
    """Whether the state of a trigger is kept: not of those that an execution or a request fires."""
    return trigger_kind(trigger) in _KEPT


def first_date(trigger: Trigger, now: datetime, zone: str) -> datetime | None:
    """When a schedule that is declared now runs first.

    None when its definition alone does not tell, as it has conditions or expressions, or there is none.
    """
    if not isinstance(trigger, ScheduleTrigger) or is_conditional(trigger):
        return None
    try:
        return Dates(trigger.calendar(zone, _as_written)).next_after(now)
    except (ValueError, KeyError):
        # An expression is no date and no zone. A look at the trigger renders it, or tells what is wrong.
        return None


def _as_written(template: JsonValue) -> JsonValue:
    return template


def trigger_kind(trigger: Trigger) -> TriggerKind:
    """Who decides when a trigger fires."""
    if isinstance(trigger, TriggerDefinition):
        return trigger.plugin.trigger_kind
    assert isinstance(trigger, TriggerType), "every trigger of a flow is of one of the two"
    return trigger.trigger_kind


def fingerprint(trigger: Trigger) -> str:
    """Changes with the definition of a trigger, but not when it is merely disabled."""
    written = trigger.model_dump_json(by_alias=True, exclude={"disabled", "description", "plugin"})
    return blake2b(written.encode(), digest_size=12).hexdigest()
