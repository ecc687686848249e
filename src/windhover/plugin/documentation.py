"""What a plugin class says about itself besides its docstring and its fields."""

from __future__ import annotations

from typing import Literal

import msgspec


class Example(msgspec.Struct, frozen=True):
    """A use of a plugin. ``code`` is YAML: a whole flow when ``full``, else the properties of the task."""

    code: str
    title: str | None = None
    full: bool = False


class MetricDescription(msgspec.Struct, frozen=True):
    """A metric that a task reports."""

    name: str
    type: Literal["counter", "timer", "gauge"]
    description: str | None = None
    unit: str | None = None
