"""What flows can be made of stands in the documentation: every property, and an example of every task.

Types of message brokers have pages of their own, which show what each needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from windhover.model import flow, trigger
from windhover.model.check import Check
from windhover.model.concurrency import Concurrency
from windhover.model.definition import property_names
from windhover.model.inputs import FlowOutput, FormInput
from windhover.model.inputs import types as input_types
from windhover.model.inputs.base import DependsOn, InputBase
from windhover.model.plugin_default import PluginDefault
from windhover.model.retry import ConstantRetry, ExponentialRetry, RandomRetry
from windhover.model.sla import ExecutionAssertionSla, MaxDurationSla
from windhover.model.task import Task, TaskCache
from windhover.plugin.kind import PluginKind
from windhover.plugin.registry import PluginType, shared_registry
from windhover.plugin.schema import output_class

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

#: Pages about something else, on which any word may stand.
_OTHERS = {"expressions.md", "configuration.md", "benchmarks.md", "README.md"}
_PAGES = {path.name: path.read_text() for path in DOCS.glob("*.md") if path.name not in _OTHERS}
_EXAMPLES = "\n".join(path.read_text() for path in (ROOT / "examples").rglob("*.yaml"))
_FAMILIES = ("io.kestra.plugin.core.", "io.kestra.plugin.kestra.", "io.kestra.plugin.scripts.")
_TYPES = sorted(
    (plugin for plugin in shared_registry().types() if plugin.type_name.startswith(_FAMILIES)),
    key=lambda plugin: plugin.type_name,
)

#: What all types of a kind have; the page about flows lists it.
_SHARED = (Task, trigger.Trigger, trigger.Condition)

_PAGES_OF_MODELS: dict[type[BaseModel], str] = {
    flow.Flow: "flows.md",
    flow.Quota: "flows.md",
    flow.Listener: "flows.md",
    Task: "flows.md",
    TaskCache: "task-cache.md",
    trigger.Trigger: "flows.md",
    PluginDefault: "flows.md",
    ConstantRetry: "retries.md",
    ExponentialRetry: "retries.md",
    RandomRetry: "retries.md",
    Check: "limits.md",
    MaxDurationSla: "limits.md",
    ExecutionAssertionSla: "limits.md",
    Concurrency: "concurrency.md",
    InputBase: "inputs.md",
    DependsOn: "inputs.md",
    FormInput: "inputs.md",
    FlowOutput: "inputs.md",
    **{
        cls: "inputs.md"
        for cls in vars(input_types).values()
        if isinstance(cls, type) and issubclass(cls, InputBase)
    },
}


def missing(names: Iterable[str], text: str) -> set[str]:
    return {name for name in names if not re.search(rf"\b{re.escape(name)}\b", text)}


@pytest.mark.parametrize("plugin", _TYPES, ids=lambda plugin: plugin.type_name)
def test_a_page_names_each_type_with_its_properties(plugin: PluginType) -> None:
    *_, package, name = plugin.type_name.split(".")
    named = re.compile(rf"`(?:\S+\.)?(?:{package}\.)?{name}`|type: {re.escape(plugin.type_name)}$", re.M)
    pages = "\n".join(page for page in _PAGES.values() if named.search(page))
    assert pages, "no page names it"
    of_all = {name for cls in _SHARED for name in property_names(cls)}
    output = output_class(plugin.cls)
    outputs = property_names(output) if output else frozenset()
    assert not missing((property_names(plugin.cls) - of_all) | outputs, pages)


@pytest.mark.parametrize("model", _PAGES_OF_MODELS, ids=lambda model: model.__name__)
def test_a_page_names_each_property_of_flows(model: type[BaseModel]) -> None:
    assert not missing(property_names(model), _PAGES[_PAGES_OF_MODELS[model]])


def test_each_type_of_input_is_in_an_example() -> None:
    types = {
        name
        for cls in _PAGES_OF_MODELS
        if issubclass(cls, InputBase) and cls is not InputBase
        for name in get_args(cls.model_fields["type"].annotation)
    }
    assert not {name for name in types - _SERVED if f"type: {name}\n" not in _EXAMPLES}


#: Their inputs are kept by Kestra's enterprise edition: no flow here can have one that runs.
_SERVED = {"REUSABLE_INPUTS"}


def test_each_type_of_task_is_in_an_example() -> None:
    kinds = {kind for kind in PluginKind if kind.is_task} | {PluginKind.TASK_RUNNER}
    types = {plugin.type_name for plugin in _TYPES if plugin.kind in kinds and not plugin.deprecated}
    assert not {name for name in types if f"type: {name}\n" not in _EXAMPLES}
