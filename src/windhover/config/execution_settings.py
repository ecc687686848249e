"""Settings of what flows see and of the bounds they run in."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from windhover.config.sections import Section, section, setting
from windhover.config.values import ByteSize, Duration, TextList, UpperCase, ValueKind

_KB = 1 << 10
_MB = 1 << 20
_ZERO = timedelta(0)


class VariableSettings(Section):
    """What expressions can read, and how they are rendered."""

    env_vars_prefix: str = setting(
        "kestra.variables.env-vars-prefix",
        "Environment variables with this prefix are read by `{{ envs.name }}`; empty: all of them.",
        "ENV_",
    )
    globals: Mapping[str, object] = setting(
        "kestra.variables.globals", "Values read by `{{ globals.name }}` in every flow.", {}, shown=False
    )
    recursive_rendering: bool = setting(
        "kestra.variables.recursive-rendering",
        "Render the result of an expression once more, as Kestra did before 0.14.",
        False,
    )
    cache_enabled: bool = setting("kestra.variables.cache-enabled", "Keep parsed expressions.", True)
    cache_size: int = setting("kestra.variables.cache-size", "Parsed expressions kept.", 1_000, ge=0)


class PluginDefault(BaseModel):
    """Values that a task or trigger type takes where a flow gives none, or whatever it gives when forced."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    type: str
    values: Mapping[str, object] = Field(default={}, repr=False)
    forced: bool = False


class PluginConfiguration(BaseModel):
    """An operator's settings of one plugin type."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    type: str
    values: Mapping[str, object] = Field(default={}, repr=False)


class PluginSettings(Section):
    defaults: tuple[PluginDefault, ...] = setting(
        "kestra.plugins.defaults",
        "Default property values: a list of `type` (or a prefix of types), `values` and `forced`.",
        (),
        also=("kestra.tasks.defaults",),
    )
    configurations: tuple[PluginConfiguration, ...] = setting(
        "kestra.plugins.configurations", "Operator's settings of types: a list of `type` and `values`.", ()
    )
    includes: TextList = setting(
        "kestra.plugins.security.includes", "Regular expressions of the types allowed; empty: all.", ()
    )
    excludes: TextList = setting(
        "kestra.plugins.security.excludes", "Regular expressions of the types refused.", ()
    )


class LocalFileSettings(Section):
    allowed_paths: TextList = setting(
        "kestra.local-files.allowed-paths", "Folders that flows may read by `file:///` URIs.", ()
    )
    enable_preview: bool = setting(
        "kestra.local-files.enable-preview", "Whether the UI shows the content of such files.", True
    )


class RetrySettings(Section):
    """Calls to the storage and to secret back ends are tried again; tasks have their own `retry`."""

    attempts: int = setting("kestra.retries.attempts", "Tries of a storage or secret call.", 5, ge=1)
    delay: Duration = setting("kestra.retries.delay", "Wait before the second try.", timedelta(seconds=1))
    max_delay: Duration | None = setting("kestra.retries.max-delay", "Longest wait between two tries.")
    multiplier: float = setting("kestra.retries.multiplier", "Growth of the wait with each try.", 2.0, ge=1)


class ExpiredKvSettings(Section):
    enabled: bool = setting("kestra.kv.purge-expired.enabled", "Delete expired key-value pairs.", True)
    initial_delay: Duration = setting(
        "kestra.kv.purge-expired.initial-delay", "Time from start to the first purge.", timedelta(hours=6)
    )
    fixed_delay: Duration = setting(
        "kestra.kv.purge-expired.fixed-delay", "Time between two purges.", timedelta(hours=6)
    )
    batch_size: int = setting("kestra.kv.purge-expired.batch-size", "Pairs deleted at a time.", 1_000, ge=1)


class FileWatchSettings(Section):
    enabled: bool = setting(
        "micronaut.io.watch.enabled", "Keep the flows in step with files of the folders below.", False
    )
    paths: TextList = setting("micronaut.io.watch.paths", "Folders of flow files.", ())


class SdkAuthenticationSettings(Section):
    """Credentials of tasks that call this instance's own API."""

    username: str | None = setting("tasks.sdk.authentication.username", "User of tasks that call the API.")
    password: SecretStr | None = setting("tasks.sdk.authentication.password", "Password of that user.")
    token: SecretStr | None = setting("tasks.sdk.authentication.token", "API token, instead of a user.")


