"""Lines out of chunks of bytes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from windhover.core.runner.lines import LineSplitter


def split(chunks: list[bytes], limit: int = 1_000) -> list[str]:
    splitter = LineSplitter(limit)
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    return lines + list(splitter.end())


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))), st.data())
def test_however_the_bytes_arrive_the_lines_are_the_same(lines: list[str], data: st.DataObject) -> None:
    whole = "".join(f"{line}\n" for line in lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=10)))
    edges = [0, *cuts, len(whole)]
    chunks = [whole[start:end] for start, end in pairwise(edges)]
    assert split(chunks, limit=10_000) == lines


def test_a_last_line_without_an_end_counts() -> None:
    assert split([b"a\nb"]) == ["a", "b"]


def test_an_empty_line_is_a_line_but_nothing_is_none() -> None:
    assert split([b"\n", b""]) == [""]
    assert split([]) == []


def test_windows_ends_and_bytes_that_are_no_text() -> None:
    assert split([b"a\r\n\xff\n"]) == ["a", "\ufffd"]


def test_a_line_beyond_the_limit_is_cut_and_the_next_is_whole() -> None:
    assert split([b"123", b"456", b"789\nabc\n", b"123456\nx"], limit=5) == ["12345", "abc", "12345", "x"]
