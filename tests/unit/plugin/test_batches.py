"""Batches end by number, by time, or when nothing comes."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from windhover.plugin.batches import batch

_SHORT = timedelta(milliseconds=20)


async def taken(queue: asyncio.Queue[int], **limits: object) -> list[int]:
    options = {"max_records": None, "max_duration": None, **limits}
    return [one async for one in batch(queue.get, **options)]  # type: ignore[arg-type]


@pytest.fixture
def queue() -> asyncio.Queue[int]:
    queue: asyncio.Queue[int] = asyncio.Queue()
    for number in range(5):
        queue.put_nowait(number)
    return queue


async def test_by_number(queue: asyncio.Queue[int]) -> None:
    assert await taken(queue, max_records=3) == [0, 1, 2]
    assert queue.qsize() == 2


async def test_by_time(queue: asyncio.Queue[int]) -> None:
    assert await taken(queue, max_records=10, max_duration=_SHORT) == [0, 1, 2, 3, 4]


async def test_when_nothing_comes(queue: asyncio.Queue[int]) -> None:
    assert await taken(queue, max_duration=timedelta(hours=1), idle=_SHORT) == [0, 1, 2, 3, 4]


async def test_a_timeout_of_the_source_is_an_error() -> None:
    async def receive() -> int:
        raise TimeoutError("of the broker")

    with pytest.raises(TimeoutError, match="of the broker"):
        _ = [one async for one in batch(receive, max_records=1, max_duration=timedelta(hours=1))]