class UsageReportSettings(Section):
    enabled: bool = setting(
        "kestra.anonymous-usage-report.enabled",
        "Accepted for old configurations: Windhover reports nothing to anyone.",
        False,
    )
    initial_delay: Duration = setting(
        "kestra.anonymous-usage-report.initial-delay", "Accepted.", timedelta(minutes=5)
    )
    fixed_delay: Duration = setting(
        "kestra.anonymous-usage-report.fixed-delay", "Accepted.", timedelta(hours=1)
    )


class AiSettings(Section):
    enabled: bool = setting(
        "kestra.ai.enabled", "Offer the AI copilot; it needs a provider and never calls anyone else.", True
    )
    providers: tuple[Mapping[str, object], ...] = setting(
        "kestra.ai.providers",
        "Model providers: a list of `id`, `display-name`, `type`, `is-default` and `configuration`.",
        (),
        shown=False,
    )


class TraceLevel(StrEnum):
    DEFAULT = "DEFAULT"
    DISABLED = "DISABLED"


def _log_levels(value: object) -> object:
    # YAML 1.1 reads a bare OFF as false.
    if isinstance(value, Mapping):
        levels = {name: "OFF" if level is False else level for name, level in value.items()}
        return {name: str(level).upper() for name, level in levels.items() if level is not None}
    return value


LogLevels = Annotated[
    Mapping[str, str], BeforeValidator(_log_levels), ValueKind("map", "a mapping of names to levels")
]


class TelemetrySettings(Section):
    metrics_prefix: str = setting("kestra.metrics.prefix", "First word of the metrics' names.", "kestra")
    metrics_labels: TextList = setting(
        "kestra.metrics.labels", "Execution labels that become metric tags `label_<key>`.", ()
    )
    traces_enabled: bool = setting("micronaut.otel.enabled", "Send OpenTelemetry traces.", False)
    traces_root: Annotated[TraceLevel, UpperCase] = setting(
        "kestra.traces.root", "`DEFAULT` traces executions, `DISABLED` API calls alone.", TraceLevel.DISABLED
    )
    traces_categories: LogLevels = setting("kestra.traces.categories", "Trace level of single classes.", {})
    traces_endpoint: str = setting(
        "otel.exporter.otlp.endpoint", "OTLP collector (gRPC) of the traces.", "http://localhost:4317"
    )
    otlp_metrics_enabled: bool = setting(
        "micronaut.metrics.export.otlp.enabled", "Send metrics by OTLP.", False
    )
    otlp_metrics_url: str = setting(
        "micronaut.metrics.export.otlp.url",
        "OTLP collector (HTTP) of the metrics.",
        "http://localhost:4318/v1/metrics",
    )
    log_levels: LogLevels = setting(
        "logger.levels",
        "Levels of loggers. `execution`, `task` and `trigger`, each with `.flowId` or `.flowId.taskId` "
        "appended, stand for what flows log.",
        {},
    )


