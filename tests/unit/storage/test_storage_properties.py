"""Any name, any content: nothing is lost and nothing gets out."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from windhover.storage import (
    InvalidStorageUriError,
    Storage,
    StorageError,
    StoragePath,
    is_within,
    parse_uri,
    storable_name,
    task_run_prefix,
    task_run_uri,
)

ODD_NAMES = st.text(min_size=1, max_size=80) | st.sampled_from(
    ["..", ".", "~", "a#1", "%2e%2e", "con", "-rf", "é", "é"]
)
HOSTILE = st.lists(
    st.sampled_from(
        [
            "..",
            ".",
            "/",
            "\\",
            "%2e",
            "%2E",
            "%2f",
            "%5c",
            "%00",
            "\x00",
            "//",
            "a",
            "~",
            "%",
            "%25",
            "é",
            ":",
        ]
    ),
    max_size=12,
).map("".join)


@settings(max_examples=60, deadline=None)
@given(names=st.lists(ODD_NAMES, min_size=1, max_size=4), content=st.binary(max_size=5000))
def test_any_name_and_content_come_back(names: list[str], content: bytes) -> None:
    uri = StoragePath(tuple(storable_name(name) for name in names)).uri

    async def round_trip(base: Path) -> None:
        storage = Storage.local(base)
        files = storage.for_tenant("main")
        stored = await files.put(uri, content)
        assert stored.uri == uri
        assert uri.isascii()
        assert await files.read(uri) == content
        assert await files.list_files("kestra:///") == [stored]
        assert await files.delete(uri)
        await storage.close()

    with tempfile.TemporaryDirectory() as base:
        asyncio.run(round_trip(Path(base)))


@given(tail=HOSTILE | st.text(max_size=60))
def test_no_path_leads_out(tail: str) -> None:
    try:
        path = parse_uri("kestra:///" + tail)
    except InvalidStorageUriError:
        return
    root = Path("/base/main")
    place = root.joinpath(*path.segments)
    assert place.is_relative_to(root)
    assert ".." not in place.parts
    assert len(place.parts) == len(root.parts) + len(path.segments)
    assert parse_uri(path.uri) == path


@settings(max_examples=60, deadline=None)
@given(tail=HOSTILE)
def test_no_write_lands_outside(tail: str) -> None:
    async def attempt(base: Path) -> None:
        storage = Storage.local(base)
        with contextlib.suppress(StorageError):
            await storage.for_tenant("main").put("kestra:///" + tail, b"1")
        await storage.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(attempt(Path(folder) / "storage"))
        assert [path.name for path in Path(folder).iterdir()] == ["storage"]
        assert {path.name for path in (Path(folder) / "storage").iterdir()} <= {"main", ".incoming"}


@given(name=st.text(max_size=300))
def test_any_file_name_stays_in_the_folder_of_its_task_run(name: str) -> None:
    folder = task_run_prefix("io.acme", "f", "X1", "t", "R1")
    assert is_within(task_run_uri("io.acme", "f", "X1", "t", "R1", name.replace("/", "")), folder)


@given(names=st.lists(ODD_NAMES.map(storable_name), min_size=1, max_size=5))
def test_a_uri_may_be_encoded_more_than_needed(names: list[str]) -> None:
    path = StoragePath(tuple(names))
    assert parse_uri("kestra:///" + "/".join(quote(name, safe="") for name in names)) == path
