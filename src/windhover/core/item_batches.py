"""The three parts of ForEachItem: splitting a file, starting an execution for each piece, merging outputs."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import BinaryIO, ClassVar, Literal, cast

from pydantic import Field

from windhover.core.labels import read_labels
from windhover.core.row_parts import Division, LineSplitter, by_count, by_group, by_size, in_turn
from windhover.expression.ion_text import write_ion
from windhover.model.execution import JsonValue
from windhover.model.state import StateType
from windhover.plugin.context import RunContext
from windhover.plugin.executable import Batches, BatchTask, ChildRequest
from windhover.plugin.task import Output, RunnableTask, Static, TaskFailure
from windhover.util.ids import new_id

#: A batch up to this size never touches the disk of the worker.
_IN_MEMORY = 1024 * 1024

#: Batches that are stored at the same time.
_AT_ONCE = 16

_LIST_NAME = "splits"


class ItemsWork:
    """Makes a class a part of ForEachItem, and no type that flows can name."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.flow.ForEachItem"


class Split(Output):
    """``splits`` is the URI of a file that lists those of the batches, a line each."""

    splits: str
    number_of_batches: int


class SplitItems(ItemsWork, RunnableTask[Split]):
    """Split the rows of a file into batches; they lie beside their list, numbered from 0."""

    items: str
    rows: int = 1
    partitions: int | None = Field(default=None, ge=1)
    size: int | str | None = Field(default=None, alias="bytes")
    separator: str = "\n"
    regex_pattern: str | None = None

    async def run(self, ctx: RunContext) -> Split:
        uri = self.items.strip()
        if not uri.startswith("kestra://"):
            given = f"`{uri[:200]}`" if uri.strip() else "null or empty text"
            raise TaskFailure(
                f"`items` must be the URI of a file in the internal storage, not {given}. ForEach takes lists"
                " themselves; `io.kestra.plugin.core.storage.Write` makes files"
            )
        suffix = PurePosixPath(uri).suffix
        store = _BatchStore(ctx, suffix)
        separator = self.separator.encode()
        try:
            await _divide(read_lines(ctx.files.open(uri)), self._division(separator), separator, store)
        except ValueError as error:
            raise TaskFailure(f"The file cannot be split: {error}") from error
        uris = await store.finish()
        splits = await ctx.files.put("\n".join(uris).encode(), _LIST_NAME + suffix, folder=store.folder)
        return Split(splits=splits, number_of_batches=len(uris))

    def _division(self, separator: bytes) -> Division:
        if self.regex_pattern is not None:
            return by_group(self.regex_pattern)
        if self.size is not None:
            return by_size(self.size, separator)
        if self.partitions is not None:
            return in_turn(self.partitions)
        return by_count(self.rows)


async def _divide(
    lines: AsyncIterator[bytes], division: Division, separator: bytes, store: _BatchStore
) -> None:
    """Write the lines into batches, each line ended by the separator."""
    batches: dict[str, BinaryIO] = {}
    async for line in lines:
        key = division.choose(line)
        if key is None:
            continue
        batch = batches.get(key)
        if batch is None:
            if division.sequence:
                await store.put_all(batches)
            batch = batches[key] = store.open()
        batch.write(line + separator)
    await store.put_all(batches)


