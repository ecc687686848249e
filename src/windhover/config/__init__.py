"""The operator's configuration: Kestra's, read unchanged, as typed settings.

``load`` merges the sources; docs/configuration.md is the page for operators.
"""

from windhover.config.loading import default_config_paths, load
from windhover.config.persistence_settings import (
    BackendType,
    ConnectionPoolSettings,
    DatabaseSettings,
    DatasourceSettings,
)
from windhover.config.problems import ConfigProblem, ConfigurationError
from windhover.config.settings import Settings

__all__ = [
    "BackendType",
    "ConfigProblem",
    "ConfigurationError",
    "ConnectionPoolSettings",
    "DatabaseSettings",
    "DatasourceSettings",
    "Settings",
    "default_config_paths",
    "load",
]
