"""What values of the key-value store are, and how text becomes one."""

from __future__ import annotations

import pytest

from windhover.model.kv import InvalidKey, InvalidKvValue, KvType, KvValue, check_key, kv_value, read_kv_value
from windhover.model.namespace_file import InvalidPath, file_path, parent_directories


@pytest.mark.parametrize(
    ("body", "type_", "value"),
    [
        ('"Hello World"', "STRING", "Hello World"),
        ("hello", "STRING", "hello"),
        ("1.5", "NUMBER", 1.5),
        ("12", "NUMBER", 12),
        ("true", "BOOLEAN", True),
        ("2021-09-01", "DATE", "2021-09-01"),
        ("2021-09-01T01:02:03Z", "DATETIME", "2021-09-01T01:02:03Z"),
        ('"2021-09-01"', "STRING", "2021-09-01"),
        ('"PT5S"', "DURATION", "PT5S"),
        ('{"a": [1]}', "JSON", {"a": [1]}),
        ("", "STRING", None),
        ("null", "STRING", None),
    ],
)
def test_a_body_says_what_it_is(body: str, type_: str, value: object) -> None:
    assert read_kv_value(body) == KvValue(KvType(type_), value)


@pytest.mark.parametrize("body", ["{bad", '["a"', '"open'])
def test_what_begins_like_json_must_be_json(body: str) -> None:
    with pytest.raises(InvalidKvValue):
        read_kv_value(body)


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("1.50", "NUMBER", 1.5),
        (" TRUE ", "BOOLEAN", True),
        ('{"a": 1}', "JSON", {"a": 1}),
        ("2024-05-01T12:00:00+02:00", "DATETIME", "2024-05-01T10:00:00Z"),
        ("2024-05-01", "DATE", "2024-05-01"),
        ("P1DT2H", "DURATION", "P1DT2H"),
        (5, "STRING", "5"),
        ({"a": 1}, "STRING", '{"a":1}'),
    ],
)
def test_a_type_reads_text(text: object, type_: str, value: object) -> None:
    assert kv_value(text, KvType(type_)) == KvValue(KvType(type_), value)


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        ("abc", "NUMBER"),
        ("true", "NUMBER"),
        ("NaN", "NUMBER"),
        ("nope", "BOOLEAN"),
        (5, "BOOLEAN"),
        ("{bad", "JSON"),
        ("5 minutes", "DURATION"),
        ("tomorrow", "DATE"),
        ("2024-05-01", "DATETIME"),
    ],
)
def test_a_value_of_another_type_is_refused(value: object, type_: str) -> None:
    with pytest.raises(InvalidKvValue):
        kv_value(value, KvType(type_))


@pytest.mark.parametrize("key", ["", ".a", "a b", "a/b", "é", "a" * 501])
def test_keys_have_few_characters(key: str) -> None:
    with pytest.raises(InvalidKey):
        check_key(key)


@pytest.mark.parametrize("path", ["", "/", "../x", "a/../b", "a//b", "a\\b", "a\0b", "x/" * 900])
def test_paths_stay_within_the_namespace(path: str) -> None:
    with pytest.raises(InvalidPath):
        file_path(path)


def test_the_directories_around_a_path() -> None:
    assert parent_directories("a/b/c.txt") == ["a/", "a/b/"]
    assert parent_directories("a/b/") == ["a/"]
    assert parent_directories("c.txt") == []
