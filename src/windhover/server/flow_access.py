"""The flows of the server, for tasks that look after them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import msgspec

from windhover.model.purge import KeptVersion, VersionPurge
from windhover.repository.errors import FlowConflict
from windhover.repository.filters import Paging, TextMatch
from windhover.repository.flows import FlowQuery, FlowRecord, FlowRepository

_PAGE = 500


class RepositoryFlowStore(msgspec.Struct, frozen=True):
    """Implements :class:`windhover.plugin.context.FlowStore` over the repository."""

    flows: FlowRepository
    tenant_id: str

    async def namespaces(self) -> Sequence[str]:
        return await self.flows.namespaces(self.tenant_id)

    async def purge(
        self, namespaces: Collection[str], selected: Callable[[str], bool], what: VersionPurge
    ) -> int:
        deleted = 0
        for flow in await self._flows(namespaces):
            if selected(flow.id):
                deleted += await self._purge_flow(flow, what)
        return deleted

    async def _flows(self, namespaces: Collection[str]) -> list[FlowRecord]:
        if not namespaces:
            return []
        found: list[FlowRecord] = []
        number = 1
        while True:
            query = FlowQuery(
                self.tenant_id, namespace=(TextMatch.any_of(*namespaces),), paging=Paging(number, _PAGE)
            )
            page = await self.flows.search(query)
            found += page.results
            if len(page.results) < _PAGE:
                return found
            number += 1

    async def _purge_flow(self, flow: FlowRecord, what: VersionPurge) -> int:
        revisions = await self.flows.revisions(self.tenant_id, flow.namespace, flow.id)
        old = [
            record.revision
            for rank, record in enumerate(reversed(revisions))
            if rank > 0
            and what.picks(KeptVersion(flow.id, record.revision, rank, record.deleted, record.updated))
        ]
        try:
            await self.flows.delete_revisions(self.tenant_id, flow.namespace, flow.id, old)
        except FlowConflict:
            # The latest was deleted meanwhile and is one of the old ones no more: the next purge sees to it.
            return 0
        return len(old)
