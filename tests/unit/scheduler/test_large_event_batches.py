"""A large batch of events is encoded bit by bit, so that others have their turn on the event loop."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from windhover.model.execution import JsonValue
from windhover.scheduler import event_batches
from windhover.util import turn


@pytest.mark.parametrize("count", [0, 1, 2, 500])
async def test_chunks_are_together_the_list_as_json(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_batches, "_CHUNK_BYTES", 100)
    events: list[JsonValue] = [{"number": number, "text": "ä,]" * 5} for number in range(count)]
    chunks = await event_batches._encoded(events)
    assert msgspec.json.decode(b"".join(chunks)) == events
    assert all(len(chunk) < 200 for chunk in chunks)
    assert len(chunks) > count / 5


async def test_others_have_their_turn_between_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "_SECONDS", 0)
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(take_turns())
    await event_batches._encoded(list(range(100)))
    others.cancel()
    assert turns >= 100
