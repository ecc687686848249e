"""Files of namespaces: their index on both databases, their bytes in a storage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from tests.integration.repository.records import NOW

from windhover.model.namespace_file import (
    InvalidPath,
    NamespaceFile,
    NamespaceFileExists,
    NamespaceFileMissing,
)
from windhover.model.purge import VersionPurge
from windhover.repository.database import Database
from windhover.repository.errors import RepositoryUnavailable
from windhover.repository.namespace_files import NamespaceFileRepository
from windhover.storage import Storage, StorageLimitError
from windhover.storage.namespace_files import TenantNamespaceFiles, namespace_file_uri

NS = "company.team"


@pytest_asyncio.fixture
async def files(database: Database, tmp_path: Path) -> AsyncIterator[TenantNamespaceFiles]:
    storage = Storage.local(tmp_path / "storage")
    yield TenantNamespaceFiles(NamespaceFileRepository(database), storage.for_tenant("main"), lambda: NOW)
    await storage.close()


async def content(files: TenantNamespaceFiles, path: str, version: int | None = None) -> bytes:
    return await files.read(await files.get(NS, path, version), 1000)


async def paths(files: TenantNamespaceFiles, directory: str = "") -> list[str]:
    return [file.path for file in await files.list(NS, directory)]


async def stored(files: TenantNamespaceFiles) -> int:
    return len(await files.storage.list_files("kestra:///company"))


async def test_every_upload_is_a_version_of_its_own(files: TenantNamespaceFiles) -> None:
    for text in (b"one", b"two!", b""):
        await files.put(NS, "/sql/a.sql", text)
    assert await content(files, "sql/a.sql") == b""
    assert await content(files, "sql/a.sql", 2) == b"two!"
    assert [file.size for file in await files.versions(NS, "sql/a.sql")] == [3, 4, 0]
    assert await paths(files) == ["sql/", "sql/a.sql"]
    with pytest.raises(NamespaceFileMissing, match="Version 9 of file '/sql/a"):
        await files.get(NS, "sql/a.sql", 9)
    with pytest.raises(
        NamespaceFileMissing, match=r"File '/none' was not found in namespace 'company.team'\."
    ):
        await files.get(NS, "none")


async def test_uploads_at_once_never_mix(files: TenantNamespaceFiles) -> None:
    written = await asyncio.gather(*(files.put(NS, "a", f"{n}".encode()) for n in range(5)))
    assert sorted(file.version for file in written) == [1, 2, 3, 4, 5]
    for file in written:
        assert await files.read(file, 10) == await content(files, "a", file.version)
    tries = await asyncio.gather(
        *(files.put(NS, "new", b"x", overwrite=False) for _ in range(3)), return_exceptions=True
    )
    assert sum(isinstance(result, NamespaceFileExists) for result in tries) == 2
    assert await stored(files) == 6


async def test_what_an_upload_left_that_was_not_finished_is_swept(
    files: TenantNamespaceFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    await files.put(NS, "a b.sql", b"one")
    await files.put(NS, "a b.sql", b"two")
    await files.delete(NS, "a b.sql")

    async def lost(*_: object, **__: object) -> None:
        raise RepositoryUnavailable("the connection broke")

    with monkeypatch.context() as patch:
        patch.setattr(NamespaceFileRepository, "add", lost)
        with pytest.raises(RepositoryUnavailable):
            await files.put(NS, "c/d.sql", b"lost")
    assert await stored(files) == 3
    begun = min(file.modified for file in await files.storage.list_files("kestra:///company"))
    assert await files.sweep(begun) == 0
    assert await files.sweep(datetime.now(UTC) + timedelta(seconds=1)) == 1
    assert await stored(files) == 2
    await files.put(NS, "a b.sql", b"three")
    assert await content(files, "a b.sql", 1) == b"one"


async def test_an_upload_whose_commit_was_written_and_not_answered_keeps_its_bytes(
    files: TenantNamespaceFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = NamespaceFileRepository.add

    async def unanswered(self: NamespaceFileRepository, file: NamespaceFile, **options: bool) -> None:
        await add(self, file, **options)
        raise RepositoryUnavailable("the connection broke")

    monkeypatch.setattr(NamespaceFileRepository, "add", unanswered)
    with pytest.raises(RepositoryUnavailable):
        await files.put(NS, "a.sql", b"one")
    assert await content(files, "a.sql") == b"one"


async def test_uris_name_the_latest_version_or_a_given_one(files: TenantNamespaceFiles) -> None:
    await files.put(NS, "a b.txt", b"one")
    await files.put(NS, "a b.txt", b"two")
    await files.put(NS, "c.v1", b"real")
    assert namespace_file_uri(NS, "a b.txt") == "kestra:///company/team/_files/a%20b.txt"

    async def read(uri: str) -> bytes:
        return await files.read(await files.resolve(uri), 100)

    assert await read(namespace_file_uri(NS, "a b.txt")) == b"two"
    assert await read(namespace_file_uri(NS, "a b.txt", 1)) == b"one"
    assert await read(namespace_file_uri(NS, "c.v1")) == b"real"
    with pytest.raises(NamespaceFileMissing):
        await files.resolve(namespace_file_uri(NS, "a b.txt", 3))


async def test_a_directory_and_a_file_do_not_share_a_path(files: TenantNamespaceFiles) -> None:
    await files.put(NS, "a/b", b"x")
    for path in ("a", "a/b/c"):
        with pytest.raises(NamespaceFileExists):
            await files.put(NS, path, b"y")
    with pytest.raises(NamespaceFileExists):
        await files.create_directory(NS, "a/b")
    assert await stored(files) == 1
    with pytest.raises(InvalidPath):
        await files.put(NS, "../x", b"y")
    with pytest.raises(StorageLimitError):
        await files.put(NS, "large", b"12345", limit=4)
    assert await files.find(NS, "large") is None


async def test_deleting_keeps_versions_until_they_are_purged(files: TenantNamespaceFiles) -> None:
    for path in ("d/a", "d/e/b", "d.txt"):
        await files.put(NS, path, b"1")
    await files.put(NS, "d/a", b"2")
    gone = await files.delete(NS, "d")
    assert {file.path for file in gone} == {"d/", "d/a", "d/e/", "d/e/b"}
    assert await paths(files) == ["d.txt"]
    assert await files.delete(NS, "d") == []
    assert await stored(files) == 4
    assert (await files.put(NS, "d/a", b"3")).version == 3
    assert await files.purge([NS], lambda path: True, VersionPurge(keep=1)) == 3
    assert await paths(files) == ["d.txt", "d/", "d/a"]
    assert await stored(files) == 2


async def test_moving_takes_versions_along(files: TenantNamespaceFiles) -> None:
    for text in (b"1", b"2"):
        await files.put(NS, "old/a", text)
    await files.put(NS, "old/abc", b"other")
    await files.move(NS, "old/a", "new/x")
    assert await content(files, "new/x", 1) == b"1"
    assert await content(files, "old/abc") == b"other"
    await files.put(NS, "moved", b"deleted")
    await files.delete(NS, "moved")
    await files.put(NS, "moved.txt", b"stays")
    await files.move(NS, "new/x", "moved")
    assert await content(files, "moved") == b"2"
    assert await content(files, "moved.txt") == b"stays"
    await files.move(NS, "old", "dir")
    assert await paths(files, "dir") == ["dir/abc"]
    with pytest.raises(NamespaceFileExists):
        await files.move(NS, "moved", "dir/abc")
    with pytest.raises(NamespaceFileMissing):
        await files.move(NS, "none", "x")
    with pytest.raises(InvalidPath):
        await files.move(NS, "dir", "dir/inner")
