"""The triggers of a flow whose state is kept: those that are scheduled, poll or listen."""

from __future__ import annotations

from hashlib import blake2b

from windhover.model.flow import Flow
from windhover.model.trigger import Trigger
from windhover.plugin.trigger import TriggerDefinition, TriggerKind, TriggerType
from windhover.repository.flows import DeclaredTrigger

_KEPT = frozenset({TriggerKind.SCHEDULE, TriggerKind.POLLING, TriggerKind.REALTIME})


def declared_triggers(flow: Flow) -> tuple[DeclaredTrigger, ...]:
    """What a revision of a flow declares."""
    return tuple(
        DeclaredTrigger(
            trigger.id, kind.value, fingerprint(trigger), active=not (trigger.disabled or flow.disabled)
        )
        for trigger in flow.triggers
        if (kind := trigger_kind(trigger)) in _KEPT
    )


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
