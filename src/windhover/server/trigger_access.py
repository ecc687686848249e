"""Triggers of a tenant, as tasks see them; see :class:`windhover.plugin.context.TriggerStore`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from windhover.engine.environment import EngineEnvironment
from windhover.engine.messages import TriggersChanged
from windhover.model.trigger_state import TriggerKey
from windhover.queue.local import Broadcasts
from windhover.repository.flow_definitions import FlowDefinitions, FlowNotFound
from windhover.repository.trigger_enabling import enable_trigger
from windhover.repository.triggers import TriggerRepository


class RepositoryTriggerStore:
    """Changes the states of triggers in the repository, and tells the scheduler."""

    def __init__(
        self,
        triggers: TriggerRepository,
        definitions: FlowDefinitions,
        broadcasts: Broadcasts,
        environment: EngineEnvironment,
        clock: Callable[[], datetime],
        tenant_id: str,
        zone: str,
    ) -> None:
        self._triggers = triggers
        self._definitions = definitions
        self._broadcasts = broadcasts
        self._environment = environment
        self._clock = clock
        self._tenant_id = tenant_id
        self._zone = zone

    async def set_enabled(self, namespace: str, flow_id: str, trigger_id: str, enabled: bool) -> None:
        key = TriggerKey(self._tenant_id, namespace, flow_id, trigger_id)
        try:
            flow = await self._definitions.get(self._tenant_id, namespace, flow_id)
        except FlowNotFound:
            raise LookupError(f"Flow '{namespace}.{flow_id}' does not exist") from None
        trigger = next((each for each in flow.triggers if each.id == trigger_id), None)
        state = await self._triggers.get(key)
        if trigger is None or state is None:
            raise LookupError(f"Flow '{namespace}.{flow_id}' has no trigger '{trigger_id}' with a state")
        now = self._clock()
        if enabled:
            await enable_trigger(
                self._triggers,
                state,
                (flow, trigger),
                None,
                environment=self._environment,
                zone=self._zone,
                now=now,
            )
        else:
            await self._triggers.disable(key, now)
        self._broadcasts.publish(TriggersChanged())
