"""The files that a request brings for an execution."""

from __future__ import annotations

import asyncio
import logging

from windhover.model.flow import Flow
from windhover.repository.errors import RepositoryError, RepositoryUnavailable
from windhover.repository.released_files import ReleasedFolder
from windhover.repository.uploads import UploadRepository
from windhover.storage import Source, StoredFile
from windhover.webserver.services import DEFAULT_TENANT, WebServices

logger = logging.getLogger(__name__)


class Upload:
    """Stores the files of one request, so that none is left over whatever becomes of it.

    Whoever makes one calls :meth:`settle` when the execution is committed, or :meth:`discard`. After an error
    that leaves open whether it is committed, neither: the next start of the server finds that out.
    """

    def __init__(self, services: WebServices, tenant: str, folder: ReleasedFolder | None = None) -> None:
        """``folder`` is that of an execution that does not exist yet; one that does owns its files."""
        self._files = services.storage.for_tenant(tenant)
        self._repository = UploadRepository(services.database)
        self._folder = folder
        self._is_noted = False
        #: The URIs of the files that are stored.
        self.stored: list[str] = []

    @classmethod
    def for_new_execution(cls, services: WebServices, flow: Flow, execution_id: str) -> Upload:
        tenant = flow.tenant_id or DEFAULT_TENANT
        return cls(services, tenant, ReleasedFolder(execution_id, tenant, flow.namespace, flow.id))

    async def put(self, uri: str, content: Source, size_limit: int | None = None) -> StoredFile:
        """Store a file.

        Raises:
            StorageError: it cannot be stored; a StorageLimitError when it is too large.
        """
        if self._folder is not None and not self._is_noted:
            await self._repository.note(self._folder)
            self._is_noted = True
        stored = await self._files.put(uri, content, size_limit=size_limit)
        self.stored.append(uri)
        return stored

    async def settle(self) -> None:
        """The files are those of what was committed."""
        if self._folder is None or not self._is_noted:
            return
        try:
            await self._repository.settle([self._folder.execution_id])
        except (RepositoryError, RepositoryUnavailable) as error:
            # The next start does it; until then the files are safe.
            logger.warning("The upload for %s stays noted: %s", self._folder.execution_id, error)
        else:
            self._is_noted = False

    async def discard(self) -> None:
        """Remove the files of a request that was refused; the client's going away does not stop it."""
        if self.stored or self._is_noted:
            await asyncio.shield(self._discard())

    async def _discard(self) -> None:
        for uri in self.stored:
            try:
                await self._files.delete(uri)
            except Exception as error:  # the answer is about the request, not about this
                logger.warning("The file %s of a refused request cannot be removed: %s", uri, error)
        await self.settle()
