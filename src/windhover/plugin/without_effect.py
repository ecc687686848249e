"""Properties that a flow may have, and that change nothing: their author is told when the flow is checked.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from windhover.model.execution import JsonValue
from windhover.plugin.flow_validation import FlowParts
from windhover.plugin.kind import PluginKind

RawMap = dict[str, JsonValue]

_ONE_POOL = "every worker takes every task. Leave it out"
_NO_POLICIES = "this server knows no policies. Leave it out"
_NO_LINEAGE = "this server keeps no lineage of data. Leave it out"
_INSTALLED = "the version that is installed runs. Leave it out"

_OF_FLOWS: Mapping[str, str] = {
    "workerGroup": _ONE_POOL,
    "workerSelector": _ONE_POOL,
    "quotas": "executions are not counted over time. How many run at once is limited by `concurrency`",
    "policyRefs": _NO_POLICIES,
    "draft": "a revision runs from the moment it is saved. `disabled: true` keeps the flow from running",
}
_OF_TASKS: Mapping[str, str] = {
    "workerGroup": _ONE_POOL,
    "workerSelector": _ONE_POOL,
    "version": _INSTALLED,
    "policyRefs": _NO_POLICIES,
    "pluginDefaultsRef": "defaults are found by the type of the task. Put them into `pluginDefaults`",
}
_OF_TRIGGERS: Mapping[str, str] = {
    "workerGroup": _ONE_POOL,
    "workerSelector": _ONE_POOL,
    "version": _INSTALLED,
    "policyRefs": _NO_POLICIES,
    "assets": _NO_LINEAGE,
}

#: What workers alone look at: of no use to tasks that the executor carries out itself.
_FOR_WORKERS = ("taskCache", "workerGroup", "workerSelector", "logToFile")
#: Tasks of this kind are over in the moment in which they begin.
_FOR_TASKS_THAT_TAKE_TIME = ("timeout", *_FOR_WORKERS)


class Idle(msgspec.Struct, frozen=True):
    """A property of ``part``, the whole flow or a task or trigger in it, that changes nothing."""

    part: RawMap
    property: str
    message: str


def properties_without_effect(parts: FlowParts) -> Iterator[Idle]:
    """What is written in a flow and changes nothing."""
    yield from _idle(parts.raw, "flow", _OF_FLOWS)
    for task in parts.tasks:
        if task.plugin is None:
            continue
        irrelevant = _irrelevant(task.plugin.kind)
        for name in irrelevant:
            if _is_given(task.raw.get(name)):
                message = (
                    f"The task '{task.id}' cannot use the '{name}' property as it's only relevant for "
                    "runnable tasks."
                )
                yield Idle(task.raw, name, message)
        others = {name: reason for name, reason in _OF_TASKS.items() if name not in irrelevant}
        yield from _idle(task.raw, f"task '{task.id}'", others)
    for trigger in parts.triggers:
        yield from _idle(trigger.raw, f"trigger '{trigger.id}'", _OF_TRIGGERS)


def _irrelevant(kind: PluginKind) -> tuple[str, ...]:
    if kind is PluginKind.RUNNABLE:
        return ()
    return _FOR_TASKS_THAT_TAKE_TIME if kind is PluginKind.EXECUTION_UPDATE else _FOR_WORKERS


def _idle(part: RawMap, owner: str, reasons: Mapping[str, str]) -> Iterator[Idle]:
    for name, reason in reasons.items():
        if _is_given(part.get(name)):
            yield Idle(part, name, f"The `{name}` of the {owner} has no effect: {reason}.")


def _is_given(value: JsonValue) -> bool:
    """A property that is switched off, or empty, asks for nothing."""
    return value not in (None, False, [], {})
