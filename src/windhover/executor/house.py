"""What the parts of an executor share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from windhover.engine.environment import EngineEnvironment
from windhover.engine.live import LiveExecution
from windhover.executor.actions import Actions
from windhover.executor.admission import Admission
from windhover.executor.children import ChildFactory
from windhover.executor.flow_triggers import FlowTriggers
from windhover.executor.large_values import LargeValues
from windhover.repository.executions import ExecutionRepository
from windhover.repository.flow_definitions import FlowDefinitions

Clock = Callable[[], datetime]


class House(msgspec.Struct, frozen=True):
    """The repositories and rules that an executor works with, and the executions that it has in memory."""

    executions: ExecutionRepository
    definitions: FlowDefinitions
    environment: EngineEnvironment
    clock: Clock
    children: ChildFactory
    actions: Actions
    admission: Admission
    flow_triggers: FlowTriggers
    #: Where values go that are too large for a record; None keeps all of them in it.
    large_values: LargeValues | None = None
    live: dict[str, LiveExecution] = msgspec.field(default_factory=dict)
