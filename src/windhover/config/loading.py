"""Load the configuration: find the sources, merge them, resolve placeholders, bind the settings."""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import cast

from windhover.config import checks
from windhover.config.binding import Binding, canonical
from windhover.config.documents import parse, read_file
from windhover.config.environment import DOCUMENT_VARIABLES, read_environment
from windhover.config.known_keys import documented_keys
from windhover.config.masking import RawConfiguration
from windhover.config.placeholders import resolve
from windhover.config.problems import ConfigProblem, ConfigurationError
from windhover.config.sections import Section, keys_of, nested_section
from windhover.config.settings import Settings
from windhover.config.tree import MapNode, Node, Origin, from_python, merge, plain
from windhover.config.vocabulary import CANONICAL_ROOT, Findings, Vocabulary


def load(
    config_paths: Sequence[Path] | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
    *,
    strict: bool | None = None,
) -> Settings:
    """The settings from all sources, weakest first: defaults, files, ``KESTRA_CONFIGURATION``,
    ``WINDHOVER_CONFIGURATION``, per-key environment variables, overrides.

    Args:
        config_paths: YAML files, later ones win; None means ``default_config_paths(environ)``.
        environ: environment variables; None means the process's own.
        overrides: values from the command line by dotted key (``{"micronaut.server.port": 9090}``), or
            nested mappings.
        strict: whether unknown keys are errors; None leaves it to ``windhover.configuration.strict``.

    Raises:
        ConfigurationError: with every problem of every source.
    """
    environ = os.environ if environ is None else environ
    paths = default_config_paths(environ) if config_paths is None else config_paths
    return _Loading(environ).load(paths, overrides or {}, strict)


def default_config_paths(environ: Mapping[str, str]) -> list[Path]:
    """The configuration files read when none is named: those of the home folders that exist."""
    user_home = Path(environ.get("HOME") or Path.home())
    folders = [user_home / ".kestra", user_home / ".windhover"]
    if environ.get("WINDHOVER_HOME"):
        folders.append(Path(environ["WINDHOVER_HOME"]).expanduser())
    candidates = [folder / name for folder in folders for name in ("config.yaml", "config.yml")]
    return [path for path in dict.fromkeys(candidates) if path.is_file()]


@cache
def vocabulary() -> Vocabulary:
    """Every known key: those of the typed settings and Kestra's other documented ones."""
    return Vocabulary((*(canonical(key) for key in setting_keys(Settings)), *documented_keys()))


def setting_keys(kind: type[Section]) -> Iterator[str]:
    """The key patterns that typed settings read."""
    for field in kind.model_fields.values():
        nested = nested_section(field)
        if nested is not None and not keys_of(field):
            yield from setting_keys(nested)
            continue
        for key in keys_of(field):
            yield from _patterns(key, field.annotation)


def _patterns(key: str, annotation: object) -> Iterator[str]:
    if key.endswith(".*"):
        yield from setting_keys(annotation.__args__[1])  # type: ignore[attr-defined]
        return
    yield key
    yield from _ITEM_PATTERNS.get(key, ())
    if getattr(annotation, "__origin__", None) is Mapping:
        yield f"{key}.**"


_ITEM_PATTERNS = {
    "kestra.plugins.defaults": tuple(
        f"kestra.plugins.defaults[].{name}" for name in ("type", "forced", "values.**")
    ),
    "kestra.tasks.defaults": tuple(
        f"kestra.tasks.defaults[].{name}" for name in ("type", "forced", "values.**")
    ),
    "kestra.plugins.configurations": tuple(
        f"kestra.plugins.configurations[].{name}" for name in ("type", "values.**")
    ),
    "kestra.ai.providers": tuple(
        f"kestra.ai.providers[].{name}"
        for name in ("id", "display-name", "type", "is-default", "configuration.**")
    ),
}


class _Loading:
    """One run of ``load``: the problems gather here, so that all are told at once."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._vocabulary = vocabulary()
        self._errors: list[ConfigProblem] = []
        self._findings = Findings()

    def load(self, paths: Sequence[Path], overrides: Mapping[str, object], strict: bool | None) -> Settings:
        merged = self._merge_sources(paths, overrides)
        self._errors.extend(self._findings.ill_typed)
        resolved = resolve(merged, self._environ, self._vocabulary, self._errors)
        binding = Binding(resolved)
        settings, ill_typed = binding.bind()
        self._errors.extend(ill_typed)
        if settings is None:
            raise ConfigurationError([*self._errors, *(self._findings.unknown if strict else ())])
        self._errors.extend(checks.errors(settings, binding))
        if settings.strict if strict is None else strict:
            self._errors.extend(self._findings.unknown)
        if self._errors:
            raise ConfigurationError(self._errors)
        raw = RawConfiguration(cast("dict[str, object]", plain(resolved)))
        warnings = [*self._findings.unknown, *self._findings.unread, *checks.warnings(settings, binding)]
        return settings.with_sources(raw, warnings, paths)

    def _merge_sources(self, paths: Sequence[Path], overrides: Mapping[str, object]) -> MapNode:
        merged: Node = self._machine_defaults()
        for document in self._documents(paths):
            merged = merge(merged, self._conform(document))
        for layer in read_environment(self._environ, self._vocabulary, merged, self._findings.unknown):
            merged = merge(merged, layer)
        command_line = from_python(overrides, Origin("command line"))
        return cast("MapNode", merge(merged, self._conform(cast("MapNode", command_line))))

    def _machine_defaults(self) -> MapNode:
        """The home folder follows the given environment, not the process's."""
        user_home = self._environ.get("HOME")
        home = {CANONICAL_ROOT: {"home": str(Path(user_home) / ".windhover")}} if user_home else {}
        return cast("MapNode", from_python(home, Origin("default")))

    def _documents(self, paths: Sequence[Path]) -> Iterator[MapNode]:
        for path in paths:
            try:
                yield read_file(path)
            except ConfigurationError as error:
                self._errors.extend(error.problems)
        for variable in DOCUMENT_VARIABLES:
            try:
                yield parse(self._environ.get(variable, ""), variable)
            except ConfigurationError as error:
                self._errors.extend(error.problems)

    def _conform(self, document: MapNode) -> MapNode:
        return self._vocabulary.conform(document, self._findings)
