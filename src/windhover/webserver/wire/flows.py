"""Flows and the results of checking them in JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from windhover.model.execution import JsonValue, Label
from windhover.model.flow import Flow
from windhover.repository.flow_definitions import FlowDefinitions, FlowUnreadable
from windhover.repository.flows import FlowRecord
from windhover.webserver.errors import ErrorDetail
from windhover.webserver.wire.dates import Instant, instant


class FlowJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """A flow: what is written in its YAML, and what the server knows of it.

    ``source`` is the YAML itself, where it was asked for. ``exception`` is set when a stored flow can no
    longer be read, because a plugin is gone.
    """

    id: str
    namespace: str
    revision: int
    tenant_id: str
    disabled: bool
    deleted: bool
    tasks: list[dict[str, Any]]
    triggers: list[dict[str, Any]]
    updated: Instant | None = None
    description: str | None = None
    labels: list[Label] | None = None
    inputs: list[dict[str, Any]] | None = None
    outputs: list[dict[str, Any]] | None = None
    variables: dict[str, Any] | None = None
    errors: list[dict[str, Any]] | None = None
    concurrency: dict[str, Any] | None = None
    source: str | None = None
    exception: str | None = None


class FlowPageJson(msgspec.Struct):
    """One page of flows, and how many there are in all."""

    results: list[FlowJson]
    total: int


class ValidationJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """What is to be said of one document. ``constraints`` is absent when it can be saved.

    ``errors`` is what keeps it from being saved, each with its place.
    """

    index: int
    outdated: bool
    deprecation_paths: list[str]
    warnings: list[str]
    infos: list[str]
    flow: str | None = None
    namespace: str | None = None
    filename: str | None = None
    constraints: str | None = None
    errors: list[ErrorDetail] = []


class SourceHitJson(msgspec.Struct):
    """A flow in whose source a text was found, and the lines around it with the text marked."""

    model: FlowJson
    fragments: list[str]


class SourceHitPageJson(msgspec.Struct):
    """One page of flows in whose source a text was found, and how many there are in all."""

    results: list[SourceHitJson]
    total: int


def flow_json(flow: Flow, source: str | None = None) -> dict[str, JsonValue]:
    """A flow as the API shows it; :class:`FlowJson` documents it."""
    shown = flow.to_json()
    if flow.updated is not None:
        shown["updated"] = instant(flow.updated)
    if source is not None:
        shown["source"] = source
    return shown


def record_json(
    definitions: FlowDefinitions, record: FlowRecord, *, source: bool = False
) -> dict[str, JsonValue]:
    """A stored revision as the API shows it, also when it can no longer be read."""
    text = record.source if source else None
    try:
        return flow_json(definitions.read(record), text)
    except FlowUnreadable as error:
        shown: dict[str, JsonValue] = {
            "id": record.id,
            "namespace": record.namespace,
            "tenantId": record.tenant_id,
            "revision": record.revision,
            "disabled": record.disabled,
            "deleted": record.deleted,
            "updated": instant(record.updated),
            "labels": record.labels,
            "tasks": [],
            "triggers": [],
            "exception": str(error),
        }
        if text is not None:
            shown["source"] = text
        return shown
