"""The whole configuration as typed, immutable settings."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from pydantic import PrivateAttr

from windhover.config.execution_settings import (
    AiSettings,
    ExecutionSettings,
    ExpiredKvSettings,
    FileWatchSettings,
    LimitSettings,
    LocalFileSettings,
    PluginSettings,
    RetrySettings,
    TelemetrySettings,
    UsageReportSettings,
    VariableSettings,
)
from windhover.config.masking import RawConfiguration
from windhover.config.persistence_settings import (
    BackendType,
    DatabaseSettings,
    DatasourceSettings,
    QueueSettings,
    RepositorySettings,
    StorageSettings,
    driver_options,
)
from windhover.config.problems import ConfigProblem
from windhover.config.sections import Section, section, sections_by_name, setting
from windhover.config.server_settings import ManagementSettings, ServerSettings, WebSettings, WorkerSettings
from windhover.config.values import FilePath

_DRIVERS: dict[BackendType, Literal["sqlite", "postgresql", "mysql"]] = {
    BackendType.SQLITE: "sqlite",
    BackendType.POSTGRES: "postgresql",
    BackendType.MYSQL: "mysql",
}


class Settings(Section):
    """Everything the operator decides; made by ``windhover.config.load``, never changed after.

    Its text never shows a password or a key.
    """

    home: FilePath = setting(
        "windhover.home",
        "Folder of what the server keeps when nothing else is said.",
        default_factory=lambda: Path.home() / ".windhover",
        default_text="`~/.windhover`",
    )
    url: str | None = setting(
        "kestra.url", "Public URL of the instance, without `/ui` or `/api`; used in links."
    )
    strict: bool = setting(
        "windhover.configuration.strict", "Refuse to start when a key is not known.", False
    )
    server: ServerSettings = section(ServerSettings)
    management: ManagementSettings = section(ManagementSettings)
    worker: WorkerSettings = section(WorkerSettings)
    web: WebSettings = section(WebSettings)
    repository: RepositorySettings = section(RepositorySettings)
    queue: QueueSettings = section(QueueSettings)
    datasources: Mapping[str, DatasourceSettings] = sections_by_name("datasources.*")
    migrate_database: bool = setting(
        "windhover.database.migrate",
        "Bring the database to the current schema at start.",
        True,
        also=(
            "flyway.datasources.postgres.enabled",
            "flyway.datasources.mysql.enabled",
            "flyway.datasources.h2.enabled",
        ),
    )
    storage: StorageSettings = section(StorageSettings)
    variables: VariableSettings = section(VariableSettings)
    execution: ExecutionSettings = section(ExecutionSettings)
    plugins: PluginSettings = section(PluginSettings)
    local_files: LocalFileSettings = section(LocalFileSettings)
    retries: RetrySettings = section(RetrySettings)
    expired_kv: ExpiredKvSettings = section(ExpiredKvSettings)
    file_watch: FileWatchSettings = section(FileWatchSettings)
    limits: LimitSettings = section(LimitSettings)
    telemetry: TelemetrySettings = section(TelemetrySettings)
    ai: AiSettings = section(AiSettings)
    usage_report: UsageReportSettings = section(UsageReportSettings)

    _raw: RawConfiguration = PrivateAttr(default_factory=lambda: RawConfiguration({}))
    _warnings: tuple[ConfigProblem, ...] = PrivateAttr(default=())
    _files: tuple[Path, ...] = PrivateAttr(default=())

    @property
    def raw(self) -> RawConfiguration:
        """The merged configuration as plain values, for plugins that read keys of their own."""
        return self._raw

    @property
    def warnings(self) -> tuple[ConfigProblem, ...]:
        """What is odd but no reason not to start, such as unknown keys."""
        return self._warnings

    @property
    def files(self) -> tuple[Path, ...]:
        """The configuration files that were read, weakest first."""
        return self._files

    def with_sources(
        self, raw: RawConfiguration, warnings: Sequence[ConfigProblem], files: Sequence[Path]
    ) -> Self:
        """The same settings, knowing what they were made of."""
        known = self.model_copy()
        known._raw, known._warnings, known._files = raw, tuple(warnings), tuple(files)
        return known

    def raw_section(self, path: str) -> Mapping[str, object]:
        """The plain values under a dotted path of kebab-case keys, e.g. ``kestra.storage.s3``; empty when
        nothing was configured there."""
        value: object = self._raw
        for segment in path.split("."):
            value = value.get(segment) if isinstance(value, Mapping) else None
        return value if isinstance(value, Mapping) else {}

    @cached_property
    def queue_backend(self) -> BackendType:
        """The back end of the queue: sqlite, postgres or mysql."""
        return (self.queue.type or self.repository.type).runs_on

    @cached_property
    def storage_path(self) -> Path:
        """Folder of the local storage."""
        return self.storage.base_path or self.home / "storage"

    @cached_property
    def database(self) -> DatabaseSettings:
        """The database to connect to."""
        backend = self.repository.type
        datasource = self.repository_datasource or DatasourceSettings()
        address = datasource.url
        if backend.runs_on is BackendType.SQLITE:
            return DatabaseSettings(
                backend="sqlite", path=self._sqlite_path(datasource), pool=datasource.pool
            )
        if address is None:
            raise ValueError(f"no datasource for the repository type {backend.lower()}")
        options, schema = driver_options(address.options)
        return DatabaseSettings(
            backend=_DRIVERS[backend],
            hosts=address.hosts,
            database=address.database,
            username=datasource.username or address.username,
            password=datasource.password or address.password,
            schema_name=datasource.schema_name or schema,
            options=options,
            pool=datasource.pool,
        )

    @property
    def repository_datasource(self) -> DatasourceSettings | None:
        """The datasource of the repository: the one named after its type, else the first of its kind."""
        wanted = self.repository.type
        named = self.datasources.get(wanted.lower())
        if named is not None and named.url is not None:
            return named
        for datasource in self.datasources.values():
            if datasource.url is not None and datasource.url.backend is wanted:
                return datasource
        return named

    def _sqlite_path(self, datasource: DatasourceSettings) -> Path | None:
        if datasource.url is not None and datasource.url.backend.runs_on is BackendType.SQLITE:
            return datasource.url.path
        if self.repository.type is BackendType.MEMORY:
            return None
        return self.home / "data" / "windhover.db"

    def masked(self) -> dict[str, object]:
        """The effective configured values with every secret replaced, fit to be printed."""
        return self._raw.masked()
