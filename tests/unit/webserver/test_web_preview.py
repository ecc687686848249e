"""The beginning of files as people see it."""

from __future__ import annotations

import pytest

from windhover.webserver.errors import ApiError
from windhover.webserver.file_preview import preview


def test_rows_of_a_table() -> None:
    shown = preview("t.csv", b"a,b\n1,2\n3,4\n", complete=True, rows=1, encoding="UTF-8")
    assert (shown.type, shown.content, shown.truncated) == ("LIST", [{"a": "1", "b": "2"}], True)
    whole = preview("t.csv", b"a,b\n1,2\n", complete=True, rows=5, encoding="UTF-8")
    assert whole.truncated is False


def test_a_row_that_was_cut_is_left_out() -> None:
    shown = preview("t.jsonl", b'{"a": 1}\n{"a": 2', complete=False, rows=9, encoding="UTF-8")
    assert (shown.content, shown.truncated) == ([{"a": 1}], True)


def test_text_in_another_encoding() -> None:
    shown = preview("t.txt", "é\nx".encode("latin-1"), complete=True, rows=9, encoding="ISO-8859-1")
    assert (shown.type, shown.content) == ("TEXT", "é\nx")
    with pytest.raises(ApiError) as refusal:
        preview("t.txt", b"", complete=True, rows=9, encoding="klingon")
    assert refusal.value.status == 400


def test_pictures_and_bytes() -> None:
    assert preview("p.png", b"\x89PNG", complete=True, rows=1, encoding="UTF-8").type == "IMAGE"
    with pytest.raises(ApiError):
        preview("p.png", b"\x89PNG", complete=False, rows=1, encoding="UTF-8")
    assert preview("data", b"\x00\xff\n", complete=True, rows=1, encoding="UTF-8").type == "TEXT"
