"""Settings of the server: HTTP, authentication, liveness, worker."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import SecretStr

from windhover.config.processors import available_processors
from windhover.config.sections import Section, section, setting
from windhover.config.values import ByteSize, Duration, Lines, TextList, UpperCase

_ZERO = timedelta(0)
_GB = 1 << 30
_MB = 1 << 20


class RestartStrategy(StrEnum):
    """What becomes of a dead worker's tasks."""

    AFTER_TERMINATION_GRACE_PERIOD = "AFTER_TERMINATION_GRACE_PERIOD"
    IMMEDIATELY = "IMMEDIATELY"
    NEVER = "NEVER"


class ClientAuthentication(StrEnum):
    """Whether a TLS client shows a certificate."""

    WANT = "WANT"
    NEED = "NEED"


class BasicAuthSettings(Section):
    enabled: bool = setting(
        "kestra.server.basic-auth.enabled",
        "Accepted for old configurations. The UI and the API always need credentials.",
        True,
    )
    username: str | None = setting(
        "kestra.server.basic-auth.username",
        "E-mail address of the instance's user. It wins over the one chosen on the set-up page.",
    )
    password: SecretStr | None = setting(
        "kestra.server.basic-auth.password", "Password of the instance's user, in plain text."
    )
    realm: str = setting(
        "kestra.server.basic-auth.realm", "Realm named in the authentication challenge.", "Windhover"
    )
    open_urls: TextList = setting(
        "kestra.server.basic-auth.open-urls",
        "Path prefixes that need no credentials, e.g. `/api/v1/main/executions/webhook/`.",
        (),
    )


class LivenessSettings(Section):
    enabled: bool = setting(
        "kestra.server.liveness.enabled", "Whether servers watch one another's heartbeats.", True
    )
    interval: Duration = setting(
        "kestra.server.liveness.interval",
        "Time between two checks for dead servers.",
        timedelta(seconds=5),
        gt=_ZERO,
    )
    timeout: Duration = setting(
        "kestra.server.liveness.timeout",
        "A server whose last heartbeat is older is taken to be gone. The same on all executors.",
        timedelta(seconds=45),
        gt=_ZERO,
    )
    initial_delay: Duration = setting(
        "kestra.server.liveness.initial-delay",
        "Time after start before a server is checked. The same on all executors.",
        timedelta(seconds=45),
    )
    heartbeat_interval: Duration = setting(
        "kestra.server.liveness.heartbeat-interval",
        "Time between two heartbeats; shorter than the timeout.",
        timedelta(seconds=3),
        gt=_ZERO,
    )


class PreviewSettings(Section):
    initial_rows: int = setting(
        "kestra.server.preview.initial-rows", "Rows of a file shown at first.", 100, ge=1
    )
    max_rows: int = setting("kestra.server.preview.max-rows", "Rows of a file shown at most.", 5_000, ge=1)


class KeyStoreSettings(Section):
    path: str | None = setting(
        "micronaut.server.ssl.key-store.path", "The server's certificate and key: `file:…` or a plain path."
    )
    password: SecretStr | None = setting(
        "micronaut.server.ssl.key-store.password", "Password of the key store."
    )
    type: str = setting("micronaut.server.ssl.key-store.type", "`PKCS12`, `JKS` or `PEM`.", "PKCS12")


class TrustStoreSettings(Section):
    path: str | None = setting(
        "micronaut.server.ssl.trust-store.path", "Certificates of the authorities that clients may use."
    )
    password: SecretStr | None = setting(
        "micronaut.server.ssl.trust-store.password", "Password of the trust store."
    )
    type: str = setting("micronaut.server.ssl.trust-store.type", "`PKCS12`, `JKS` or `PEM`.", "PKCS12")


class TlsSettings(Section):
    enabled: bool = setting(
        "micronaut.server.ssl.enabled",
        "Serve HTTPS instead of HTTP.",
        False,
        also=("micronaut.ssl.enabled",),
    )
    port: int = setting("micronaut.server.ssl.port", "Port of HTTPS.", 8443, ge=0, le=65_535)
    client_authentication: Annotated[ClientAuthentication, UpperCase] | None = setting(
        "micronaut.server.ssl.client-authentication", "Ask clients for a certificate: `want` or `need`."
    )
    key_store: KeyStoreSettings = section(KeyStoreSettings)
    trust_store: TrustStoreSettings = section(TrustStoreSettings)


class CorsSettings(Section):
    enabled: bool = setting(
        "micronaut.server.cors.enabled", "Answer browser applications of other origins.", False
    )
    allowed_origins: TextList = setting(
        "micronaut.server.cors.configurations.all.allowed-origins",
        "Origins that are answered; empty means all.",
        (),
    )


