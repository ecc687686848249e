"""The rows that a ForEachItem makes its batches of."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from windhover.core.item_batches import read_rows


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.mark.parametrize(
    ("separator", "parts", "rows"),
    [
        (b"\n", (b"a\nb", b"c\nd"), [b"a\n", b"bc\n", b"d\n"]),
        (b"\n", (b"a\n", b"b\n"), [b"a\n", b"b\n"]),
        (b"\r\n", (b"a\r", b"\nb"), [b"a\r\n", b"b\r\n"]),
        (b";", (b"a;b", b";c"), [b"a;", b"b;", b"c"]),
    ],
)
async def test_lines_are_ended_and_other_rows_stay_as_they_are(
    separator: bytes, parts: tuple[bytes, ...], rows: list[bytes]
) -> None:
    assert [row async for row in read_rows(chunks(*parts), separator)] == rows
