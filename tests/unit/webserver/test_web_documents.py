"""Several documents in one text."""

from __future__ import annotations

import pytest

from windhover.webserver.flow_sources import documents


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id: a\n", ["id: a\n"]),
        ("---\nid: a\n", ["id: a\n"]),
        ("id: a\n---\nid: b\n", ["id: a\n", "id: b\n"]),
        ("id: a\n--- # next\nid: b", ["id: a\n", "id: b"]),
        ("# only a comment\n---\nid: b", ["id: b"]),
        ("text: |\n  ---\n  inside\n", ["text: |\n  ---\n  inside\n"]),
        ("text: a---b\n----\n", ["text: a---b\n----\n"]),
        ("", [""]),
    ],
)
def test_documents_are_divided_at_their_separators(text: str, expected: list[str]) -> None:
    assert documents(text) == expected
