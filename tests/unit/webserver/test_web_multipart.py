"""Multipart bodies, however they are cut into chunks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windhover.webserver.errors import ApiError
from windhover.webserver.multipart import MultipartReader

BOUNDARY = "frontier"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def form(parts: list[tuple[str, str | None, bytes]]) -> bytes:
    body = b""
    for name, filename, content in parts:
        file = "" if filename is None else f'; filename="{filename}"'
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


async def chunks(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(body: bytes, size: int = 7, content_type: str = TYPE) -> list[tuple[str, str | None, bytes]]:
    reader = MultipartReader(content_type, chunks(body, size))
    return [(part.name, part.filename, await part.content(1 << 20)) async for part in reader.parts()]


@given(
    parts=st.lists(
        st.tuples(
            st.text("abcé.-_ ", min_size=1, max_size=12),
            st.none() | st.text("abcé. ", max_size=12),
            st.binary(max_size=200) | st.just(b"\r\n--frontie\r\n--"),
        ),
        max_size=5,
    ),
    size=st.integers(1, 300),
)
async def test_what_was_sent_is_read_however_it_is_cut(
    parts: list[tuple[str, str | None, bytes]], size: int
) -> None:
    assert await read(form(parts), size) == parts


async def test_parts_that_are_not_read_are_passed_over() -> None:
    reader = MultipartReader(TYPE, chunks(form([("a", "f", b"x" * 1000), ("b", None, b"2")]), 10))
    assert [part.name async for part in reader.parts()] == ["a", "b"]


@given(cut=st.integers(0, 10_000))
async def test_a_body_that_is_cut_off_is_refused(cut: int) -> None:
    whole = form([("a", "f", b"x" * 50), ("b", None, b"2")])
    # The line break after the last boundary adds nothing.
    body = whole[: cut % (len(whole) - 4)]
    with pytest.raises(ApiError) as refusal:
        await read(body)
    assert refusal.value.status == 400


async def test_a_value_beyond_the_limit_is_refused() -> None:
    reader = MultipartReader(TYPE, chunks(form([("a", None, b"x" * 1000)]), 10))
    part = await anext(reader.parts())
    with pytest.raises(ApiError) as refusal:
        await part.text(999)
    assert refusal.value.status == 413


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary="])
async def test_a_type_without_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(ApiError) as refusal:
        await read(b"", content_type=content_type)
    assert refusal.value.status == 400
