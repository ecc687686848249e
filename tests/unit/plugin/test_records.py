"""Records that tasks take in and give out, through the storage of a worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.task_context import stored_lines, task_context

from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.records import RecordFile, read_records
from windhover.plugin.task import TaskFailure
from windhover.worker.inline import InlineWorker


@pytest_asyncio.fixture
async def worker(tmp_path: Path) -> AsyncIterator[InlineWorker]:
    async with InlineWorker(tmp_path) as inline:
        yield inline


@pytest_asyncio.fixture
async def ctx(worker: InlineWorker) -> AsyncIterator[RunContext]:
    async with task_context(worker) as (context, _):
        yield context


async def read(ctx: RunContext, source: JsonValue) -> list[JsonValue]:
    return [record async for record in read_records(ctx, source)]


@pytest.mark.parametrize(
    ("source", "records"),
    [
        ({"a": 1}, [{"a": 1}]),
        ([{"a": 1}, "b", 3], [{"a": 1}, "b", 3]),
        ('{"a": 1}', [{"a": 1}]),
        (' [{"a": 1}, 2] ', [{"a": 1}, 2]),
        ("text", ["text"]),
        (5, [5]),
        ([], []),
    ],
)
async def test_records_in_a_property(ctx: RunContext, source: JsonValue, records: list[JsonValue]) -> None:
    assert await read(ctx, source) == records


async def test_text_that_begins_as_json_must_be_json(ctx: RunContext) -> None:
    with pytest.raises(TaskFailure, match=r"Text that begins with `\[` must be JSON"):
        await read(ctx, "[1, 2")


async def test_what_is_written_is_read_again(ctx: RunContext, worker: InlineWorker) -> None:
    written: list[JsonValue] = [{"text": 'é"\n', "list": [None, True, 1.5]}, "b", *range(2_500)]
    file = RecordFile(ctx, "rows.ion")
    for record in written:
        file.append(record)
    uri = await file.store()

    assert file.count == len(written)
    assert await read(ctx, uri) == written
    assert (await stored_lines(worker, uri))[1] == '"b"'
    assert list(ctx.working_directory.iterdir()) == []


async def test_a_file_without_records_is_empty(ctx: RunContext) -> None:
    assert await read(ctx, await RecordFile(ctx, "none.ion").store()) == []


async def test_ion_of_others_is_read(ctx: RunContext) -> None:
    rows = b"""{name: 'Ada', born: 1815-12-10T, height: 1.65, likes: [maths, "music"], picture: {{AP8=}},
        note: null.string, old: true}
        {at: 2024-05-01T10:00:00Z}"""
    uri = await ctx.files.put(rows, "rows.ion")

    ada, other = await read(ctx, uri)

    assert isinstance(ada, dict)
    assert str(ada.pop("born")).startswith("1815-12-10")
    assert ada == {
        "name": "Ada",
        "height": 1.65,
        "likes": ["maths", "music"],
        "picture": "AP8=",
        "note": None,
        "old": True,
    }
    assert other == {"at": "2024-05-01T10:00:00+00:00"}


async def test_files_that_cannot_be_read(ctx: RunContext) -> None:
    with pytest.raises(TaskFailure, match="Cannot get the file kestra:///nowhere"):
        await read(ctx, "kestra:///nowhere")
    uri = await ctx.files.put(b"{a: ", "broken.ion")
    with pytest.raises(TaskFailure, match="holds no records"):
        await read(ctx, uri)
