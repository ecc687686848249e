"""What every backend of the internal storage does alike."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from windhover.storage import (
    InvalidStorageUriError,
    Storage,
    StorageError,
    StorageFileNotFoundError,
    StorageLimitError,
    TenantStorage,
)

URI = "kestra:///io/acme/sales/executions/1/report.csv"


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_a_file_comes_back_as_it_was_put(files: TenantStorage) -> None:
    stored = await files.put(URI, b"a,b\n1,2\n")
    assert (stored.uri, stored.size) == (URI, 8)
    assert await files.read(URI) == b"a,b\n1,2\n"
    assert (await files.stat(URI)).size == 8
    assert await files.exists(URI)


@pytest.mark.parametrize("content", [b"", b"x", b"0123456789" * 300_000])
async def test_content_may_come_from_anywhere(files: TenantStorage, tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "source.bin"
    source.write_bytes(content)
    half = len(content) // 2
    for given in (
        content,
        bytearray(content),
        memoryview(content),
        source,
        io.BytesIO(content),
        stream(content[:half], content[half:]),
    ):
        assert (await files.put(URI, given)).size == len(content)
        assert await files.read(URI) == content


async def test_an_empty_stream_is_an_empty_file(files: TenantStorage) -> None:
    assert (await files.put(URI, stream())).size == 0
    assert await files.read(URI) == b""


async def test_putting_again_replaces(files: TenantStorage) -> None:
    await files.put(URI, b"a longer content")
    await files.put(URI, b"short")
    assert await files.read(URI) == b"short"


async def test_a_tenant_sees_only_its_files(storage: Storage) -> None:
    await storage.for_tenant("one").put(URI, b"1")
    other = storage.for_tenant("two")
    assert not await other.exists(URI)
    assert await other.list_files("kestra:///") == []
    assert not await other.delete(URI)
    assert await storage.for_tenant("one").read(URI) == b"1"


@pytest.mark.parametrize("tenant", ["", ".", "..", ".incoming", "a/b", "a b", "../x", "é", "a\n"])
def test_a_tenant_s_name_cannot_be_a_path(storage: Storage, tenant: str) -> None:
    with pytest.raises(StorageError, match="tenant"):
        storage.for_tenant(tenant)


async def test_a_file_is_read_in_ranges(files: TenantStorage) -> None:
    await files.put(URI, b"0123456789")

    async def part(start: int, end: int | None) -> tuple[bytes, int]:
        opened = await files.open(URI, start=start, end=end)
        assert opened.file.size == 10
        return b"".join([chunk async for chunk in opened]), opened.length

    assert await part(2, 5) == (b"234", 3)
    assert await part(7, None) == (b"789", 3)
    assert await part(7, 100) == (b"789", 3)
    assert await part(10, None) == (b"", 0)
    assert await part(99, None) == (b"", 0)
    assert await part(3, 3) == (b"", 0)
    for start, end in ((-1, None), (5, 4)):
        with pytest.raises(StorageError, match="range"):
            await files.open(URI, start=start, end=end)


async def test_a_stream_may_be_left_early_and_closed_twice(files: TenantStorage) -> None:
    await files.put(URI, b"x" * 3_000_000)
    opened = await files.open(URI)
    async with opened:
        assert await anext(opened)
    await opened.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(opened)


async def test_what_is_missing_is_said(files: TenantStorage, tmp_path: Path) -> None:
    await files.put("kestra:///a/folder/file", b"")
    for missing in (URI, "kestra:///a/folder", "kestra:///a/folder/file/below"):
        for attempt in (
            files.open(missing),
            files.open(missing, start=1),
            files.read(missing),
            files.stat(missing),
            files.download(missing, tmp_path / "target"),
            files.move(missing, "kestra:///elsewhere"),
        ):
            with pytest.raises(StorageFileNotFoundError, match=missing):
                await attempt
        assert not await files.exists(missing)
        assert not await files.delete(missing)
    assert await files.delete_prefix(URI) == 0
    assert not (tmp_path / "target").exists()


async def test_a_file_over_the_limit_leaves_nothing(files: TenantStorage) -> None:
    assert (await files.put(URI, b"12345", size_limit=5)).size == 5
    for source in (b"123456", io.BytesIO(b"123456"), stream(b"123", b"456")):
        with pytest.raises(StorageLimitError, match="limit of 5 bytes"):
            await files.put(URI, source, size_limit=5)
    assert await files.read(URI) == b"12345"
    with pytest.raises(StorageLimitError):
        await files.put("kestra:///new", stream(b"123", b"456"), size_limit=5)
    assert [file.uri for file in await files.list_files("kestra:///")] == [URI]


async def test_reading_refuses_what_is_too_large_for_memory(files: TenantStorage) -> None:
    await files.put(URI, b"12345")
    assert await files.read(URI, limit=5) == b"12345"
    with pytest.raises(StorageLimitError, match="5 bytes, more than the limit of 4"):
        await files.read(URI, limit=4)


async def test_code_that_cannot_await_reads_too(files: TenantStorage) -> None:
    await files.put(URI, b"12345")
    assert files.read_now(URI) == files.read_now(URI, limit=5) == b"12345"
    with pytest.raises(StorageLimitError, match="limit of 4 bytes"):
        files.read_now(URI, limit=4)
    with pytest.raises(StorageFileNotFoundError):
        files.read_now("kestra:///none")


async def test_an_error_of_the_source_comes_through_and_leaves_nothing(files: TenantStorage) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        raise ConnectionResetError("the client went away")

    with pytest.raises(ConnectionResetError, match="went away"):
        await files.put(URI, broken())
    assert await files.list_files("kestra:///") == []


async def test_a_listing_is_sorted_and_keeps_to_its_folder(files: TenantStorage) -> None:
    for name in ("b/2", "b/1", "b/sub/3", "bc/4", "a"):
        await files.put(f"kestra:///{name}", name.encode())

    async def listed(prefix: str) -> list[str]:
        return [file.uri.removeprefix("kestra:///") for file in await files.list_files(prefix)]

    assert await listed("kestra:///") == ["a", "b/1", "b/2", "b/sub/3", "bc/4"]
    assert await listed("kestra:///b") == await listed("kestra:///b/") == ["b/1", "b/2", "b/sub/3"]
    assert await listed("kestra:///none") == []
    assert (await files.list_files("kestra:///b/sub"))[0].size == len("b/sub/3")


async def test_a_folder_is_deleted_with_all_it_holds(files: TenantStorage) -> None:
    for name in ("b/2", "b/1", "b/sub/3", "bc/4"):
        await files.put(f"kestra:///{name}", b"")
    assert await files.delete("kestra:///b/1")
    assert await files.delete_prefix("kestra:///b/") == 2
    assert await files.delete_prefix("kestra:///b") == 0
    assert await files.delete_prefix("kestra:///bc/4") == 1
    assert await files.list_files("kestra:///") == []


async def test_the_root_is_not_deleted(files: TenantStorage) -> None:
    await files.put(URI, b"kept")
    with pytest.raises(InvalidStorageUriError, match="root"):
        await files.delete_prefix("kestra:///")
    assert await files.exists(URI)


async def test_a_file_moves(files: TenantStorage) -> None:
    await files.put(URI, b"content")
    await files.put("kestra:///target", b"replaced")
    moved = await files.move(URI, "kestra:///target")
    assert (moved.uri, moved.size) == ("kestra:///target", 7)
    assert await files.read("kestra:///target") == b"content"
    assert not await files.exists(URI)
    await files.move("kestra:///target", "kestra:///target")
    assert await files.read("kestra:///target") == b"content"


async def test_a_file_is_downloaded_whole_or_not_at_all(files: TenantStorage, tmp_path: Path) -> None:
    folder = tmp_path / "downloads"
    folder.mkdir()
    await files.put(URI, b"x" * 3_000_000)
    assert (await files.download(URI, folder / "report")).size == 3_000_000
    assert (folder / "report").read_bytes() == b"x" * 3_000_000
    with pytest.raises(OSError):
        await files.download(URI, folder)
    with pytest.raises(FileNotFoundError):
        await files.download(URI, folder / "missing" / "report")
    assert [path.name for path in folder.iterdir()] == ["report"]


async def test_folders_have_no_content(files: TenantStorage) -> None:
    with pytest.raises(InvalidStorageUriError, match="folder"):
        await files.put("kestra:///a/", b"")
    with pytest.raises(InvalidStorageUriError, match="no file"):
        await files.put("kestra:///", b"")
