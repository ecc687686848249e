"""Which database a URL names."""

from __future__ import annotations

from pathlib import Path

import pytest

from windhover.repository.database import DatabaseSettings, _connector
from windhover.repository.errors import RepositoryError
from windhover.repository.postgres import PostgresDatabase
from windhover.repository.sqlite import SqliteDatabase


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///data/windhover.db", Path("data/windhover.db")),
        ("sqlite:////var/lib/windhover.db", Path("/var/lib/windhover.db")),
        ("jdbc:sqlite:windhover.db", Path("windhover.db")),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
    ],
)
def test_sqlite(url: str, path: Path | None) -> None:
    database = _connector(DatabaseSettings(url))
    assert isinstance(database, SqliteDatabase)
    assert database.path == path


@pytest.mark.parametrize(
    ("settings", "dsn"),
    [
        (DatabaseSettings("postgres://u:p@h:5433/d"), "postgresql://u:p@h:5433/d"),
        (
            DatabaseSettings("jdbc:postgresql://h:5432/d?user=u&password=p%40&sslmode=require"),
            "postgresql://u:p%40@h:5432/d?sslmode=require",
        ),
        (
            DatabaseSettings("jdbc:postgresql://h/d?currentSchema=s", "u", "a/b:c"),
            "postgresql://u:a%2Fb%3Ac@h/d?search_path=s",
        ),
        (DatabaseSettings("postgresql://old:secret@h/d", "new"), "postgresql://new@h/d"),
    ],
)
def test_postgresql(settings: DatabaseSettings, dsn: str) -> None:
    database = _connector(settings)
    assert isinstance(database, PostgresDatabase)
    assert database._dsn == dsn


@pytest.mark.parametrize("url", ["jdbc:h2:mem:public", "mysql://h/d", "", "windhover.db"])
def test_others_are_refused_with_what_would_be_right(url: str) -> None:
    with pytest.raises(RepositoryError, match=r"use sqlite:///path/to/file or postgresql://"):
        _connector(DatabaseSettings(url))
