"""The latest revisions of flows, without asking the database each time."""

from __future__ import annotations

import time

from windhover.model.flow import Flow
from windhover.repository.flow_definitions import FlowDefinitions

#: How long a flow is believed not to have changed. Changes by this process are known at once.
_SECONDS = 2.0
_CAPACITY = 10_000


class LatestFlows:
    """Flows by their ids."""

    def __init__(self, definitions: FlowDefinitions) -> None:
        self._definitions = definitions
        self._known: dict[tuple[str, str, str], tuple[float, Flow]] = {}

    def forget(self) -> None:
        """Believe nothing any more: flows have changed."""
        self._known.clear()

    async def get_revision(self, tenant_id: str, namespace: str, flow_id: str, revision: int) -> Flow:
        """One revision of a flow; raises as :meth:`get` does."""
        return await self._definitions.get(tenant_id, namespace, flow_id, revision)

    async def get(self, tenant_id: str, namespace: str, flow_id: str) -> Flow:
        """The latest revision of a flow.

        Raises:
            FlowNotFound, FlowUnreadable: there is none, or none that is valid.
        """
        key = (tenant_id, namespace, flow_id)
        known = self._known.get(key)
        now = time.monotonic()
        if known is not None and now - known[0] < _SECONDS:
            return known[1]
        flow = await self._definitions.get(tenant_id, namespace, flow_id)
        if len(self._known) >= _CAPACITY:
            self._known.clear()
        self._known[key] = (now, flow)
        return flow
