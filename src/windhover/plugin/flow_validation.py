"""The rules that a flow obeys as a whole, in the order in which the REST API lists what breaks them.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

import msgspec

from windhover.model.definition import scalar_as_text
from windhover.model.execution import JsonValue
from windhover.model.labels import READ_ONLY, SYSTEM_PREFIX
from windhover.model.task import Task
from windhover.model.trigger import Trigger
from windhover.model.yaml.positions import PropertyPath
from windhover.plugin.kind import PluginKind
from windhover.plugin.resolver import ReadPart

#: Names that stand where a flow's id does in paths of the REST API.
RESERVED_FLOW_IDS = (
    "pause",
    "resume",
    "force-run",
    "change-status",
    "kill",
    "executions",
    "search",
    "source",
    "disable",
    "enable",
)

#: How many cycles between inputs are told, and how much of each.
_MOST_CYCLES = 20

RawMap = dict[str, JsonValue]


class Violation(msgspec.Struct, frozen=True):
    """A rule that is broken, and where: ``location`` counts from ``part``, or from the root."""

    message: str
    part: RawMap | None
    location: PropertyPath = ()


class FlowParts(msgspec.Struct, frozen=True):
    """What the rules look at. Everything but tasks and triggers is looked at as it was written."""

    raw: RawMap
    tasks: Sequence[ReadPart[Task]]
    triggers: Sequence[ReadPart[Trigger]]

    def maps(self, name: str) -> list[RawMap]:
        """The maps in a list of the flow; broken entries are told of elsewhere."""
        value = self.raw.get(name)
        return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def violations(parts: FlowParts) -> Iterator[Violation]:
    """All rules that the flow breaks."""
    yield from _reserved_id(parts)
    yield from _duplicates("task id", [(task.id, task.raw, ("id",)) for task in parts.tasks])
    yield from _duplicates("trigger id", [(trigger.id, trigger.raw, ("id",)) for trigger in parts.triggers])
    yield from _recursion(parts)
    yield from _assets(parts)
    inputs = list(_inputs(parts.maps("inputs")))
    yield from _duplicates("input", [(name, raw, ("id",)) for name, raw in inputs])
    yield from _dependencies(inputs)
    outputs = [(_text(raw.get("id")), raw, ("id",)) for raw in parts.maps("outputs")]
    yield from _duplicates("output", outputs)
    yield from _preconditions(parts)
    yield from _system_labels(parts)
    yield from _dotted_inputs(parts, inputs)
    yield from _dotted_outputs(parts)


def _reserved_id(parts: FlowParts) -> Iterator[Violation]:
    flow_id = parts.raw.get("id")
    if flow_id in RESERVED_FLOW_IDS:
        reserved = ", ".join(RESERVED_FLOW_IDS)
        message = f"Flow id is a reserved keyword: {flow_id}. List of reserved keywords: {reserved}"
        yield Violation(message, None, ("id",))


def _duplicates(noun: str, named: Iterable[tuple[str, RawMap, PropertyPath]]) -> Iterator[Violation]:
    seen: set[str] = set()
    repeated: dict[str, tuple[RawMap, PropertyPath]] = {}
    for name, raw, location in named:
        if name and name in seen:
            repeated.setdefault(name, (raw, location))
        seen.add(name)
    if repeated:
        raw, location = next(iter(repeated.values()))
        yield Violation(f"Duplicate {noun} with name [{', '.join(repeated)}]", raw, location)


def _recursion(parts: FlowParts) -> Iterator[Violation]:
    flow_id, namespace = parts.raw.get("id"), parts.raw.get("namespace")
    for task in parts.tasks:
        starts_flows = task.plugin is not None and task.plugin.kind in (
            PluginKind.EXECUTABLE,
            PluginKind.FLOWABLE,
        )
        target = (task.raw.get("namespace"), task.raw.get("flowId"))
        if starts_flows and flow_id is not None and target == (namespace, flow_id):
            yield Violation(f"Recursive call to flow [{namespace}.{flow_id}]", task.raw, ("flowId",))
            return


def _assets(parts: FlowParts) -> Iterator[Violation]:
    for task in parts.tasks:
        if task.raw.get("assets") is not None:
            message = (
                f"Task '{task.id}' can't have any `assets` because assets are only available in Enterprise "
                "Edition. Leave them out: this server keeps no lineage of data"
            )
            yield Violation(message, task.raw, ("assets",))


def _inputs(maps: Iterable[RawMap], prefix: str = "") -> Iterator[tuple[str, RawMap]]:
    """All inputs with their names; those in a form are named after it (``form.child``)."""
    for raw in maps:
        name = prefix + (_text(raw.get("id")) or _text(raw.get("name")))
        yield name, raw
        members = raw.get("inputs")
        if raw.get("type") == "FORM" and isinstance(members, list):
            yield from _inputs((entry for entry in members if isinstance(entry, dict)), f"{name}.")


def _dependencies(inputs: Sequence[tuple[str, RawMap]]) -> Iterator[Violation]:
    depends_on = {name: _depended_on(raw) for name, raw in inputs}
    for name, raw in inputs:
        for index, other in enumerate(_depended_on(raw)):
            if other not in depends_on:
                message = f"Input with id '{name}' depends on a non-existent input '{other}'."
                yield Violation(message, raw, ("dependsOn", "inputs", index))
    yield from _cycles(dict(inputs), depends_on)


def _cycles(raw_of: Mapping[str, RawMap], depends_on: Mapping[str, Sequence[str]]) -> Iterator[Violation]:
    """For each input on a cycle the way back to itself, in the order of dependence."""
    graph = dict(depends_on)
    for _ in range(_MOST_CYCLES):
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            cycle = error.args[1][:0:-1]
        else:
            return
        members = frozenset(cycle)
        for name in [name for name in raw_of if name in members][:_MOST_CYCLES]:
            start = cycle.index(name)
            way = ", ".join([*cycle[start:], *cycle[:start]][:_MOST_CYCLES])
            message = f"Cycle dependency detected for input with id '{name}': [{way}]"
            yield Violation(message, raw_of[name], ("dependsOn",))
        graph = {name: others for name, others in graph.items() if name not in members}


def _depended_on(raw: RawMap) -> list[str]:
    depends_on = raw.get("dependsOn")
    names = depends_on.get("inputs") if isinstance(depends_on, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _preconditions(parts: FlowParts) -> Iterator[Violation]:
    named = []
    for trigger in parts.triggers:
        preconditions = trigger.raw.get("preconditions")
        if isinstance(preconditions, dict):
            named.append((_text(preconditions.get("id")), trigger.raw, ("preconditions", "id")))
    for violation in _duplicates("preconditions", named):
        message = violation.message.replace("with name", "with id")
        yield Violation(message, violation.part, violation.location)


def _system_labels(parts: FlowParts) -> Iterator[Violation]:
    yield from _system_labels_of(parts.raw, None, allowed=frozenset({READ_ONLY}))
    for trigger in parts.triggers:
        yield from _system_labels_of(trigger.raw, trigger.raw)


def _system_labels_of(
    raw: RawMap, part: RawMap | None, allowed: frozenset[str] = frozenset()
) -> Iterator[Violation]:
    """The labels written in a part that only the server may set."""
    labels = raw.get("labels")
    written: list[tuple[object, object, PropertyPath]] = []
    if isinstance(labels, dict):
        written = [(key, value, ("labels", key)) for key, value in labels.items()]
    elif isinstance(labels, list):
        entries = [(index, entry) for index, entry in enumerate(labels) if isinstance(entry, dict)]
        written = [(entry.get("key"), entry.get("value"), ("labels", i, "key")) for i, entry in entries]
    for key, value, location in written:
        if isinstance(key, str) and key.startswith(SYSTEM_PREFIX) and key not in allowed:
            message = f"System labels can only be set by Kestra itself, offending label: {key}={value}"
            yield Violation(message, part, location)


def _dotted_inputs(parts: FlowParts, inputs: Sequence[tuple[str, RawMap]]) -> Iterator[Violation]:
    dashed = _Dashed("inputs", [name for name, _ in inputs])
    offending = [task for task in parts.tasks if dashed.is_dotted_in(task.raw)]
    if offending:
        yield _bad_reference("input", "inputs", "tasks", [task.id for task in offending], offending[0].raw)


def _dotted_outputs(parts: FlowParts) -> Iterator[Violation]:
    dashed = _Dashed("outputs", [task.id for task in parts.tasks])
    tasks = [task for task in parts.tasks if dashed.is_dotted_in(task.raw)]
    if tasks:
        yield _bad_reference("output", "outputs", "tasks", [task.id for task in tasks], tasks[0].raw)
    outputs = [output for output in parts.maps("outputs") if dashed.is_dotted_in(output)]
    if outputs:
        names = [_text(output.get("id")) for output in outputs]
        yield _bad_reference("output", "outputs", "outputs", names, outputs[0])


def _bad_reference(noun: str, root: str, where: str, names: Sequence[str], part: RawMap) -> Violation:
    message = (
        f"Invalid {noun} reference: use {root}[key-name] instead of {root}.key-name — "
        f"keys with dashes require bracket notation, offending {where}: [{', '.join(names)}]"
    )
    return Violation(message, part)


class _Dashed:
    """Names with a dash, which ``{{ root.a-name }}`` does not reach: it reads as a subtraction."""

    def __init__(self, root: str, names: Iterable[str]) -> None:
        self._names = frozenset(name for name in names if "-" in name)
        self._reference = re.compile(rf"\b{root}\.([\w.-]+)")

    def is_dotted_in(self, value: JsonValue, *, nested: bool = False) -> bool:
        """Some expression in the part refers to such a name; tasks inside it are parts of their own."""
        if not self._names:
            return False
        if isinstance(value, str):
            return any(self._is_dotted(expression) for expression in _expressions(value))
        if isinstance(value, list):
            return any(self.is_dotted_in(item, nested=True) for item in value)
        if isinstance(value, dict):
            is_task = nested and "id" in value and "type" in value
            return not is_task and any(self.is_dotted_in(member, nested=True) for member in value.values())
        return False

    def _is_dotted(self, expression: str) -> bool:
        for found in self._reference.finditer(expression):
            name = ""
            for part in found[1].split("."):
                name = f"{name}.{part}" if name else part
                if len(name) > _LONGEST_ID:
                    break
                if name in self._names:
                    return True
        return False


#: No id is longer than this.
_LONGEST_ID = 256


def _expressions(text: str) -> Iterator[str]:
    start = text.find("{{")
    while start >= 0:
        end = text.find("}}", start)
        if end < 0:
            return
        yield text[start:end]
        start = text.find("{{", end)


def _text(value: JsonValue) -> str:
    text = scalar_as_text(value)
    return text if isinstance(text, str) else ""