class AccessLogSettings(Section):
    enabled: bool = setting(
        "micronaut.server.netty.access-logger.enabled", "Write a line for every request.", True
    )
    logger_name: str = setting(
        "micronaut.server.netty.access-logger.logger-name",
        "Logger that receives the lines.",
        "io.kestra.webserver.access",
    )
    exclusions: TextList = setting(
        "micronaut.server.netty.access-logger.exclusions",
        "Regular expressions of paths that are not logged.",
        ("/ui/.+", "/health", "/health/.+", "/prometheus"),
    )


class ManagementSettings(Section):
    port: int = setting(
        "endpoints.all.port",
        "Port of health, metrics and the other management endpoints.",
        8081,
        ge=0,
        le=65_535,
    )
    username: str | None = setting(
        "endpoints.all.basic-auth.username", "User that may read the management endpoints; none: everyone."
    )
    password: SecretStr | None = setting("endpoints.all.basic-auth.password", "Password of that user.")


class ServerSettings(Section):
    """HTTP server, authentication and the life of a server process."""

    host: str = setting("micronaut.server.host", "Address to listen on.", "0.0.0.0")
    port: int = setting(
        "micronaut.server.port", "Port of the UI and the API; 0 takes a free one.", 8080, ge=0, le=65_535
    )
    context_path: str = setting(
        "micronaut.server.context-path", "Path prefix under which UI and API are served.", ""
    )
    max_request_size: ByteSize = setting(
        "micronaut.server.max-request-size", "Largest body of a request.", 10 * _GB, gt=0
    )
    max_upload_size: ByteSize = setting(
        "micronaut.server.multipart.max-file-size", "Largest file in a multipart request.", 10 * _GB, gt=0
    )
    max_chunk_size: ByteSize = setting(
        "micronaut.server.netty.max-chunk-size", "Largest chunk of a streamed body.", 10 * _MB, gt=0
    )
    idle_timeout: Duration = setting(
        "micronaut.server.idle-timeout", "An idle connection is closed after it.", timedelta(minutes=60)
    )
    read_idle_timeout: Duration = setting(
        "micronaut.server.read-idle-timeout",
        "A connection that sends nothing is closed after it.",
        timedelta(minutes=60),
    )
    write_idle_timeout: Duration = setting(
        "micronaut.server.write-idle-timeout",
        "A connection that takes nothing is closed after it.",
        timedelta(minutes=60),
    )
    host_header: str | None = setting(
        "micronaut.server.host-resolution.host-header", "Header of a proxy that names the public host."
    )
    protocol_header: str | None = setting(
        "micronaut.server.host-resolution.protocol-header",
        "Header of a proxy that names the public protocol, e.g. `X-Forwarded-Proto`.",
    )
    termination_grace_period: Duration = setting(
        "kestra.server.termination-grace-period",
        "Time that running tasks have to end when the server is asked to stop.",
        timedelta(minutes=5),
        also=("kestra.server.terminate-grace-period",),
        ge=_ZERO,
    )
    worker_task_restart_strategy: Annotated[RestartStrategy, UpperCase] = setting(
        "kestra.server.worker-task-restart-strategy",
        "When the tasks of a dead worker are run again.",
        RestartStrategy.AFTER_TERMINATION_GRACE_PERIOD,
    )
    service_retention: Duration = setting(
        "kestra.server.service.purge.retention",
        "How long the records of servers that have ended are kept.",
        timedelta(days=7),
    )
    basic_auth: BasicAuthSettings = section(BasicAuthSettings)
    liveness: LivenessSettings = section(LivenessSettings)
    preview: PreviewSettings = section(PreviewSettings)
    tls: TlsSettings = section(TlsSettings)
    cors: CorsSettings = section(CorsSettings)
    access_log: AccessLogSettings = section(AccessLogSettings)


class WorkerSettings(Section):
    """The worker of this server."""

    threads: int = setting(
        "windhover.worker.threads",
        "Task runs that one worker runs at a time.",
        default_factory=lambda: 8 * available_processors(),
        default_text="8 per processor",
        ge=1,
    )
    group: str | None = setting(
        "windhover.worker.group",
        "Key of the worker group whose tasks this worker takes; none: tasks without a group.",
        also=("kestra.server.work-group.id", "kestra.server.work-group", "kestra.server.worker-group"),
    )
    tmp_dir: str | None = setting(
        "kestra.tasks.tmp-dir.path",
        "Folder of the tasks' working directories; none: the system's temporary folder.",
    )


class WebSettings(Section):
    """What the UI shows."""

    html_head: Lines = setting("kestra.webserver.html-head", "HTML added to the head of the UI's page.", "")
    google_analytics_id: str | None = setting(
        "kestra.webserver.google-analytics-id",
        "Google Analytics id of the UI.",
        also=("kestra.webserver.google-analytics",),
    )
    environment_name: str | None = setting(
        "kestra.environment.name",
        "Name of this installation, shown in the UI and read by `{{ kestra.environment }}`.",
    )
    environment_color: str | None = setting("kestra.environment.color", "Colour of the name, e.g. `#FCB37C`.")
