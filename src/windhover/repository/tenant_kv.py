"""The key-value store as tasks, expressions and the API of one tenant use it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

import msgspec

from windhover.model.kv import KvEntry, KvValue
from windhover.model.purge import KeyPurge, VersionPurge
from windhover.repository.kv import KvRepository
from windhover.util.namespaces import parents


class TenantKv(msgspec.Struct, frozen=True):
    """Implements :class:`windhover.plugin.context.KeyValueStore` over the repository."""

    repository: KvRepository
    tenant_id: str
    clock: Callable[[], datetime]

    async def get(self, namespace: str, key: str, *, inherit: bool = False) -> KvEntry | None:
        namespaces = [namespace, *parents(namespace)] if inherit else [namespace]
        return await self.repository.get(self.tenant_id, namespaces, key, self.clock())

    async def put(
        self,
        namespace: str,
        key: str,
        content: KvValue,
        *,
        description: str | None = None,
        expires: datetime | None = None,
        overwrite: bool = True,
    ) -> KvEntry:
        return await self.repository.put(
            self.tenant_id,
            namespace,
            key,
            content,
            self.clock(),
            description=description,
            expires=expires,
            overwrite=overwrite,
        )

    async def delete(self, namespace: str, key: str) -> bool:
        return await self.repository.delete(self.tenant_id, namespace, key, self.clock())

    async def keys(self, namespace: str, prefix: str = "") -> Sequence[str]:
        return await self.repository.keys(self.tenant_id, namespace, self.clock(), prefix)

    async def namespaces(self) -> Sequence[str]:
        return await self.repository.namespaces(self.tenant_id)

    async def has_namespace(self, namespace: str) -> bool:
        return await self.repository.namespace_exists(self.tenant_id, namespace)

    async def purge(
        self, namespaces: Collection[str], selected: Callable[[str], bool], what: KeyPurge | VersionPurge
    ) -> int:
        gone = await self.repository.purge(
            self.tenant_id, namespaces, lambda version: selected(version.name) and what.picks(version)
        )
        return len(gone)
