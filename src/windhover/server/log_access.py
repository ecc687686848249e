"""The log lines of executions, for tasks and expressions that ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from windhover.model.log import LogEntry, LogLevel
from windhover.repository.filters import Paging, TextMatch, TimeRange
from windhover.repository.logs import LogQuery, LogRepository

#: Lines handed to one task at most.
FETCH_LIMIT = 100_000


class RepositoryLogSearch(msgspec.Struct, frozen=True):
    """Implements :class:`windhover.plugin.context.LogSearch` over the repository."""

    logs: LogRepository
    tenant_id: str

    async def fetch(
        self,
        *,
        namespace: str | None,
        flow_id: str | None,
        execution_id: str | None,
        task_ids: Sequence[str] | None,
        minimum: LogLevel,
    ) -> Sequence[LogEntry]:
        def exactly(text: str | None) -> tuple[TextMatch, ...]:
            return () if text is None else (TextMatch.equal(text),)

        query = LogQuery(
            tenant_id=self.tenant_id,
            execution_id=execution_id,
            namespace=exactly(namespace),
            flow_id=exactly(flow_id),
            min_level=minimum,
            paging=Paging(1, FETCH_LIMIT),
        )
        found = await self.logs.find(query)
        if task_ids is None:
            return found.results
        return [entry for entry in found.results if entry.task_id in task_ids]

    async def purge(
        self,
        *,
        namespace: str | None,
        flow_id: str | None,
        execution_id: str | None,
        levels: Sequence[LogLevel],
        since: datetime | None,
        until: datetime,
    ) -> int:
        names: tuple[TextMatch, ...] = ()
        if namespace is not None:
            names = (TextMatch.prefix(namespace) if flow_id is None else TextMatch.equal(namespace),)
        return await self.logs.delete(
            LogQuery(
                tenant_id=self.tenant_id,
                execution_id=execution_id,
                namespace=names,
                flow_id=() if flow_id is None else (TextMatch.equal(flow_id),),
                levels=tuple(levels),
                time=TimeRange(since, until),
            )
        )
