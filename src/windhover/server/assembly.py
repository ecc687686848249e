"""From the operator's configuration to the settings of each part."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from windhover import __version__
from windhover.config import Settings
from windhover.expression import DEFAULT_LIMITS
from windhover.model.execution import JsonValue
from windhover.model.plugin_default import PluginDefault
from windhover.model.yaml.limits import SourceLimits
from windhover.plugin.trigger import RecoverMissedSchedules
from windhover.repository.database import DatabaseSettings
from windhover.scheduler.settings import SchedulerSettings
from windhover.server.runtime import RuntimeSettings
from windhover.worker.environment import LogLimits, OutputLimits, WorkerSettings


def runtime_settings(settings: Settings, environ: Mapping[str, str] | None = None) -> RuntimeSettings:
    """What the engine room needs."""
    key = settings.execution.encryption_key
    return RuntimeSettings(
        home=settings.home,
        storage_path=settings.storage_path,
        temporary=_working_folder(settings),
        threads=settings.worker.threads,
        environ=dict(os.environ if environ is None else environ),
        env_prefix=settings.variables.env_vars_prefix,
        globals=dict(settings.variables.globals),
        server=_server_variables(settings),
        recursive_rendering=settings.variables.recursive_rendering,
        compiled_expressions=settings.variables.cache_size if settings.variables.cache_enabled else 0,
        encryption_key=key.get_secret_value() if key is not None else None,
        finally_limit=settings.limits.finally_after_kill,
        system_namespace=settings.execution.system_namespace,
        queue_limit=settings.limits.queue_wait,
        flow_trigger_repeats=settings.limits.flow_trigger_repeats,
        longest_chain=settings.limits.longest_chain,
        most_recursive=settings.limits.most_recursive,
        inline_inputs=settings.limits.inline_inputs,
        max_flow_outputs=settings.limits.max_flow_outputs,
        max_log_lines=settings.limits.log_lines_per_execution,
        worker=worker_settings(settings),
        scheduler=scheduler_settings(settings),
        configurations={entry.type: dict(entry.values) for entry in settings.plugins.configurations},
        plugin_defaults=tuple(
            PluginDefault(type=entry.type, values=dict(entry.values), forced=entry.forced)
            for entry in settings.plugins.defaults
        ),
        source_limits=SourceLimits(
            size=settings.limits.max_flow_source, depth=settings.limits.max_yaml_nesting
        ),
    )


def _working_folder(settings: Settings) -> Path:
    """A folder of this home alone: a server that starts sweeps away what lies in it."""
    home = hashlib.blake2b(str(settings.home.resolve()).encode(), digest_size=6).hexdigest()
    return Path(settings.worker.tmp_dir or tempfile.gettempdir()) / f"windhover-{home}"


def scheduler_settings(settings: Settings) -> SchedulerSettings:
    """How triggers are looked at; how missed dates are treated is configured with the types of schedules."""
    return SchedulerSettings(
        zone=worker_settings(settings).zone,
        inline_events=settings.limits.inline_inputs,
        recover={
            entry.type: RecoverMissedSchedules(str(entry.values["recoverMissedSchedules"]))
            for entry in settings.plugins.configurations
            if "recoverMissedSchedules" in entry.values
        },
    )


def worker_settings(settings: Settings) -> WorkerSettings:
    limits = settings.limits
    return WorkerSettings(
        logs=LogLimits(
            max_message=limits.log_message_length,
            lines_per_second=limits.log_lines_per_second,
            max_lines=limits.log_lines_per_task_run,
        ),
        outputs=OutputLimits(spill_above=limits.inline_outputs, maximum=limits.max_outputs),
        expression_limits=replace(
            DEFAULT_LIMITS, regex_seconds=settings.execution.regex_timeout.total_seconds()
        ),
        recursive_rendering=settings.variables.recursive_rendering,
    )


def database_settings(settings: Settings) -> DatabaseSettings:
    """Where the database is, in the repository's own terms."""
    return DatabaseSettings(settings.database.url(), pool_size=settings.database.pool.maximum_size)


def _server_variables(settings: Settings) -> dict[str, JsonValue]:
    """The variable ``kestra``: only what is configured."""
    shown: dict[str, JsonValue] = {"version": __version__}
    if settings.url:
        shown["url"] = settings.url
    environment = {
        name: value
        for name, value in (
            ("name", settings.web.environment_name),
            ("color", settings.web.environment_color),
        )
        if value
    }
    if environment:
        shown["environment"] = environment
    return shown
