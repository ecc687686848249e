"""A storage on each kind of backend."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from windhover.storage import Storage, TenantStorage
from windhover.storage.object_store import ObjectStoreBackend


@pytest.fixture(params=["local", "object store"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    """A storage of each kind; a test that takes it states the contract of all."""
    if request.param == "local":
        opened = Storage.local(tmp_path / "storage")
    else:
        from obstore.store import MemoryStore

        opened = Storage(ObjectStoreBackend(MemoryStore()))
    yield opened
    await opened.close()


@pytest.fixture
def files(storage: Storage) -> TenantStorage:
    return storage.for_tenant("main")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "disk"


@pytest.fixture
async def local_storage(base: Path) -> AsyncIterator[Storage]:
    opened = Storage.local(base)
    yield opened
    await opened.close()


@pytest.fixture
def local_files(local_storage: Storage) -> TenantStorage:
    return local_storage.for_tenant("main")
