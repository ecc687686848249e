"""Reads a flow from the map that its text stands for, in one pass that finds everything that is wrong.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec
from pydantic import ValidationError

from windhover.model.definition import scalar_as_text
from windhover.model.execution import JsonValue
from windhover.model.flow import TASK_LISTS, Flow
from windhover.model.plugin_default import PluginDefault
from windhover.model.problem import Problem, ProblemCode, Severity
from windhover.model.retry import old_properties
from windhover.model.task import Task
from windhover.model.trigger import Condition, Trigger
from windhover.model.yaml.positions import Positions, PropertyPath, format_path
from windhover.plugin.finding import Finding, findings_of, not_a_map
from windhover.plugin.flow_validation import FlowParts, violations
from windhover.plugin.kind import PluginKind
from windhover.plugin.plugin_defaults import (
    DECLARED_IN,
    PluginDefaultsTooLarge,
    apply_plugin_defaults,
    known_properties,
)
from windhover.plugin.registry import Registry
from windhover.plugin.report import Report
from windhover.plugin.resolver import INCLUDED_LISTS, PluginResolver, is_open_to_all
from windhover.plugin.type_names import find_type
from windhover.plugin.without_effect import properties_without_effect

RawMap = dict[str, JsonValue]

#: Old names of input types, with the current ones.
_OLD_INPUT_TYPES = {"ENUM": "SELECT", "BOOLEAN": "BOOL"}
#: Old properties of inputs, with what has taken their place.
_OLD_INPUT_PROPERTIES = {
    "name": "`id`",
    "options": "`values`",
    "extension": "`allowedFileExtensions`",
}


class SubflowReference(msgspec.Struct, frozen=True):
    """A task that starts executions of another flow, both named by constants.

    Whether that flow exists is for the server to find out.
    """

    task_id: str
    namespace: str
    flow_id: str
    revision: int | None
    path: str
    line: int
    column: int

    def missing(self) -> Problem:
        """The warning for a flow that does not exist."""
        revision = "" if self.revision is None else f" in revision {self.revision}"
        return Problem(
            f"The subflow '{self.flow_id}' not found in namespace '{self.namespace}'{revision}.",
            ProblemCode.INVALID_VALUE,
            path=self.path,
            line=self.line,
            column=self.column,
            severity=Severity.WARNING,
        )


class Surroundings(Protocol):
    """What a flow takes from outside its text."""

    def plugin_defaults(self, namespace: str) -> Sequence[Sequence[PluginDefault]]:
        """The defaults that hold for flows of a namespace, from the innermost level to the outermost."""

    def template(self, namespace: str, template_id: str) -> Mapping[str, JsonValue] | None:
        """A template as it is written; None when there is none."""


class FlowReader:
    """Reads one flow; what is wrong with it is in ``report`` afterwards."""

    def __init__(
        self,
        written: RawMap,
        positions: Positions,
        registry: Registry,
        outer_defaults: Sequence[Sequence[PluginDefault]],
        surroundings: Surroundings | None = None,
    ) -> None:
        self._written = written
        self._positions = positions
        self._registry = registry
        self._surroundings = surroundings
        self._defaults = [_declared_defaults(written), *outer_defaults]
        self._raw, too_large = _with_defaults(written, self._defaults, registry)
        self.report = Report(self._raw, positions)
        if too_large is not None:
            self.report.add_at(("pluginDefaults",), too_large)
        find_template = None if surroundings is None else self._template
        self._resolver = PluginResolver(registry, self.report, find_template)
        #: The flow without the parts that are wrong, when it cannot be made as a whole.
        self.partial: Flow | None = None

    def read(self) -> Flow | None:
        """The flow, or None when it cannot be made."""
        values = dict(self._raw)
        values.pop("source", None)
        for name in TASK_LISTS:
            values[name] = self._read_list((name,), values.get(name), self._resolver.parse_task)
        if values["tasks"] == () and self._raw["tasks"]:
            values["tasks"] = (_BROKEN,)
        values["listeners"] = self._read_listeners(values.get("listeners"))
        values["triggers"] = self._read_list(
            ("triggers",), values.get("triggers"), self._resolver.parse_trigger
        )
        flow = self._validate(values)
        self._check_rules()
        self._check_plugin_defaults()
        self._tell_deprecated()
        self._tell_open_triggers()
        self._tell_without_effect()
        return flow

    def subflows(self) -> Iterator[SubflowReference]:
        """The flows that tasks start, where the names are constants."""
        for task in self._resolver.tasks:
            if task.plugin is None or task.plugin.kind not in (PluginKind.EXECUTABLE, PluginKind.FLOWABLE):
                continue
            namespace, flow_id, revision = (
                task.raw.get(name) for name in ("namespace", "flowId", "revision")
            )
            if isinstance(namespace, str) and isinstance(flow_id, str) and "{" not in namespace + flow_id:
                path = (*self.report.path_of(task.raw), "flowId")
                line, column = self._positions.value(path)
                known = revision if isinstance(revision, int) else None
                task_id = str(scalar_as_text(task.raw.get("id")))
                yield SubflowReference(task_id, namespace, flow_id, known, format_path(path), line, column)

    def _template(self, namespace: str, template_id: str) -> RawMap | None:
        """The lists of tasks of a template, with the defaults of this flow; None when there is none."""
        if self._surroundings is None:
            return None
        template = self._surroundings.template(namespace, template_id)
        if template is None:
            return None
        lists = {name: template[name] for name in INCLUDED_LISTS if template.get(name) is not None}
        completed, _ = _with_defaults(lists, self._defaults, self._registry)
        return completed

    def _read_list(
        self, path: PropertyPath, value: JsonValue, read: Callable[[RawMap], Task | Trigger | Condition]
    ) -> JsonValue:
        """The parts in a list; what is no list is left for the flow's own validation to refuse."""
        if not isinstance(value, list):
            return value
        parts = []
        for index, raw in enumerate(value):
            if isinstance(raw, dict):
                parts.append(read(raw))
            else:
                self.report.add_at((*path, index), not_a_map((), raw))
        return tuple(parts)

    def _read_listeners(self, value: JsonValue) -> JsonValue:
        if not isinstance(value, list):
            return value
        return [
            self._read_listener(("listeners", index), raw) if isinstance(raw, dict) else raw
            for index, raw in enumerate(value)
        ]

    def _read_listener(self, path: PropertyPath, raw: RawMap) -> RawMap:
        tasks = self._read_list((*path, "tasks"), raw.get("tasks"), self._resolver.parse_task)
        conditions = self._read_list(
            (*path, "conditions"), raw.get("conditions"), self._resolver.parse_condition
        )
        return {**raw, "tasks": tasks, "conditions": conditions}

    def _validate(self, values: RawMap) -> Flow | None:
        for raw in _maps(self._raw.get("inputs")):
            self.report.own(raw)
            for member in _maps(raw.get("inputs")):
                self.report.own(member)
        try:
            return Flow.model_validate(values, context={**self._resolver.context, "written": self._written})
        except ValidationError as error:
            self.report.add_all(self._raw, findings_of(error, values, Flow))
            self.partial = self._validate_rest(
                values, {found["loc"][0] for found in error.errors() if found["loc"]}
            )
            return None

    def _validate_rest(self, values: RawMap, wrong: set[int | str]) -> Flow | None:
        """The flow without the properties that are wrong, for what is to be said of the others."""
        rest: RawMap = {"id": "unnamed", "namespace": "unnamed"}
        rest.update((name, value) for name, value in values.items() if name not in wrong)
        try:
            return Flow.model_validate(rest, context={**self._resolver.context, "written": self._written})
        except ValidationError:
            return None

    def _parts(self) -> FlowParts:
        return FlowParts(self._raw, self._resolver.tasks, self._resolver.triggers)

    def _check_rules(self) -> None:
        for violation in violations(self._parts()):
            part = self._raw if violation.part is None else violation.part
            finding = Finding(violation.location, violation.message, ProblemCode.FLOW_RULE, named=False)
            self.report.add(part, finding)

    def _check_plugin_defaults(self) -> None:
        for name in DECLARED_IN:
            for index, entry in _indexed_maps(self._written.get(name)):
                type_name, values = entry.get("type"), entry.get("values")
                plugin = find_type(self._registry, type_name)
                if plugin is None or not isinstance(values, dict):
                    continue
                known = known_properties(plugin)
                unknown = [key for key in values if key not in known]
                if unknown:
                    missing = ", ".join(
                        f"No property '{key}' exists in plugin '{type_name}'" for key in unknown
                    )
                    finding = Finding(
                        (),
                        f"Invalid Plugin Default: {missing}",
                        ProblemCode.PLUGIN_DEFAULT,
                    )
                    self.report.add_at((name, index), finding)

    def _tell_deprecated(self) -> None:
        for name, successor in (("taskDefaults", "pluginDefaults"), ("listeners", "a Flow trigger")):
            if self._written.get(name) is not None:
                self._deprecate((name,), f"`{name}` is replaced by {successor}")
        for property, successor in old_properties(self._written.get("retry")):
            self._deprecate(("retry", property), f"`{property}` is replaced by {successor}")
        for index, entry in _indexed_maps(self._written.get("inputs")):
            for property, successor in _OLD_INPUT_PROPERTIES.items():
                if entry.get(property) is not None:
                    self._deprecate(("inputs", index, property), f"`{property}` is replaced by {successor}")
            old = entry.get("type")
            if isinstance(old, str) and (current := _OLD_INPUT_TYPES.get(old)) is not None:
                self._deprecate(("inputs", index), f"{old} is replaced by {current}")

    def _deprecate(self, path: PropertyPath, message: str) -> None:
        finding = Finding((), message, ProblemCode.DEPRECATED)
        self.report.add_at(path, finding, Severity.DEPRECATION)

    def _tell_open_triggers(self) -> None:
        for trigger in self._resolver.triggers:
            if is_open_to_all(trigger):
                message = (
                    "This flow will be triggered for EVERY execution of EVERY flow on your instance. "
                    f"We recommend adding the preconditions property to the Flow trigger '{trigger.id}'."
                )
                finding = Finding((), message, ProblemCode.INVALID_VALUE)
                self.report.add(trigger.raw, finding, Severity.WARNING)

    def _tell_without_effect(self) -> None:
        for idle in properties_without_effect(self._parts()):
            # What a plugin default gives is meant for all types that can use it.
            if self._positions.is_written((*self.report.path_of(idle.part), idle.property)):
                finding = Finding((idle.property,), idle.message, ProblemCode.NO_EFFECT, named=False)
                self.report.add(idle.part, finding, Severity.WARNING)


#: Keeps a list of tasks that are all broken from being called empty.
_BROKEN = Task.model_construct(id="", type="")


def _with_defaults(
    written: RawMap, levels: Sequence[Sequence[PluginDefault]], registry: Registry
) -> tuple[RawMap, Finding | None]:
    try:
        return apply_plugin_defaults(written, levels, registry), None
    except PluginDefaultsTooLarge as error:
        return written, Finding((), str(error), ProblemCode.PLUGIN_DEFAULT)


def _declared_defaults(written: RawMap) -> list[PluginDefault]:
    """The flow's own plugin defaults; broken ones are told of when the flow is validated."""
    declared = []
    for name in DECLARED_IN:
        for entry in _maps(written.get(name)):
            try:
                declared.append(PluginDefault.model_validate(entry))
            except ValidationError:
                continue
    return declared


def _maps(value: JsonValue) -> list[RawMap]:
    return [entry for _, entry in _indexed_maps(value)]


def _indexed_maps(value: JsonValue) -> list[tuple[int, RawMap]]:
    """The maps in a list with their places; what is no map is told of when the flow is validated."""
    entries = enumerate(value) if isinstance(value, list) else ()
    return [(index, entry) for index, entry in entries if isinstance(entry, dict)]
