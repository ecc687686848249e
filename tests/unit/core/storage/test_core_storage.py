from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from windhover.core.record_files import records, records_backwards
from windhover.core.storage.concat import Concat
from windhover.core.storage.deduplicate_items import DeduplicateItems
from windhover.core.storage.delete import Delete
from windhover.core.storage.filter_items import FilterItems
from windhover.core.storage.local_files import LocalFiles
from windhover.core.storage.purge_current_execution_files import PurgeCurrentExecutionFiles
from windhover.core.storage.reverse import Reverse
from windhover.core.storage.size import Size
from windhover.core.storage.split import Split
from windhover.core.storage.write import Write
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.worker.inline import InlineWorker


async def write(worker: InlineWorker, content: str, extension: str = ".txt") -> str:
    run = await worker.run(Write, {"content": content, "extension": extension})
    uri: str = run.outputs["uri"]
    return uri


async def text(worker: InlineWorker, uri: Any) -> str:
    return (await worker.storage.for_tenant("main").read(uri)).decode()


async def split(worker: InlineWorker, content: str, **properties: object) -> list[str]:
    uri = await write(worker, content)
    run = await worker.run(Split, {"from": uri, **properties})
    assert run.state is StateType.SUCCESS, run.logs
    return [await text(worker, part) for part in run.outputs["uris"]]


async def test_write_size_and_delete(worker: InlineWorker) -> None:
    uri = await write(worker, "äb\n", "csv")
    assert uri.endswith(".csv")
    assert (await worker.run(Size, {"uri": uri})).outputs == {"size": 4}
    assert (await worker.run(Delete, {"uri": uri})).outputs == {"uri": uri, "deleted": True}
    assert (await worker.run(Delete, {"uri": uri})).outputs == {"uri": uri, "deleted": False}
    missing = await worker.run(Delete, {"uri": uri, "errorOnMissing": True})
    assert missing.at(LogLevel.ERROR) == [f"Unable to find file '{uri}'"]
    assert (await worker.run(Size, {"uri": uri})).state is StateType.FAILED


@pytest.mark.parametrize("task", [Write, Concat])
async def test_the_extension_of_a_new_file(worker: InlineWorker, task: type[Write | Concat]) -> None:
    given: dict[str, object] = {"content": "x"} if task is Write else {"files": [await write(worker, "x")]}
    for extension, end in ({}, ".tmp"), ({"extension": "csv"}, ".csv"), ({"extension": ".csv"}, ".csv"):
        assert (await worker.run(task, {**given, **extension})).outputs["uri"].endswith(end)
    for unfit in ("a/b", "../x", " ", '["a"]'):
        run = await worker.run(task, {**given, "extension": unfit})
        assert run.at(LogLevel.ERROR) == [f"`{unfit}` cannot be the extension of a file"]


async def test_concat_writes_the_separator_after_each_file(worker: InlineWorker) -> None:
    uris = [await write(worker, "one\n"), await write(worker, "two\n")]
    for files in (uris, str(uris).replace("'", '"')):
        run = await worker.run(Concat, {"files": files, "separator": "-\n", "extension": ".csv"})
        assert run.outputs["uri"].endswith(".csv")
        assert await text(worker, run.outputs["uri"]) == "one\n-\ntwo\n-\n"


async def test_split(worker: InlineWorker) -> None:
    four = "1\n2\n2\n3\n"
    assert await split(worker, four, rows=3) == ["1\n2\n2\n", "3\n"]
    assert await split(worker, four, partitions=3) == ["1\n3\n", "2\n", "2\n"]
    assert await split(worker, four, bytes="4B") == ["1\n2\n", "2\n3\n"]
    assert await split(worker, four, regexPattern="^([12])$", rows=1) == ["1\n", "2\n2\n"]
    assert await split(worker, "a\r\nb\nc", rows=2, separator="--") == ["a--b--", "c--"]
    many = await split(worker, "".join(f"{n}\n" for n in range(400)), partitions=200)
    assert len(many) == 200
    assert many[1] == "1\n201\n"
    assert await split(worker, "", rows=1) == []


async def test_split_says_what_is_wrong(worker: InlineWorker) -> None:
    uri = await write(worker, "a")
    nothing = await worker.run(Split, {"from": uri})
    assert nothing.at(LogLevel.ERROR) == ["Invalid configuration with no size, count, rows, nor regexPattern"]
    size = await worker.run(Split, {"from": uri, "bytes": "ten"})
    assert size.at(LogLevel.ERROR)[0].startswith("`ten` is no size")


async def test_reverse(worker: InlineWorker) -> None:
    for content, reversed_ in (("one\ntwo\nthree\n", "three\ntwo\none\n"), ("a\nb", "b\na\n"), ("", "")):
        run = await worker.run(Reverse, {"from": await write(worker, content)})
        assert await text(worker, run.outputs["uri"]) == reversed_


