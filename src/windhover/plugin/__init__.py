"""The SDK that plugin authors import: task classes, their context, and the registry that finds them.

    from windhover.plugin import Duration, Output, RunContext, RunnableTask
    from windhover.plugin.decorator import task

Names are imported from their modules at the first use, so that whoever needs one does not pay for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from windhover.plugin.condition import ConditionContext, ConditionType, ScheduleConditionType
    from windhover.plugin.context import RunContext
    from windhover.plugin.documentation import Example, MetricDescription
    from windhover.plugin.flowable import Body, Branch, BranchKind, FlowableContext, FlowableTask, Lane
    from windhover.plugin.kind import PluginKind
    from windhover.plugin.nesting import AnyCondition, AnyTask, AnyTrigger, ConditionList, TaskList
    from windhover.plugin.problems import InvalidProperties, PropertyProblem
    from windhover.plugin.registry import PluginType, Registry
    from windhover.plugin.task import Output, RunnableTask, TaskFailure
    from windhover.plugin.trigger import (
        Event,
        FlowTrigger,
        Forget,
        PollingTrigger,
        RealtimeTrigger,
        ScheduleTrigger,
        TriggerContext,
        WebhookTrigger,
    )
    from windhover.plugin.types import (
        DateTime,
        Duration,
        Level,
        LocalTime,
        OffsetTime,
        Static,
        TimeZone,
        Typed,
        TypedText,
    )

__all__ = [
    "AnyCondition",
    "AnyTask",
    "AnyTrigger",
    "Body",
    "Branch",
    "BranchKind",
    "ConditionContext",
    "ConditionList",
    "ConditionType",
    "DateTime",
    "Duration",
    "Event",
    "Example",
    "FlowTrigger",
    "FlowableContext",
    "FlowableTask",
    "Forget",
    "InvalidProperties",
    "Lane",
    "Level",
    "LocalTime",
    "MetricDescription",
    "OffsetTime",
    "Output",
    "PluginKind",
    "PluginType",
    "PollingTrigger",
    "PropertyProblem",
    "RealtimeTrigger",
    "Registry",
    "RunContext",
    "RunnableTask",
    "ScheduleConditionType",
    "ScheduleTrigger",
    "Static",
    "TaskFailure",
    "TaskList",
    "TimeZone",
    "TriggerContext",
    "Typed",
    "TypedText",
    "WebhookTrigger",
]

_MODULES = {
    "condition": ("ConditionContext", "ConditionType", "ScheduleConditionType"),
    "context": ("RunContext",),
    "documentation": ("Example", "MetricDescription"),
    "flowable": ("Body", "Branch", "BranchKind", "FlowableContext", "FlowableTask", "Lane"),
    "kind": ("PluginKind",),
    "nesting": ("AnyCondition", "AnyTask", "AnyTrigger", "ConditionList", "TaskList"),
    "problems": ("InvalidProperties", "PropertyProblem"),
    "registry": ("PluginType", "Registry"),
    "task": ("Output", "RunnableTask", "TaskFailure"),
    "trigger": (
        "Event",
        "FlowTrigger",
        "Forget",
        "PollingTrigger",
        "RealtimeTrigger",
        "ScheduleTrigger",
        "TriggerContext",
        "WebhookTrigger",
    ),
    "types": (
        "DateTime",
        "Duration",
        "Level",
        "LocalTime",
        "OffsetTime",
        "Static",
        "TimeZone",
        "Typed",
        "TypedText",
    ),
}
_HOMES = {name: f"windhover.plugin.{module}" for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value: object = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value
