"""The metrics of executions, for tasks that purge them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from windhover.repository.filters import TextMatch, TimeRange
from windhover.repository.metrics import MetricRepository


class RepositoryMetricStore(msgspec.Struct, frozen=True):
    """Implements :class:`windhover.plugin.context.MetricStore` over the repository."""

    metrics: MetricRepository
    tenant_id: str

    async def purge(
        self, *, namespace: str | None, flow_id: str | None, since: datetime | None, until: datetime
    ) -> int:
        names: tuple[TextMatch, ...] = ()
        if namespace is not None:
            names = (TextMatch.prefix(namespace) if flow_id is None else TextMatch.equal(namespace),)
        return await self.metrics.delete(
            self.tenant_id, namespace=names, flow_id=flow_id, time=TimeRange(since, until)
        )
