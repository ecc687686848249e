"""Rules that hold between settings."""

import binascii
from base64 import b64decode

from windhover.config.binding import Binding
from windhover.config.persistence_settings import BackendType, driver_options
from windhover.config.problems import ConfigProblem
from windhover.config.settings import Settings

_DEFAULT = "default"
#: The name of Kestra's back end that keeps secrets in the database, as is done here without being told.
_STORED_SECRETS = "jdbc"


def errors(settings: Settings, binding: Binding) -> list[ConfigProblem]:
    """What cannot work together."""
    return [
        *_liveness_errors(settings, binding),
        *_database_errors(settings, binding),
        *_encryption_key_errors(settings, binding),
    ]


def warnings(settings: Settings, binding: Binding) -> list[ConfigProblem]:
    """What works otherwise than it reads."""
    found: list[ConfigProblem] = []
    for key, backend in (
        ("kestra.repository.type", settings.repository.type),
        ("kestra.queue.type", settings.queue.type),
    ):
        if backend in (BackendType.H2, BackendType.MEMORY):
            kept = "in memory, and is gone at the end" if settings.database.in_memory else "in a file"
            message = f"{backend.lower()} is served by SQLite, {kept}"
            found.append(_problem(key, binding, message))
    return [*found, *_ignored_url_parameters(settings, binding), *_secret_type_warnings(settings, binding)]


def _liveness_errors(settings: Settings, binding: Binding) -> list[ConfigProblem]:
    liveness = settings.server.liveness
    if liveness.heartbeat_interval < liveness.timeout:
        return []
    key = "kestra.server.liveness.heartbeat-interval"
    message = (
        f"the heartbeat interval ({liveness.heartbeat_interval.total_seconds():g}s) must be shorter than "
        f"kestra.server.liveness.timeout ({liveness.timeout.total_seconds():g}s)"
    )
    source = binding.place_of(key) or binding.place_of("kestra.server.liveness.timeout") or _DEFAULT
    return [ConfigProblem(key, source, message)]


def _database_errors(settings: Settings, binding: Binding) -> list[ConfigProblem]:
    found: list[ConfigProblem] = []
    repository = settings.repository.type
    if settings.queue_backend is not repository.runs_on:
        queue = settings.queue_backend.lower()
        message = f"a {queue} queue needs a repository of the same kind, not {repository.lower()}"
        found.append(_problem("kestra.queue.type", binding, message))
    datasource = settings.repository_datasource
    address = datasource.url if datasource is not None else None
    name = repository.lower()
    if address is None and repository.runs_on is not BackendType.SQLITE:
        scheme = "postgresql" if repository is BackendType.POSTGRES else name
        message = f"required by the repository type {name}, e.g. jdbc:{scheme}://localhost/kestra"
        source = binding.place_of("kestra.repository.type") or _DEFAULT
        found.append(ConfigProblem(f"datasources.{name}.url", source, message))
    elif address is not None and address.backend.runs_on is not repository.runs_on:
        message = f"the URL is of {address.backend.lower()}, but the repository type is {name}"
        found.append(_problem(f"datasources.{name}.url", binding, message))
    return found


def _ignored_url_parameters(settings: Settings, binding: Binding) -> list[ConfigProblem]:
    found: list[ConfigProblem] = []
    datasource = settings.repository_datasource
    if datasource is None or datasource.url is None:
        return found
    ignored = [
        name
        for name in datasource.url.options
        if not driver_options({name: "true"})[0] and name not in ("currentSchema", "ssl", "useSSL")
    ]
    if ignored:
        key = f"datasources.{settings.repository.type.lower()}.url"
        message = f"parameters without a meaning here are ignored: {', '.join(ignored)}"
        found.append(_problem(key, binding, message))
    return found


def _encryption_key_errors(settings: Settings, binding: Binding) -> list[ConfigProblem]:
    key = settings.execution.encryption_key
    if key is None:
        return []
    try:
        length = len(b64decode(key.get_secret_value(), validate=True))
    except (binascii.Error, ValueError):
        length = 0
    if length in (16, 24, 32):
        return []
    message = "expected base64 of 16, 24 or 32 bytes (openssl rand -base64 32)"
    return [_problem("kestra.encryption.secret-key", binding, message)]


def _secret_type_warnings(settings: Settings, binding: Binding) -> list[ConfigProblem]:
    type_ = settings.execution.secret_type
    if type_ is None or type_.lower() == _STORED_SECRETS:
        return []
    message = f"there is no secret back end {type_}; secrets are those of the database and the environment"
    return [_problem("kestra.secret.type", binding, message)]


def _problem(key: str, binding: Binding, message: str) -> ConfigProblem:
    return ConfigProblem(key, binding.place_of(key) or _DEFAULT, message)
