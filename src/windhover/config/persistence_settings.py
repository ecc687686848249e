"""Settings of the database, the queue and the internal storage."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from windhover.config.sections import Section, section, setting
from windhover.config.values import FilePath, Milliseconds, ValueKind


class BackendType(StrEnum):
    """Where flows, executions and messages are kept."""

    SQLITE = "SQLITE"
    POSTGRES = "POSTGRES"
    MYSQL = "MYSQL"
    H2 = "H2"
    MEMORY = "MEMORY"

    @property
    def runs_on(self) -> "BackendType":
        """The back end that stands in for it: the embedded ones of the JVM are SQLite here."""
        return BackendType.SQLITE if self in (BackendType.H2, BackendType.MEMORY) else self


_BACKEND_NAMES = {"POSTGRESQL": "POSTGRES", "MARIADB": "MYSQL", "LOCAL": "SQLITE"}


def _backend(value: object) -> object:
    name = value.strip().upper() if isinstance(value, str) else value
    return _BACKEND_NAMES.get(name, name) if isinstance(name, str) else name


Backend = Annotated[
    BackendType,
    BeforeValidator(_backend),
    ValueKind("back end", "one of sqlite, postgres, mysql, h2, memory"),
]

_SCHEMES = {
    "postgresql": BackendType.POSTGRES,
    "postgres": BackendType.POSTGRES,
    "mysql": BackendType.MYSQL,
    "mariadb": BackendType.MYSQL,
    "sqlite": BackendType.SQLITE,
    "h2": BackendType.H2,
}


class DatabaseAddress(Section):
    """A database URL taken apart; ``path`` is of SQLite alone, None there means in memory."""

    backend: BackendType
    host: str | None = None
    port: int | None = None
    hosts: tuple[tuple[str, int], ...] = ()
    database: str | None = None
    username: str | None = None
    password: SecretStr | None = None
    path: Path | None = None
    options: Mapping[str, str] = Field(default_factory=dict, repr=False)


def parse_database_url(text: str) -> DatabaseAddress:
    """``jdbc:postgresql://host:5432/kestra?sslmode=require``, ``postgresql://user:password@host/db``,
    ``jdbc:mysql://…``, ``jdbc:h2:…``, ``sqlite:///path`` or ``sqlite:/path``.

    Raises:
        ValueError: no such database; the message never repeats the URL, which may carry a password.
    """
    scheme, colon, rest = text.strip().removeprefix("jdbc:").partition(":")
    backend = _SCHEMES.get(scheme.partition("+")[0].lower())
    if not colon or backend is None:
        raise ValueError(
            "expected a database URL such as jdbc:postgresql://host:5432/kestra, jdbc:mysql://host/kestra "
            "or sqlite:///path/to/file.db"
        )
    if backend in (BackendType.SQLITE, BackendType.H2):
        return DatabaseAddress(backend=backend, path=_file_of(rest, backend))
    if not rest.startswith("//"):
        raise ValueError(f"expected {scheme}://host:port/database")
    return _parse_network_address(backend, rest[2:])


def _parse_network_address(backend: BackendType, rest: str) -> DatabaseAddress:
    location, _, query = rest.partition("?")
    authority, _, database = location.partition("/")
    user_info, _, host_list = authority.rpartition("@")
    username, _, password = user_info.partition(":")
    options = dict(parse_qsl(query, keep_blank_values=True))
    username = options.pop("user", unquote(username))
    password = options.pop("password", unquote(password))
    default_port = 5432 if backend is BackendType.POSTGRES else 3306
    hosts = tuple(_host_and_port(part, default_port) for part in (host_list or "localhost").split(","))
    return DatabaseAddress(
        backend=backend,
        host=hosts[0][0],
        port=hosts[0][1],
        hosts=hosts,
        database=unquote(database) or None,
        username=username or None,
        password=SecretStr(password) if password else None,
        options=options,
    )


def _host_and_port(text: str, default_port: int) -> tuple[str, int]:
    if text.startswith("["):
        host, _, tail = text[1:].partition("]")
        port = tail.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    if port and not port.isdigit():
        raise ValueError("expected a number as the port of the database URL")
    return host or "localhost", int(port) if port else default_port


def _file_of(rest: str, backend: BackendType) -> Path | None:
    location = rest.partition(";")[0].partition("?")[0]
    if backend is BackendType.H2:
        if location.startswith("mem:"):
            return None
        file = location.removeprefix("file:")
        return Path(f"{file}.db").expanduser()
    if location.startswith("//"):
        # sqlite:///relative.db and sqlite:////absolute.db, as database URLs are commonly written
        location = location[3:]
    if location in ("", ":memory:"):
        return None
    return Path(location).expanduser()


class ConnectionPoolSettings(Section):
    """How many connections to a database are kept, and for how long."""

    maximum_size: int = setting("datasources.*.maximum-pool-size", "Open connections at most.", 10, ge=1)
    minimum_idle: int = setting(
        "datasources.*.minimum-idle", "Idle connections kept open; no more than the maximum are.", 10, ge=0
    )
    connection_timeout: Milliseconds = setting(
        "datasources.*.connection-timeout", "Longest wait for a connection.", timedelta(seconds=30)
    )
    idle_timeout: Milliseconds = setting(
        "datasources.*.idle-timeout", "An idle connection is closed after it.", timedelta(minutes=10)
    )
    max_lifetime: Milliseconds = setting(
        "datasources.*.max-lifetime", "A connection is replaced after it.", timedelta(minutes=30)
    )


class DatasourceSettings(Section):
    """A database connection under a name of the user's choice, usually that of the back end."""

    url: DatabaseAddress | None = setting(
        "datasources.*.url",
        "`jdbc:postgresql://host:5432/db?sslmode=require`, plain `postgresql://…`, `jdbc:mysql://…` or "
        "`sqlite:///path`. Credentials in the URL are read, but the two keys below win.",
    )
    username: str | None = setting("datasources.*.username", "Database user.")
    password: SecretStr | None = setting("datasources.*.password", "Password of the database user.")
    schema_name: str | None = setting("datasources.*.schema", "Schema of the tables.")
    pool: ConnectionPoolSettings = section(ConnectionPoolSettings)

    @field_validator("url", mode="before")
    @classmethod
    def _parse_url(cls, value: object) -> object:
        return parse_database_url(value) if isinstance(value, str) else value


