"""Kestra's documented keys that no typed setting reads: known, so accepted without a word.

Some are read raw by the plugin they belong to (storage and secret back ends), some have no meaning here
(JVM and enterprise machinery) and are accepted so that a configuration moves over unchanged.
"""

_DATASOURCE = (
    "driver-class-name", "driver-class", "dialect", "catalog", "transaction-isolation", "pool-name",
    "validation-timeout", "initialization-fail-timeout", "leak-detection-threshold", "connection-init-sql",
    "connection-test-query", "auto-commit", "keepalive-time", "data-source-properties.**",
    "db-type", "schema-generate", "register-mbeans", "read-only", "allow-pool-suspension",
)  # fmt: skip

_STORAGE = {
    "s3": (
        "endpoint", "access-key", "secret-key", "session-token", "region", "bucket", "path",
        "force-path-style", "sts-role-arn", "sts-role-external-id", "sts-role-session-name",
        "sts-role-session-duration", "sts-endpoint-override",
    ),
    "minio": (
        "endpoint", "port", "secure", "access-key", "secret-key", "region", "bucket", "part-size", "vhost",
        "path", "proxy-configuration.**",
    ),
    "seaweedfs": ("filer-host", "filer-port", "prefix", "replication"),
    "azure": (
        "endpoint", "container", "connection-string", "shared-key-account-name",
        "shared-key-account-access-key", "sas-token", "path",
    ),
    "gcs": ("bucket", "project-id", "service-account", "path"),
    "cloudflare": (
        "bucket", "account-id", "access-key-id", "secret-access-key", "path", "jurisdiction",
        "endpoint-override",
    ),
}  # fmt: skip

_SECRET = {
    "aws-secret-manager": (
        "access-key-id", "secret-key-id", "session-token", "region", "prefix", "endpoint-override", "tags.**",
    ),
    "azure-key-vault": (
        "client-secret.tenant-id", "client-secret.client-id", "client-secret.client-secret", "vault-name",
        "key-vault-uri", "prefix", "tags.**",
    ),
    "google-secret-manager": ("project", "service-account", "prefix", "tags.**"),
    "vault": (
        "address", "password.user", "password.password", "token.token", "app-role.path", "app-role.role-id",
        "app-role.secret-id", "kubernetes.path", "kubernetes.role", "root-engine", "engine-version",
        "namespace", "prefix", "secret-path-prefix", "cache.**", "tags.**",
    ),
    "elasticsearch": ("secret", "tags.**"),
    "jdbc": ("secret", "tags.**"),
    "cyberark": ("**",),
    "doppler": ("**",),
    "1password": ("**",),
    "beyondtrust": ("**",),
    "delinea": ("**",),
}  # fmt: skip

_KESTRA = (
    "queue.postgres.disable-seq-scan",
    "queue.*.**",
    "repository.*.**",
    "jdbc.queues.poll-size",
    "jdbc.queues.min-poll-interval",
    "jdbc.queues.max-poll-interval",
    "jdbc.queues.poll-switch-interval",
    "jdbc.cleaner.initial-delay",
    "jdbc.cleaner.fixed-delay",
    "jdbc.cleaner.retention",
    "jdbc.cleaner.types",
    "jdbc.executor.thread-count",
    "jdbc.tables.**",
    "elasticsearch.**",
    "kafka.**",
    "indexer.batch-size",
    "indexer.batch-duration",
    "storage.*.**",
    "storage.isolation.enabled",
    "storage.isolation.denied-services",
    "secret.*.**",
    "secret.isolation.enabled",
    "secret.isolation.denied-services",
    "secret.cache.enabled",
    "secret.cache.maximum-size",
    "secret.cache.expire-after-write",
    "heartbeat.frequency",
    "heartbeat.heartbeat-missed",
    "server.access-log.**",
    "security.super-admin.username",
    "security.super-admin.password",
    "security.super-admin.tenant-admin-access",
    "security.default-role.name",
    "security.default-role.description",
    "security.default-role.permissions.**",
    "security.default-role.tenant-id",
    "security.invitations.expire-after",
    "security.invitation.expire-after",
    "security.basic-auth.password-regexp",
    "security.basic-auth.password-reset.cooldown",
    "security.basic-auth.password-reset.rate-limit.max-requests",
    "security.login.failed-attempts.threshold",
    "security.login.failed-attempts.monitoring-window",
    "security.login.failed-attempts.lock-duration",
    "security.**",
    "plugins.repositories.*.url",
    "plugins.repositories.*.basic-auth.username",
    "plugins.repositories.*.basic-auth.password",
    "plugins.local-repository-path",
    "plugins.management.enabled",
    "plugins.management.remote-storage-enabled",
    "plugins.management.custom-plugins-enabled",
    "plugins.management.local-repository-path",
    "plugins.management.auto-reload-enabled",
    "plugins.management.auto-reload-interval",
    "plugins.management.default-version",
    "ai.type",
    "ai.gemini.**",
    "ui.**",
    "ui-anonymous-usage-report.enabled",
    "anonymous-usage-report.uri",
    "tutorial-flows.path",
    "ee.**",
)

_OTHER_ROOTS = (
    "flyway.**",
    "micronaut.**",
    "endpoints.**",
    "otel.**",
    "logger.**",
    "jackson.**",
    "netty.**",
    "tasks.**",
)


def documented_keys() -> tuple[str, ...]:
    """The patterns of the documented keys; see ``vocabulary.Vocabulary`` for their form."""
    return (
        *(f"datasources.*.{name}" for name in _DATASOURCE),
        *(f"kestra.storage.{kind}.{name}" for kind, names in _STORAGE.items() for name in names),
        *(f"kestra.secret.{kind}.{name}" for kind, names in _SECRET.items() for name in names),
        *(f"kestra.{name}" for name in _KESTRA),
        *_OTHER_ROOTS,
    )
