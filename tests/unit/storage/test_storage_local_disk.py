"""The internal storage on a disk: what must survive, and what must not get out or stay behind."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import textwrap
import threading
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from windhover.storage import Storage, StorageError, StorageFileNotFoundError, TenantStorage

URI = "kestra:///io/acme/sales/report.csv"
MEGABYTE = 1024 * 1024


def everything_in(base: Path) -> list[str]:
    return sorted(str(path.relative_to(base)) for path in base.rglob("*") if not path.is_dir())


async def test_files_lie_under_their_own_names(base: Path, local_files: TenantStorage) -> None:
    await local_files.put("kestra:///io/acme/a%20b/%C3%BC.csv", b"1")
    assert (base / "main/io/acme/a b/ü.csv").read_bytes() == b"1"


async def test_another_process_finds_the_files(base: Path, local_files: TenantStorage) -> None:
    await local_files.put(URI, b"kept")
    later = Storage.local(base)
    assert await later.for_tenant("main").read(URI) == b"kept"
    await later.close()


async def test_a_large_file_is_never_held_in_memory(local_files: TenantStorage, tmp_path: Path) -> None:
    size = 300 * MEGABYTE
    chunk = bytes(MEGABYTE)

    async def large() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield chunk

    tracemalloc.start()
    try:
        assert (await local_files.put(URI, large())).size == size
        read = 0
        async for piece in await local_files.open(URI):
            read += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert read == size
    assert peak < 8 * MEGABYTE


async def test_a_file_is_synced_before_it_is_acknowledged(
    local_files: TenantStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    real_sync, real_rename = os.fsync, os.rename

    def sync(descriptor: int) -> None:
        name = os.readlink(f"/proc/self/fd/{descriptor}").rpartition("/")[2]
        steps.append(f"sync {name if name in ('main', 'io', 'acme', 'sales', 'disk') else 'file'}")
        real_sync(descriptor)

    def rename(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        steps.append(f"rename to {target}")
        real_rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "rename", rename)
    await local_files.put(URI, b"1")
    content = steps.index("sync file")
    assert steps[content + 1 :][-2:] == ["rename to report.csv", "sync sales"]
    # Each new folder is an entry of the one above it.
    assert {"sync disk", "sync main", "sync io", "sync acme"} <= set(steps)


async def test_half_a_file_is_never_seen(base: Path, local_files: TenantStorage) -> None:
    await local_files.put(URI, b"old")
    seen: list[bytes | int] = []

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"n" * MEGABYTE
            seen.append(await local_files.read(URI))
            seen.append(len(await local_files.list_files("kestra:///")))

    await local_files.put(URI, slow())
    assert seen == [b"old", 1] * 3
    assert (await local_files.stat(URI)).size == 3 * MEGABYTE


async def test_a_cancelled_upload_leaves_nothing(base: Path, local_files: TenantStorage) -> None:
    began = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * MEGABYTE
            began.set()
            await asyncio.Event().wait()

    upload = asyncio.create_task(local_files.put(URI, endless()))
    await began.wait()
    assert len(everything_in(base)) == 1
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert everything_in(base) == []


async def test_a_file_stays_readable_while_it_is_deleted_or_replaced(local_files: TenantStorage) -> None:
    await local_files.put(URI, b"a" * 3 * MEGABYTE)
    opened = await local_files.open(URI)
    first = await anext(opened)
    await local_files.put(URI, b"b")
    await local_files.delete(URI)
    assert len(first) + sum([len(chunk) async for chunk in opened]) == 3 * MEGABYTE


@pytest.mark.parametrize("kind", ["file", "folder"])
async def test_a_planted_link_leads_nowhere(
    base: Path, tmp_path: Path, local_files: TenantStorage, kind: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (base / "main/a").mkdir(parents=True)
    if kind == "file":
        (base / "main/a/link").symlink_to(outside / "secret")
        uri = "kestra:///a/link"
    else:
        (base / "main/a/link").symlink_to(outside)
        uri = "kestra:///a/link/secret"
    for attempt in (
        local_files.open(uri),
        local_files.stat(uri),
        local_files.read(uri),
        local_files.put(uri, b"overwritten"),
        local_files.delete(uri),
        local_files.move(uri, "kestra:///elsewhere"),
        local_files.delete_prefix(uri),
    ):
        with pytest.raises(StorageError, match=rf"{uri}: link is a symbolic link"):
            await attempt
    assert await local_files.list_files("kestra:///a") == []
    assert await local_files.delete_prefix("kestra:///a") >= 0
    assert not (base / "main/a").exists()
    assert (outside / "secret").read_text() == "secret"


async def test_a_pipe_or_a_socket_is_no_file(base: Path, local_files: TenantStorage) -> None:
    (base / "main").mkdir()
    os.mkfifo(base / "main/pipe")
    with pytest.raises(StorageFileNotFoundError):
        await local_files.open("kestra:///pipe")
    assert await local_files.list_files("kestra:///") == []


async def test_a_name_cannot_be_a_file_and_a_folder(local_files: TenantStorage, base: Path) -> None:
    await local_files.put("kestra:///a/b", b"1")
    with pytest.raises(StorageError, match="kestra:///a: there is a folder of this name"):
        await local_files.put("kestra:///a", b"2")
    with pytest.raises(StorageError, match=r"kestra:///a/b/c: a part of the path .* is a file"):
        await local_files.put("kestra:///a/b/c", b"2")
    assert everything_in(base) == ["main/a/b"]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "no space left on the disk holding "),
        (errno.EDQUOT, "no space left on the disk holding "),
        (errno.EROFS, "is read-only"),
        (errno.EIO, "Input/output error"),
    ],
)
async def test_a_failing_disk_is_named_and_leaves_nothing(
    base: Path, local_files: TenantStorage, monkeypatch: pytest.MonkeyPatch, number: int, message: str
) -> None:
    real_write = os.write

    def write(descriptor: int, data: memoryview) -> int:
        if not threading.current_thread().name.startswith("storage"):
            return real_write(descriptor, data)
        if len(data) <= 1:
            raise OSError(number, os.strerror(number))
        return real_write(descriptor, data[:-1])

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(StorageError, match=message) as failed:
        await local_files.put(URI, b"0123456789")
    assert str(failed.value).startswith(URI)
    assert str(base) in str(failed.value)
    assert everything_in(base) == []


def test_a_file_that_the_system_cuts_off_leaves_nothing(base: Path) -> None:
    program = """
        import asyncio, pathlib, resource, sys
        from windhover.storage import Storage, StorageError

        async def main() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
            files = Storage.local(pathlib.Path(sys.argv[1])).for_tenant("main")
            await files.put("kestra:///small", b"x" * 100_000)
            try:
                await files.put("kestra:///large", b"x" * 100_001)
            except StorageError as error:
                print(error)

        asyncio.run(main())
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(base)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.startswith("kestra:///large: the file is larger than the disk holding")
    assert everything_in(base) == ["main/small"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser is denied nothing")
async def test_a_denied_permission_is_named(base: Path, local_files: TenantStorage) -> None:
    await local_files.put(URI, b"1")
    folder = base / "main/io/acme/sales"
    folder.chmod(0o500)
    try:
        with pytest.raises(StorageError, match=f"permission denied in {base}"):
            await local_files.put(URI, b"2")
    finally:
        folder.chmod(0o700)
    assert everything_in(base) == ["main/io/acme/sales/report.csv"]


def test_a_base_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file/storage cannot be made"):
        Storage.local(tmp_path / "file/storage")


async def test_a_sweep_takes_what_a_crash_left_and_spares_living_uploads(
    base: Path, local_storage: Storage
) -> None:
    files = local_storage.for_tenant("main")
    crash = """
        import asyncio, os, pathlib, sys
        from windhover.storage import Storage

        async def killed():
            yield b"x" * 2_000_000
            os._exit(9)

        files = Storage.local(pathlib.Path(sys.argv[1])).for_tenant("main")
        asyncio.run(files.put("kestra:///lost", killed()))
    """
    crashed = await asyncio.create_subprocess_exec(sys.executable, "-c", textwrap.dedent(crash), str(base))
    assert await crashed.wait() == 9
    assert len(everything_in(base)) == 1

    async def living() -> AsyncIterator[bytes]:
        yield b"y" * 2_000_000
        assert await local_storage.sweep() == 1
        yield b"y"

    assert (await files.put(URI, living())).size == 2_000_001
    assert await local_storage.sweep() == 0
    assert everything_in(base) == ["main/io/acme/sales/report.csv"]


async def test_deleting_leaves_no_empty_folders(base: Path, local_files: TenantStorage) -> None:
    await local_files.put("kestra:///a/b/c/1", b"")
    await local_files.put("kestra:///a/2", b"")
    await local_files.delete("kestra:///a/b/c/1")
    assert not (base / "main/a/b").exists()
    await local_files.delete_prefix("kestra:///a/2")
    assert list((base / "main").iterdir()) == []


async def test_writers_and_deleters_of_one_folder_do_not_disturb_each_other(
    local_files: TenantStorage,
) -> None:
    async def write_and_delete(number: int) -> None:
        for _ in range(20):
            await local_files.put(f"kestra:///deep/er/{number}", b"1")
            assert await local_files.delete(f"kestra:///deep/er/{number}")

    await asyncio.gather(*(write_and_delete(number) for number in range(8)))
    assert await local_files.list_files("kestra:///") == []


async def test_no_descriptor_is_left_open(local_files: TenantStorage) -> None:
    await local_files.put(URI, b"x" * 3 * MEGABYTE)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        async with await local_files.open(URI) as opened:
            await anext(opened)
        await local_files.open(URI)
        await local_files.list_files("kestra:///")
        await local_files.move(URI, URI)
    assert len(os.listdir("/proc/self/fd")) == before