async def read_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines of a file without their ends."""
    splitter = LineSplitter()
    async for chunk in chunks:
        for line in splitter.feed(chunk):
            yield line
    for line in splitter.finish():
        yield line


class _BatchStore:
    """Stores batches side by side, several at a time, numbered in the order they are put."""

    def __init__(self, ctx: RunContext, suffix: str) -> None:
        self.folder = new_id()
        self._ctx = ctx
        self._suffix = suffix
        self._uris: list[str] = []
        self._waiting: list[BinaryIO] = []

    def open(self) -> BinaryIO:
        return cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY))

    async def put_all(self, batches: dict[str, BinaryIO]) -> None:
        """Store batches, in their order, and forget them."""
        for batch in batches.values():
            self._waiting.append(batch)
            if len(self._waiting) >= _AT_ONCE:
                await self._flush()
        batches.clear()

    async def finish(self) -> list[str]:
        await self._flush()
        return self._uris

    async def _flush(self) -> None:
        first = len(self._uris)
        batches, self._waiting = self._waiting, []
        for batch in batches:
            batch.seek(0)
        puts = (
            self._ctx.files.put(batch, f"{first + i}{self._suffix}", folder=self.folder)
            for i, batch in enumerate(batches)
        )
        self._uris.extend(await asyncio.gather(*puts))
        for batch in batches:
            batch.close()


#: The states of executions that their ForEachItem takes over, the worst first.
_TRANSMITTED = (StateType.FAILED, StateType.KILLED, StateType.WARNING)


class StartBatches(ItemsWork, BatchTask):
    """Start an execution for each batch."""

    namespace: str
    flow_id: str
    revision: Static[int | None] = None
    inputs: dict[str, JsonValue] | None = None
    labels: dict[str, JsonValue] | list[JsonValue] | None = None
    wait: Static[bool] = True
    transmit_failed: Static[bool] = True
    inherit_labels: Static[bool] = False
    schedule_date: datetime | None = None
    restart_behavior: Static[Literal["RETRY_FAILED", "NEW_EXECUTION"]] = "RETRY_FAILED"

    @classmethod
    def restarts_failed(cls, properties: Mapping[str, JsonValue]) -> bool:
        return bool(properties.get("restartBehavior", "RETRY_FAILED") == "RETRY_FAILED")

    @classmethod
    def batches(cls, previous: JsonValue) -> Batches:
        outputs = previous["outputs"] if previous else {}
        splits = str(outputs.get("splits", ""))
        folder, slash, name = splits.rpartition("/")
        if not slash or "numberOfBatches" not in outputs:
            raise ValueError("The items have not been split")
        suffix = name.removeprefix(_LIST_NAME)
        return Batches(outputs["numberOfBatches"], lambda index: f"{folder}/{index}{suffix}")

    @classmethod
    def outcome(cls, properties: Mapping[str, JsonValue], ended: Mapping[StateType, int]) -> StateType:
        if properties.get("transmitFailed", True):
            for state in _TRANSMITTED:
                if ended.get(state):
                    return state
        return StateType.SUCCESS

    def child(self) -> ChildRequest:
        return ChildRequest(
            namespace=self.namespace,
            flow_id=self.flow_id,
            revision=self.revision,
            inputs=self.inputs or {},
            labels=read_labels(self.labels, allow_empty=True) if self.labels else (),
            inherit_labels=self.inherit_labels,
            wait=self.wait,
            schedule_date=self.schedule_date,
        )

    def end_state(self, child: StateType) -> StateType:
        return child if self.transmit_failed and child in _TRANSMITTED else StateType.SUCCESS


class Merged(Output):
    """``subflow_outputs`` is the URI of a file with a line of Ion for each execution that has outputs.

    There is none where none has any, or where nobody has waited for them.
    """

    subflow_outputs: str | None = None


class MergeOutputs(ItemsWork, RunnableTask[Merged]):
    """Write the outputs of all executions into one file, in the order of the batches."""

    wait: Static[bool] = True

    async def run(self, ctx: RunContext) -> Merged:
        started = ctx.variables["previous"]
        if not started["outputs"] or not self.wait:
            return Merged()
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as merged:
            outputs = ctx.server.subflow_outputs.of(ctx.identity.execution_id, started["taskRunId"])
            async for values in outputs:
                merged.write(write_ion(values).encode() + b"\n")
            if not merged.tell():
                return Merged()
            merged.seek(0)
            return Merged(subflow_outputs=await ctx.files.put(cast("BinaryIO", merged), "outputs.ion"))