@pytest.mark.parametrize(
    ("content", "properties", "reversed_"),
    [
        ("a b\nc d\n", {"separator": " "}, "c d a b "),
        ("a\r\nb\r\n", {}, "b\na\n"),
        ("a\nb\n", {"separator": "\r\n"}, "b\r\na\r\n"),
        ("a\nb\n", {"separator": ""}, "ba"),
    ],
)
async def test_reverse_writes_its_separator_after_each_line(
    worker: InlineWorker, content: str, properties: dict[str, object], reversed_: str
) -> None:
    run = await worker.run(Reverse, {"from": await write(worker, content), **properties})
    assert await text(worker, run.outputs["uri"]) == reversed_


@pytest.mark.parametrize("charset", ["UTF-16", "NOPE"])
async def test_reverse_needs_a_charset_that_says_the_order_of_bytes(
    worker: InlineWorker, charset: str
) -> None:
    run = await worker.run(Reverse, {"from": await write(worker, "a\n"), "charset": charset})
    assert charset in run.at(LogLevel.ERROR)[0]


async def test_items_are_filtered_by_a_condition(worker: InlineWorker) -> None:
    uri = await write(worker, "{a:1}\n{a:2}\n{a:1,b:2}\n", ".ion")
    kept = await worker.run(FilterItems, {"from": uri, "filterCondition": "{{ a == 1 }}"})
    assert await text(worker, kept.outputs["uri"]) == "{a:1}\n{a:1,b:2}\n"
    assert kept.outputs["processedItemsTotal"] == 3
    assert kept.outputs["droppedItemsTotal"] == 1
    out = await worker.run(
        FilterItems, {"from": uri, "filterCondition": "{{ a == 1 }}", "filterType": "EXCLUDE"}
    )
    assert await text(worker, out.outputs["uri"]) == "{a:2}\n"
    for condition, dropped in ("false", 3), ("0", 3), ("", 3), ("no", 0), ("False", 0):
        every = await worker.run(FilterItems, {"from": uri, "filterCondition": condition})
        assert every.outputs["droppedItemsTotal"] == dropped
    broken = {"from": uri, "filterCondition": "{{ b > 1 }}"}
    assert (await worker.run(FilterItems, broken)).state is StateType.FAILED
    included = await worker.run(FilterItems, {**broken, "errorOrNullBehavior": "INCLUDE"})
    assert included.outputs["droppedItemsTotal"] == 0
    excluded = await worker.run(FilterItems, {**broken, "errorOrNullBehavior": "EXCLUDE"})
    assert await text(worker, excluded.outputs["uri"]) == "{a:1,b:2}\n"


async def test_the_last_item_of_a_key_is_kept(worker: InlineWorker) -> None:
    uri = await write(worker, "{a:1}\n{a:2}\n{a:1,b:2}\n", ".ion")
    run = await worker.run(DeduplicateItems, {"from": uri, "expr": "{{ a }}"})
    assert await text(worker, run.outputs["uri"]) == "{a:2}\n{a:1,b:2}\n"
    del run.outputs["uri"]
    assert run.outputs == {"numKeys": 2, "processedItemsTotal": 3, "droppedItemsTotal": 1}


async def test_all_files_of_the_execution_can_be_deleted(worker: InlineWorker) -> None:
    uris = {await write(worker, "a"), await write(worker, "b")}
    run = await worker.run(PurgeCurrentExecutionFiles)
    assert set(run.outputs["uris"]) == uris
    assert (await worker.run(PurgeCurrentExecutionFiles)).outputs == {"uris": []}


async def test_local_files(worker: InlineWorker) -> None:
    uri = await write(worker, "stored")
    properties = {"inputs": {"dir/a.txt": uri, "b.json": {"n": 1}}, "outputs": ["**/*.txt", "b.*"]}
    run = await worker.run(LocalFiles, properties)
    assert await text(worker, run.outputs["uris"]["dir/a.txt"]) == "stored"
    assert await text(worker, run.outputs["uris"]["b.json"]) == '{"n": 1}'
    plain = await worker.run(LocalFiles, {"inputs": {"n": 5, "b": True}, "outputs": ["regex:[nb]"]})
    assert [await text(worker, uri) for uri in plain.outputs["uris"].values()] == ["true", "5"]
    outside = await worker.run(LocalFiles, {"inputs": {"../x": "y"}})
    assert "is no path inside" in outside.at(LogLevel.ERROR)[0]


class _Running:
    class cancelled:
        @staticmethod
        def is_set() -> bool:
            return False


@pytest.mark.parametrize("separator", [b"\n", b"\r\n", b"||"])
@pytest.mark.parametrize("ends", [True, False])
def test_records_across_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, separator: bytes, ends: bool
) -> None:
    monkeypatch.setattr("windhover.core.record_files._CHUNK", 3)
    wanted = [b"", b"a", b"bcdefgh", b"", b"ij"]
    path = tmp_path / "f"
    path.write_bytes(separator.join(wanted) + (separator if ends else b""))
    running: Any = _Running()
    assert list(records(running, path, separator)) == wanted
    assert list(records_backwards(running, path, separator)) == wanted[::-1]
