"""The flows of the server, for tasks that look after them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from windhover.model.purge import KeptVersion, VersionPurge
from windhover.plugin.context import StoredFlow
from windhover.repository.errors import FlowConflict
from windhover.repository.filters import LabelMatch, Paging, TextMatch
from windhover.repository.flows import FlowQuery, FlowRecord, FlowRepository
from windhover.repository.namespaces import Namespaces

_PAGE = 500


class RepositoryFlowStore(msgspec.Struct, frozen=True):
    """Implements :class:`windhover.plugin.context.FlowStore` over the repository."""

    flows: FlowRepository
    tenant_id: str
    declared: Namespaces

    async def namespaces(self) -> Sequence[str]:
        return await self.flows.namespaces(self.tenant_id)

    async def declared_namespaces(self) -> Sequence[str]:
        return self.declared.ids()

    async def find(
        self,
        *,
        namespace: str | None = None,
        flow_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Sequence[StoredFlow]:
        query = FlowQuery(
            self.tenant_id,
            namespace=within(namespace, flow_id),
            flow_id=() if flow_id is None else (TextMatch.equal(flow_id),),
            labels=tuple(LabelMatch.equal(key, value) for key, value in (labels or {}).items()),
        )
        found = [
            StoredFlow(
                flow.namespace,
                flow.id,
                flow.revision,
                flow.source,
                flow.disabled,
                flow.description,
                tuple(flow.labels),
            )
            for flow in await self._all(query)
        ]
        return sorted(found, key=lambda flow: (flow.namespace, flow.id))

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
        return await self._all(FlowQuery(self.tenant_id, namespace=(TextMatch.any_of(*namespaces),)))

    async def _all(self, query: FlowQuery) -> list[FlowRecord]:
        found: list[FlowRecord] = []
        number = 1
        while True:
            page = await self.flows.search(msgspec.structs.replace(query, paging=Paging(number, _PAGE)))
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


def within(namespace: str | None, flow_id: str | None) -> tuple[TextMatch, ...]:
    """The condition on a namespace: itself with a flow, else also those below it."""
    if namespace is None:
        return ()
    return (TextMatch.prefix(namespace) if flow_id is None else TextMatch.equal(namespace),)
