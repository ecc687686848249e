"""Triggers of a tenant, as tasks see them; see :class:`windhover.plugin.context.TriggerStore`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec.structs import replace

from windhover.engine.environment import EngineEnvironment
from windhover.engine.messages import TriggersChanged
from windhover.model.trigger_state import TriggerKey, TriggerState
from windhover.plugin.trigger import TriggerKind
from windhover.queue.local import Broadcasts
from windhover.repository.filters import Paging, TextMatch
from windhover.repository.flow_definitions import FlowDefinitions, FlowNotFound
from windhover.repository.trigger_changes import Disable, TriggerChange
from windhover.repository.trigger_enabling import enabling
from windhover.repository.triggers import TriggerQuery, TriggerRepository
from windhover.server.flow_access import within

_AT_ONCE = 500


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
        change: TriggerChange = Disable(key)
        if enabled:
            change = await asyncio.to_thread(
                enabling,
                state,
                (flow, trigger),
                None,
                environment=self._environment,
                zone=self._zone,
                now=now,
            )
        await self._triggers.change([change], now)
        self._broadcasts.publish(TriggersChanged())

    async def schedules(
        self, *, namespace: str | None = None, flow_id: str | None = None
    ) -> Sequence[TriggerState]:
        query = TriggerQuery(
            self._tenant_id,
            namespace=within(namespace, flow_id),
            flow_id=() if flow_id is None else (TextMatch.equal(flow_id),),
        )
        found: list[TriggerState] = []
        number = 1
        while True:
            page = await self._triggers.search(replace(query, paging=Paging(number, _AT_ONCE)))
            found += [state for state in page.results if state.kind == TriggerKind.SCHEDULE]
            if len(page.results) < _AT_ONCE:
                return found
            number += 1