class RepositorySettings(Section):
    type: Backend = setting(
        "kestra.repository.type",
        "Database of flows and executions: `sqlite`, `postgres` or `mysql`; `h2` and `memory` run on SQLite.",
        BackendType.SQLITE,
        default_text="`sqlite`",
    )


class QueueSettings(Section):
    type: Backend | None = setting(
        "kestra.queue.type",
        "What carries messages between components; the repository's type.",
        default_text="the repository's type",
    )


class StorageSettings(Section):
    type: str = setting(
        "kestra.storage.type",
        "Back end of the internal storage: `local`, or the name of a storage plugin (`s3`, `gcs`, `azure`, "
        "`minio`, …), whose own keys stand under `kestra.storage.<type>`.",
        "local",
    )
    base_path: FilePath | None = setting(
        "kestra.storage.local.base-path",
        "Folder of the local storage.",
        default_text="`<home>/storage`",
    )


class DatabaseSettings(Section):
    """The database that the server connects to, resolved from the repository's type and its datasource."""

    backend: Literal["sqlite", "postgresql", "mysql"]
    path: Path | None = None
    hosts: tuple[tuple[str, int], ...] = ()
    database: str | None = None
    username: str | None = None
    password: SecretStr | None = None
    schema_name: str | None = None
    options: Mapping[str, str] = Field(default_factory=dict, repr=False)
    pool: ConnectionPoolSettings = section(ConnectionPoolSettings)

    @property
    def in_memory(self) -> bool:
        """Whether nothing of it survives the process."""
        return self.backend == "sqlite" and self.path is None

    def url(self) -> str:
        """A URL with its credentials, for a driver; never to be logged.

        ``postgresql://user:password@host:5432/db?sslmode=require``, ``mysql://…``, ``sqlite:////path``, or
        ``sqlite://`` in memory.
        """
        if self.backend == "sqlite":
            return "sqlite://" if self.path is None else f"sqlite:///{self.path}"
        user_info = ""
        if self.username is not None:
            user_info = quote(self.username, safe="")
            if self.password is not None:
                user_info += ":" + quote(self.password.get_secret_value(), safe="")
            user_info += "@"
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        query = f"?{urlencode(self.options)}" if self.options else ""
        return f"{self.backend}://{user_info}{hosts}/{quote(self.database or '', safe='')}{query}"


_DRIVER_OPTIONS = {
    "sslmode": "sslmode",
    "sslrootcert": "sslrootcert",
    "sslcert": "sslcert",
    "sslkey": "sslkey",
    "sslpassword": "sslpassword",
    "ApplicationName": "application_name",
    "application_name": "application_name",
    "connectTimeout": "connect_timeout",
    "connect_timeout": "connect_timeout",
    "options": "options",
    "targetServerType": "target_session_attrs",
    "target_session_attrs": "target_session_attrs",
    "sslMode": "ssl-mode",
    "ssl-mode": "ssl-mode",
}

_TARGET_SERVERS = {"primary": "read-write", "master": "read-write", "secondary": "standby", "any": "any"}


def driver_options(options: Mapping[str, str]) -> tuple[dict[str, str], str | None]:
    """The JDBC parameters that a Python driver shares, under its names, and the schema they name."""
    translated: dict[str, str] = {}
    for name, value in options.items():
        target = _DRIVER_OPTIONS.get(name)
        if target == "target_session_attrs":
            translated[target] = _TARGET_SERVERS.get(value, value)
        elif target is not None:
            translated[target] = value
    if options.get("ssl") in ("", "true") and "sslmode" not in translated:
        # pgjdbc verifies the server's certificate when it is told no more than ssl=true.
        translated["sslmode"] = "verify-full"
    if options.get("useSSL") == "true":
        translated.setdefault("ssl-mode", "REQUIRED")
    return translated, options.get("currentSchema")
