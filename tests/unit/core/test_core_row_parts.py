"""How files are divided into parts; what Kestra does with each of these is the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windhover.core import row_parts
from windhover.core.row_parts import Division, LineSplitter, by_count, by_group, by_size, in_turn


def lines(*chunks: bytes) -> list[bytes]:
    splitter = LineSplitter()
    return [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.finish()


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ((b"a\nb\n",), [b"a", b"b"]),
        ((b"a\nb",), [b"a", b"b"]),
        ((b"a\n\n\nb\n",), [b"a", b"", b"", b"b"]),
        ((b"\n",), [b""]),
        ((b"",), []),
        ((), []),
        ((b"a\r\nb\rc",), [b"a", b"b", b"c"]),
        ((b"a\r", b"\nb"), [b"a", b"b"]),
        ((b"a\r", b"b"), [b"a", b"b"]),
        ((b"a\r", b"\r\n"), [b"a", b""]),
        ((b"a", b"b", b"\nc"), [b"ab", b"c"]),
        (("é\u2028ü\x0bö\n".encode(),), ["é\u2028ü\x0bö".encode()]),
    ],
)
def test_lines_end_with_a_line_feed_a_carriage_return_or_both(
    chunks: tuple[bytes, ...], expected: list[bytes]
) -> None:
    assert lines(*chunks) == expected


@given(st.lists(st.text("ab\r\n", max_size=5).map(str.encode), max_size=8))
def test_where_the_chunks_begin_makes_no_difference(chunks: list[bytes]) -> None:
    assert lines(*chunks) == lines(b"".join(chunks)) == b"".join(chunks).splitlines()


LONG = [b"aaaaaaaaaa", b"bb", b"c", b"dddd"]


@pytest.mark.parametrize(
    ("division", "rows", "parts"),
    [
        (lambda: by_count(2), [b"a", b"b", b"c"], [b"ab", b"c"]),
        (lambda: by_count(0), [b"a", b"b"], [b"a", b"b"]),
        (lambda: by_count(-1), [b"a", b"b"], [b"a", b"b"]),
        (lambda: in_turn(2), [b"a", b"b", b"c"], [b"ac", b"b"]),
        (lambda: in_turn(10), [b"a", b"b"], [b"a", b"b"]),
        (lambda: by_size(1, b"\n"), [b"a", b"b"], [b"a", b"b"]),
        (lambda: by_size(4, b"\n"), [b"a", b"b", b"c"], [b"ab", b"c"]),
        (lambda: by_size("4", b"\n"), [b"a;", b"b;", b"c;"], [b"a;b;", b"c;"]),
        (lambda: by_size("4B", b"\n"), LONG, [b"aaaaaaaaaa", b"bbc", b"dddd"]),
        (lambda: by_size(3, b"\n"), ["ü".encode()] * 2, ["ü".encode()] * 2),
        (lambda: by_size(4, b""), [b"", b"", b"ab", b"cd", b"e"], [b"abcd", b"e"]),
        (lambda: by_group(r"(k\d)"), [b"k1 a", b"k2 b", b"k1 c", b"none"], [b"k1 ak1 c", b"k2 b"]),
        (lambda: by_group(r"^(\w)"), ["é".encode(), b"a"], [b"a"]),
        (lambda: by_group(r"(x)?."), [b"a", b"xb", b"c"], [b"ac", b"xb"]),
        (lambda: by_group("(.*)"), [b"", b"a", b""], [b"", b"a"]),
    ],
)
def test_rows_are_divided(division: Callable[[], Division], rows: list[bytes], parts: list[bytes]) -> None:
    choose, divided = division().choose, dict[str, bytes]()
    for row in rows:
        key = choose(row)
        if key is not None:
            divided[key] = divided.get(key, b"") + row
    assert list(divided.values()) == parts


@pytest.mark.parametrize("pattern", ["(", "k1"])
def test_a_pattern_must_have_a_group(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"Invalid regular expression|has no group"):
        by_group(pattern)


def test_a_pattern_that_takes_too_long_in_a_row_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_parts, "SECONDS_A_ROW", 0.05)
    choose = by_group("(a|aa)+$").choose
    with pytest.raises(ValueError, match="took longer"):
        choose(b"a" * 60 + b"!")
