"""`kestra:///` URIs."""

from __future__ import annotations

import pytest

from windhover.storage import (
    InvalidStorageUriError,
    StoragePath,
    execution_prefix,
    flow_prefix,
    input_uri,
    is_within,
    namespace_prefix,
    parse_prefix,
    parse_uri,
    storable_name,
    task_run_prefix,
    task_run_uri,
)


def test_the_layout() -> None:
    assert namespace_prefix("io.acme") == "kestra:///io/acme"
    assert flow_prefix("io.acme", "daily_sales") == "kestra:///io/acme/daily-sales"
    execution = "kestra:///io/acme/daily-sales/executions/X1"
    assert execution_prefix("io.acme", "daily_sales", "X1") == execution
    assert input_uri("io.acme", "daily_sales", "X1", "f", ".upl") == f"{execution}/inputs/f/.upl"
    assert task_run_prefix("io.acme", "daily_sales", "X1", "a_b", "R1") == f"{execution}/tasks/a-b/R1"
    assert (
        task_run_uri("io.acme", "daily_sales", "X1", "a_b", "R1", "dist/r 1.csv")
        == f"{execution}/tasks/a-b/R1/dist/r%201.csv"
    )


@pytest.mark.parametrize(
    ("uri", "segments"),
    [
        ("kestra:///a/b", ("a", "b")),
        ("kestra:///a%20b/c", ("a b", "c")),
        ("kestra:///a b/c", ("a b", "c")),
        ("kestra:///%C3%BC/ü", ("ü", "ü")),
        ("kestra:///a%3Fb%23c", ("a?b#c",)),
        ("kestra:///100%", ("100%",)),
        ("kestra:///%252e%252e", ("%2e%2e",)),
        ("kestra:///...", ("...",)),
        ("kestra:///a+b", ("a+b",)),
    ],
)
def test_reading_a_uri(uri: str, segments: tuple[str, ...]) -> None:
    path = parse_uri(uri)
    assert path.segments == segments
    assert parse_uri(path.uri) == path


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "a/b",
        "/etc/passwd",
        "file:///etc/passwd",
        "s3://bucket/key",
        "KESTRA:///a",
        "kestra:/a",
        "kestra://host/a",
        "kestra:////etc/passwd",
        "kestra:///a//b",
        "kestra:///..",
        "kestra:///a/../b",
        "kestra:///a/..",
        "kestra:///./a",
        "kestra:///%2e%2e/a",
        "kestra:///a/%2E./b",
        "kestra:///a%2fb",
        "kestra:///a/..%2f..%2fb",
        "kestra:///a\\b",
        "kestra:///a%5Cb",
        "kestra:///a\x00b",
        "kestra:///a%00b",
        "kestra:///a%0Ab",
        "kestra:///%ff",
        "kestra:///\ud800",
        "kestra:///a?b",
        "kestra:///a#b",
        "kestra:///" + "x" * 256,
        "kestra:///" + "ü" * 128,
        "kestra:///" + "/".join("x" * 101),
    ],
)
def test_what_is_no_uri_of_a_file_is_refused_by_its_name(uri: str) -> None:
    with pytest.raises(InvalidStorageUriError) as refused:
        parse_uri(uri)
    message = str(refused.value)
    assert message.startswith(
        uri[:20].encode("unicode_escape").decode() if not uri.isprintable() else uri[:300]
    )
    assert "\n" not in message
    assert "\x00" not in message


def test_a_folder_is_a_prefix_and_no_file() -> None:
    assert parse_prefix("kestra:///a/b/") == parse_prefix("kestra:///a/b") == StoragePath(("a", "b"))
    assert parse_prefix("kestra:///").segments == ()
    with pytest.raises(InvalidStorageUriError):
        parse_uri("kestra:///a/b/")


def test_whether_a_uri_lies_in_a_folder() -> None:
    execution = execution_prefix("io.acme", "f", "X1")
    assert is_within(f"{execution}/inputs/f/a.csv", execution)
    assert is_within(f"{execution}/inputs/f/a.csv", namespace_prefix("io.acme"))
    assert is_within("kestra:///io/%61cme/f/executions/X1/a", execution)
    assert not is_within(f"{execution}2/inputs/f/a.csv", execution)
    assert not is_within(f"{execution}/../X2/a", execution)
    assert not is_within(f"{execution}/%2e%2e/X2/a", execution)
    assert not is_within("file:///io/acme/f/executions/X1/a", execution)
    assert not is_within("", execution)


@pytest.mark.parametrize("name", ["a.csv", ".upl", "ü 1.txt", "a?b#c%20", "日本語.txt", "a" * 200])
def test_common_names_stay(name: str) -> None:
    assert storable_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a\\b", "a\x00b", "x" * 500 + ".tar", "日" * 200 + ".csv"]
)
def test_other_names_are_made_storable_and_stay_apart(name: str) -> None:
    stored = storable_name(name)
    assert len(stored.encode()) <= 200
    assert parse_uri(StoragePath((stored,)).uri).segments == (stored,)
    assert storable_name(stored) == stored
    assert stored != storable_name(name + "!")


def test_a_long_name_keeps_its_extension() -> None:
    assert storable_name("x" * 500 + ".csv").endswith(".csv")


def test_a_name_from_outside_cannot_leave_its_folder() -> None:
    folder = task_run_prefix("io.acme", "f", "X1", "t", "R1")
    for name in ("../../x", "/etc/passwd", "..", "", "a/./b", "..\\..\\x", "a/\x00"):
        assert is_within(task_run_uri("io.acme", "f", "X1", "t", "R1", name), folder)
        assert is_within(input_uri("io.acme", "f", "X1", "i", name), execution_prefix("io.acme", "f", "X1"))


@pytest.mark.parametrize("namespace", ["", "a..b", ".a", "a/b", "../x"])
def test_a_namespace_cannot_be_a_way_out(namespace: str) -> None:
    with pytest.raises(InvalidStorageUriError):
        execution_prefix(namespace, "f", "X1")
