"""How log lines of triggers are told from those of executions: by what stands in the place of an id."""

from __future__ import annotations

from windhover.model.trigger_state import TriggerKey

_PREFIX = "trigger:"


def trigger_log_id(key: TriggerKey) -> str:
    """What the lines of a trigger have in the place of an execution's id."""
    return f"{_PREFIX}{key.tenant_id}/{key.namespace}/{key.flow_id}/{key.trigger_id}"


def is_trigger_log(execution_id: str) -> bool:
    """Whether a line belongs to a trigger and to no execution."""
    return execution_id.startswith(_PREFIX)
