"""Namespaces and templates in JSON."""

from __future__ import annotations

import msgspec

from windhover.model.execution import JsonValue
from windhover.model.namespace import NamespaceRecord
from windhover.model.plugin_default import PluginDefault
from windhover.repository.templates import TemplateRecord


class PluginDefaultJson(msgspec.Struct):
    """Values for all plugins whose type begins with ``type``."""

    type: str
    forced: bool
    values: dict[str, JsonValue]


class NamespaceJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """A namespace. What is declared for it is missing where nothing is."""

    id: str
    deleted: bool
    description: str | None = None
    variables: dict[str, JsonValue] | None = None
    plugin_defaults: list[PluginDefaultJson] | None = None


class NamespacePageJson(msgspec.Struct):
    """One page of namespaces, and how many there are in all."""

    results: list[NamespaceJson]
    total: int


class AutocompleteJson(msgspec.Struct, rename="camel"):
    """What is asked for: names that hold ``q``, and those of ``ids`` in any case."""

    q: str | None = None
    ids: list[str] | None = None
    existing_only: bool = False


#: A template: ``id``, ``namespace`` and ``tasks`` as they are written, and what else is.
TemplateJson = dict[str, JsonValue]


class TemplatePageJson(msgspec.Struct):
    """One page of templates, and how many there are in all."""

    results: list[TemplateJson]
    total: int


class TemplateIdJson(msgspec.Struct):
    """A template by its namespace and id."""

    namespace: str
    id: str


def namespace_json(namespace: str, record: NamespaceRecord | None) -> NamespaceJson:
    if record is None:
        return NamespaceJson(namespace, deleted=False)
    return NamespaceJson(
        namespace,
        deleted=False,
        description=record.description,
        variables=record.variables or None,
        plugin_defaults=[plugin_default_json(entry) for entry in record.plugin_defaults] or None,
    )


def plugin_default_json(entry: PluginDefault) -> PluginDefaultJson:
    return PluginDefaultJson(entry.type, entry.forced, entry.values)


def template_json(record: TemplateRecord) -> TemplateJson:
    return {**record.written, "deleted": False}
