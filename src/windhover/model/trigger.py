"""What every trigger has, whatever its type.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, SerializeAsAny

from windhover.model.asset import Assets
from windhover.model.definition import Definition, PluginId, Text
from windhover.model.labels import Labels
from windhover.model.state import StateType
from windhover.model.worker_selection import WorkerGroup, WorkerSelector


class Condition(Definition):
    """What every condition has: a type that says what it looks at."""

    type: str


class Trigger(Definition):
    """The properties that every trigger has.

    ``conditions`` (all must hold) and ``when`` (an expression) are the older and the newer way to say
    which events count. ``stopAfter`` disables the trigger once its execution ends in one of the states.
    """

    id: PluginId
    type: str
    version: Text | None = None
    description: Text | None = None
    conditions: tuple[SerializeAsAny[BaseModel], ...] = ()
    when: Text = "true"
    disabled: bool = False
    labels: Labels = ()
    stop_after: tuple[StateType, ...] = ()
    log_level: Literal["ERROR", "WARN", "INFO", "DEBUG", "TRACE"] | None = None
    min_log_level: Literal["ERROR", "WARN", "INFO", "DEBUG", "TRACE"] | None = None
    log_to_file: bool = False
    fail_on_trigger_error: bool = False
    allow_concurrent: bool = False
    assets: Assets | None = None
    worker_group: WorkerGroup | None = None
    worker_selector: WorkerSelector | None = None
    policy_refs: tuple[str, ...] = ()

    @property
    def all_conditions(self) -> tuple[BaseModel, ...]:
        """Everything besides ``when`` that must hold, under whatever property it is written."""
        return self.conditions
