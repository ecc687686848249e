"""Which database a configuration means."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from windhover.config import ConfigurationError, Settings, load


def _load(url: str, kind: str = "postgres", datasource: Mapping[str, object] | None = None) -> Settings:
    return load(
        [], {}, {"kestra.repository.type": kind, "datasources": {kind: {"url": url, **(datasource or {})}}}
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("jdbc:postgresql://db:5433/kestra", "postgresql://db:5433/kestra"),
        ("postgresql://db/kestra", "postgresql://db:5432/kestra"),
        ("postgres://u:p%40ss@db/kestra", "postgresql://u:p%40ss@db:5432/kestra"),
        (
            "jdbc:postgresql://db/k?user=u&password=p&sslmode=require",
            "postgresql://u:p@db:5432/k?sslmode=require",
        ),
        ("jdbc:postgresql://a:1,b:2/k", "postgresql://a:1,b:2/k"),
        ("jdbc:postgresql://[::1]:5432/k", "postgresql://[::1]:5432/k"),
        ("jdbc:postgresql://db/k?ssl=true", "postgresql://db:5432/k?sslmode=verify-full"),
        (
            "jdbc:postgresql://db/k?ApplicationName=flows&connectTimeout=5",
            "postgresql://db:5432/k?application_name=flows&connect_timeout=5",
        ),
    ],
)
def test_postgresql_urls(written: str, meant: str) -> None:
    assert _load(written).database.url() == meant


def test_credentials_of_the_datasource_win_over_those_of_the_url() -> None:
    database = _load("postgresql://a:b@db/k", datasource={"username": "kestra", "password": "k:3/s"}).database

    assert database.url() == "postgresql://kestra:k%3A3%2Fs@db:5432/k"


def test_schema_and_pool() -> None:
    database = _load(
        "jdbc:postgresql://db/k?currentSchema=flows",
        datasource={"maximum-pool-size": 20, "connection-timeout": 5000, "idle-timeout": "2m"},
    ).database

    assert database.schema_name == "flows"
    assert database.pool.maximum_size == 20
    assert database.pool.connection_timeout.total_seconds() == 5
    assert database.pool.idle_timeout.total_seconds() == 120


def test_parameters_of_the_java_driver_alone_are_named() -> None:
    [warning] = _load("jdbc:postgresql://db/k?reWriteBatchedInserts=true&sslmode=require").warnings

    assert warning.key == "datasources.postgres.url"
    assert warning.message.endswith(": reWriteBatchedInserts")


def test_mysql() -> None:
    database = _load("jdbc:mysql://db/kestra", "mysql", {"username": "u"}).database

    assert (database.backend, database.url()) == ("mysql", "mysql://u@db:3306/kestra")


@pytest.mark.parametrize(
    ("kind", "url", "path"),
    [
        ("h2", "jdbc:h2:mem:public;DB_CLOSE_DELAY=-1;DB_CLOSE_ON_EXIT=FALSE", None),
        ("h2", "jdbc:h2:file:/app/data/kestra;TIME ZONE=UTC", Path("/app/data/kestra.db")),
        ("sqlite", "sqlite:////var/lib/w.db", Path("/var/lib/w.db")),
        ("sqlite", "jdbc:sqlite:/var/lib/w.db", Path("/var/lib/w.db")),
        ("sqlite", "sqlite:///w.db", Path("w.db")),
        ("sqlite", "sqlite://", None),
    ],
)
def test_embedded_databases_are_sqlite(kind: str, url: str, path: Path | None) -> None:
    settings = _load(url, kind)

    assert settings.database.backend == "sqlite"
    assert settings.database.path == path
    assert settings.database.in_memory is (path is None)
    assert [warning.key for warning in settings.warnings] == (
        ["kestra.repository.type"] if kind == "h2" else []
    )


def test_memory_keeps_nothing_and_says_so() -> None:
    settings = load([], {"KESTRA_REPOSITORY_TYPE": "memory", "KESTRA_QUEUE_TYPE": "memory"})

    assert settings.database.in_memory
    assert [warning.key for warning in settings.warnings] == ["kestra.repository.type", "kestra.queue.type"]


def test_a_datasource_of_another_name_serves_when_it_is_of_the_kind() -> None:
    settings = load(
        [], {}, {"kestra.repository.type": "postgres", "datasources.main.url": "postgresql://db/k"}
    )

    assert settings.database.hosts == (("db", 5432),)


def test_a_url_of_another_database_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="the URL is of mysql"):
        _load("jdbc:mysql://db/k")