class LimitSettings(Section):
    """Bounds that protect the server from a single flow."""

    max_flow_source: ByteSize = setting(
        "windhover.limits.max-flow-source", "Largest YAML source of a flow.", _MB, gt=0
    )
    max_yaml_nesting: int = setting(
        "windhover.limits.max-yaml-nesting", "Deepest nesting of a flow's YAML.", 100, ge=10
    )
    inline_inputs: ByteSize = setting(
        "windhover.limits.inline-inputs",
        "Inputs of an execution above this size are kept in the internal storage.",
        256 * _KB,
        ge=0,
    )
    webhook_body: ByteSize = setting(
        "windhover.limits.webhook-body",
        "Largest body of a webhook that is read as `trigger.body`; those above `inline-inputs` are kept in "
        "the internal storage. `fetchType: STORE` takes any body that a request may have.",
        64 * _MB,
        gt=0,
    )
    flow_trigger_repeats: int = setting(
        "windhover.flow-triggers.most-repeats",
        "How often one Flow trigger may fire in a chain of executions that started one another; flows that "
        "trigger each other without end are stopped there.",
        10,
        ge=1,
    )
    longest_chain: int = setting(
        "windhover.subflows.longest-chain",
        "How many executions may start one another in quick succession, waited for or not; flows that start "
        "each other without end are stopped there.",
        1000,
        ge=1,
    )
    most_recursive: int = setting(
        "windhover.subflows.most-recursive",
        "How many executions may come of flows that start themselves, directly or through others, under the "
        "same first execution; a flow that starts itself twice is stopped there. A thousandth of them is "
        "forgotten each second, so what has a pace of its own goes on for ever.",
        10_000,
        ge=1,
    )
    inline_outputs: ByteSize = setting(
        "windhover.limits.inline-outputs",
        "Outputs of a task run or a flow above this size are kept in the internal storage.",
        64 * _KB,
        ge=0,
    )
    max_outputs: ByteSize = setting(
        "windhover.limits.max-outputs",
        "Largest outputs of a task run, files apart; above it the task run fails.",
        64 * _MB,
        gt=0,
    )
    max_flow_outputs: ByteSize = setting(
        "windhover.limits.max-flow-outputs",
        "Largest outputs of a flow, files apart; above it the execution fails.",
        4 * _MB,
        gt=0,
    )
    log_lines_per_second: int = setting(
        "windhover.limits.log-lines-per-second",
        "Log lines a second that are kept of one task run; further ones are counted, not kept.",
        5_000,
        ge=1,
    )
    log_lines_per_task_run: int = setting(
        "windhover.limits.log-lines-per-task-run", "Log lines that are kept of one task run.", 500_000, ge=1
    )
    log_lines_per_execution: int = setting(
        "windhover.limits.log-lines-per-execution",
        "Log lines of tasks that are kept of one execution, over all retries and rounds of loops.",
        2_000_000,
        ge=1,
    )
    log_message_length: int = setting(
        "windhover.limits.log-message-length", "Characters kept of one log message.", 32_768, ge=256
    )
    finally_after_kill: Duration = setting(
        "windhover.limits.finally-after-kill",
        "How long the `finally` tasks of an execution may take after it was killed, or broke an SLA.",
        timedelta(hours=1),
        gt=_ZERO,
    )
    queue_wait: Duration | None = setting(
        "windhover.limits.queue-wait",
        "How long an execution may wait for its turn, where its flow has no `concurrency.maxWait`; then it "
        "ends as FAILED. Not set: without limit.",
        gt=_ZERO,
    )
    message_protection_enabled: bool = setting(
        "kestra.jdbc.queues.message-protection.enabled",
        "Refuse messages between components above the limit below.",
        False,
        also=("kestra.kafka.message-protection.enabled",),
    )
    message_protection_limit: ByteSize = setting(
        "kestra.jdbc.queues.message-protection.limit",
        "Largest message between components.",
        _MB,
        also=("kestra.kafka.message-protection.limit",),
        gt=0,
    )


class ExecutionSettings(Section):
    """What does not fit the groups above."""

    encryption_key: SecretStr | None = setting(
        "kestra.encryption.secret-key",
        "Base64 of 32 bytes (`openssl rand -base64 32`) that encrypts `SECRET` inputs and outputs, "
        "and stored secrets.",
    )
    regex_timeout: Duration = setting(
        "kestra.regex.timeout",
        "A regular expression of a flow that takes longer is given up.",
        timedelta(seconds=10),
        gt=_ZERO,
    )
    system_namespace: str = setting(
        "kestra.system-flows.namespace", "Namespace of background flows.", "system"
    )
    tutorial_flows: bool = setting(
        "kestra.tutorial-flows.enabled", "Put the tutorial flows into a new instance.", True
    )
    templates: bool = setting(
        "kestra.templates.enabled", "Accepted; templates are always there (deprecated).", False
    )
    hidden_label_prefixes: TextList = setting(
        "kestra.hidden-labels.prefixes",
        "Labels with these prefixes are not shown.",
        ("system.", "internal."),
    )
    secret_type: str | None = setting(
        "kestra.secret.type",
        "Secret back end. Whatever is given, secrets are those of the database and the environment's "
        "`SECRET_<NAME>` variables; other than `jdbc` is a warning.",
    )
    delete_configuration_files: bool = setting(
        "kestra.configurations.delete-files-on-start",
        "Delete the configuration files once they are read, so that no task can read them.",
        False,
    )
    sdk: SdkAuthenticationSettings = section(SdkAuthenticationSettings)
