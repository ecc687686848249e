"""Data that tasks read and write, declared for lineage.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

from pydantic import ConfigDict

from windhover.model.definition import Definition, NonEmptyText, Text
from windhover.model.execution import JsonValue


class AssetReference(Definition):
    """An asset that is read. All properties may be expressions."""

    id: NonEmptyText
    type: Text | None = None


class AssetDeclaration(Definition):
    """An asset that is written; properties of no known name are metadata."""

    model_config = ConfigDict(extra="allow")

    id: NonEmptyText
    type: NonEmptyText
    namespace: Text | None = None
    display_name: Text | None = None
    description: Text | None = None
    metadata: dict[str, JsonValue] | None = None


class Assets(Definition):
    """What a task reads and writes. Lists may be expressions that give them."""

    enable_auto: bool | str | None = None
    inputs: tuple[AssetReference, ...] | str = ()
    outputs: tuple[AssetDeclaration, ...] | str = ()
