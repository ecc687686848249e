"""Reads tasks, triggers and conditions, of whatever type, into their definitions.

The resolver stands in pydantic's validation context while a flow is read. It does not raise: what is
wrong goes into its report and a stand-in takes the broken part's place, so that one pass finds
everything that is wrong with a flow.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Generic, TypeVar

import msgspec
from pydantic import BaseModel, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from windhover.model.definition import Definition, property_names, scalar_as_text, without_nulls
from windhover.model.execution import JsonValue
from windhover.model.problem import ProblemCode, Severity
from windhover.model.retry import old_properties
from windhover.model.task import Task
from windhover.model.trigger import Condition, Trigger
from windhover.plugin.definition import validate_properties
from windhover.plugin.finding import Finding, findings_of, findings_of_properties, unknown_type
from windhover.plugin.flowable import Fault
from windhover.plugin.kind import PluginKind
from windhover.plugin.problems import InvalidProperties
from windhover.plugin.registry import PluginType, Registry
from windhover.plugin.report import Report
from windhover.plugin.task import TaskDefinition
from windhover.plugin.trigger import TriggerDefinition, TriggerKind
from windhover.plugin.type_names import find_type, is_type_name

PartT = TypeVar("PartT", bound=Definition)

RawMap = dict[str, JsonValue]

#: The lists of tasks that a task takes in from a template.
INCLUDED_LISTS = ("tasks", "errors", "finally")

#: Finds the lists of tasks of a template by its namespace and id; None when there is none.
TemplateLookup = Callable[[str, str], RawMap | None]


#: For how many unknown types of a flow the nearest known one is looked for.
_SUGGESTED_TYPES = 20


class _Role(msgspec.Struct, Generic[PartT], frozen=True):
    """Where a plugin may stand in a flow.

    ``base`` is what all plugins of the role have in common. A plugin whose class is not a ``base`` itself
    is typed after rendering only, and stands in the flow as a ``definition``.
    """

    noun: str
    base: type[PartT]
    definition: type[PartT] | None
    accepts: Callable[[PluginKind], bool]


_TASK: _Role[Task] = _Role("task", Task, TaskDefinition, lambda kind: kind.is_task)
_TRIGGER: _Role[Trigger] = _Role(
    "trigger", Trigger, TriggerDefinition, lambda kind: kind is PluginKind.TRIGGER
)
_CONDITION: _Role[Condition] = _Role("condition", Condition, None, lambda kind: kind is PluginKind.CONDITION)


class ReadPart(msgspec.Struct, Generic[PartT], frozen=True):
    """A task or trigger as it was written and as it was read; ``plugin`` is None for an unknown type."""

    raw: RawMap
    part: PartT
    plugin: PluginType | None

    @property
    def id(self) -> str:
        return str(getattr(self.part, "id", ""))


def takes_in_itself(namespace: str, template_id: str) -> str:
    """The words for a template that would never end."""
    return f"The template '{template_id}' of namespace '{namespace}' takes in itself"


class PluginResolver:
    """Reads the plugins of one flow; ``tasks`` and ``triggers`` hold what it has read, parents first."""

    def __init__(
        self, registry: Registry, report: Report, find_template: TemplateLookup | None = None
    ) -> None:
        """``find_template`` is None where nothing is known of templates."""
        self._registry = registry
        self._report = report
        self._find_template = find_template
        #: The templates that are being taken in, the outermost first.
        self._including: list[tuple[str, str]] = []
        self._context: dict[str, Any] = {"resolver": self}
        self._stand_ins: set[int] = set()
        self._kept: list[Definition] = []
        self._tasks: list[ReadPart[Task] | None] = []
        self._triggers: list[ReadPart[Trigger]] = []
        self._suggestions: dict[str, str | None] = {}

    @property
    def context(self) -> dict[str, Any]:
        """The validation context for whatever holds plugins."""
        return self._context

    @property
    def tasks(self) -> tuple[ReadPart[Task], ...]:
        """All tasks at every depth, in the order in which they are written."""
        return tuple(task for task in self._tasks if task is not None)

    @property
    def triggers(self) -> tuple[ReadPart[Trigger], ...]:
        """All triggers, in the order in which they are written."""
        return tuple(self._triggers)

    def parse_task(self, raw: object, info: ValidationInfo | None = None) -> Task:
        """Read one task; a flow-control task with all that is in it."""
        written = _as_map(raw)
        place = len(self._tasks)
        self._tasks.append(None)
        self._report.own(written)
        task, plugin = self._read(written, _TASK)
        self._tasks[place] = ReadPart(written, task, plugin)
        if not any(id(child) in self._stand_ins for child in task.nested()):
            self._check(task, written)
        return task

    def parse_trigger(self, raw: object, info: ValidationInfo | None = None) -> Trigger:
        """Read one trigger with its conditions."""
        written = _as_map(raw)
        trigger, plugin = self._read(written, _TRIGGER)
        self._triggers.append(ReadPart(written, trigger, plugin))
        self._check(trigger, written)
        return trigger

    def parse_condition(self, raw: object, info: ValidationInfo | None = None) -> Condition:
        """Read one condition with those in it."""
        written = _as_map(raw)
        condition, _ = self._read(written, _CONDITION)
        self._check(condition, written)
        return condition

    def _read(self, raw: RawMap, role: _Role[PartT]) -> tuple[PartT, PluginType | None]:
        plugin = self._find(raw, role)
        if plugin is None:
            self._check_common(raw, role)
            return self._stand_in(role, raw), None
        if getattr(plugin.cls, "includes_template", False):
            return self._read_including(raw, plugin.cls, role), plugin
        if issubclass(plugin.cls, role.base):
            return self._read_definition(raw, plugin.cls, role), plugin
        return self._read_properties(raw, plugin.cls, role), plugin

    def _find(self, raw: RawMap, role: _Role[PartT]) -> PluginType | None:
        name = raw.get("type")
        if not isinstance(name, str) or not name:
            self._report.add(raw, unknown_type(("type",) if name is not None else (), None, absent="<null>"))
            return None
        plugin = find_type(self._registry, name)
        if plugin is not None and role.accepts(plugin.kind):
            self._tell_age(raw, plugin)
            return plugin
        if plugin is not None:
            message = (
                f"Invalid type: {name} is not a {role.noun} but a {plugin.kind.lower().replace('_', ' ')}"
            )
            self._report.add(raw, Finding(("type",), message, ProblemCode.UNKNOWN_TYPE, named=False))
        else:
            self._report.add(raw, unknown_type(("type",), name, self._suggest(name)))
        return None

    def _suggest(self, name: str) -> str | None:
        """The type that was probably meant; the search is dear, so it is made for a few names only."""
        if name not in self._suggestions and len(self._suggestions) < _SUGGESTED_TYPES:
            self._suggestions[name] = self._registry.suggest(name) if is_type_name(name) else None
        return self._suggestions.get(name)

    def _tell_age(self, raw: RawMap, plugin: PluginType) -> None:
        if plugin.is_alias:
            message = f"{plugin.requested} is replaced by {plugin.type_name}"
            finding = Finding(("type",), message, ProblemCode.ALIAS, suggestion=plugin.type_name)
            self._report.add(raw, finding, Severity.INFO)
        if plugin.deprecated:
            self._deprecate(raw, (), f"{plugin.type_name} is deprecated")
        for name in _deprecated_properties(plugin.cls):
            if name in raw:
                self._deprecate(raw, (name,), f"`{name}` is deprecated")
        for old, today in old_properties(raw.get("retry")):
            self._deprecate(raw, ("retry", old), f"`{old}` is replaced by {today}")

    def _deprecate(self, raw: RawMap, location: tuple[str, ...], message: str) -> None:
        self._report.add(raw, Finding(location, message, ProblemCode.DEPRECATED), Severity.DEPRECATION)

    def _read_definition(self, raw: RawMap, cls: type[BaseModel], role: _Role[PartT]) -> PartT:
        try:
            return cls.model_validate(raw, context=self._context)  # type: ignore[return-value]
        except ValidationError as error:
            self._report.add_all(raw, findings_of(error, raw, cls))
            return self._stand_in(role, raw)

    def _read_including(self, raw: RawMap, cls: type[BaseModel], role: _Role[PartT]) -> PartT:
        """Read a task that runs the tasks of a template, as if they were written in it."""
        name = (_text(raw.get("namespace")), _text(raw.get("templateId")))
        for written in INCLUDED_LISTS:
            if raw.get(written) is not None:
                message = f"`{written}` are those of the template and cannot be written here"
                finding = Finding((written,), message, ProblemCode.UNKNOWN_PROPERTY, named=False)
                self._report.add(raw, finding)
        if name in self._including:
            message = takes_in_itself(*name)
            self._report.add(raw, Finding((), message, ProblemCode.FLOW_RULE, named=False))
            return self._stand_in(role, raw)
        lists = self._find_template(*name) if self._find_template is not None else {}
        if lists is None:
            message = f"The template '{name[1]}' not found in namespace '{name[0]}'."
            self._report.add(
                raw, Finding(("templateId",), message, ProblemCode.INVALID_VALUE), Severity.WARNING
            )
            lists = {}
        completed = {**raw, **lists}
        self._report.stand_in(raw, completed)
        self._including.append(name)
        try:
            return self._read_definition(completed, cls, role)
        finally:
            self._including.pop()

    def _read_properties(self, raw: RawMap, cls: type[BaseModel], role: _Role[PartT]) -> PartT:
        if role.definition is None:
            raise TypeError(f"{cls.__qualname__} is no {role.noun}: it must be a {role.base.__name__}")
        common_names, own_names = property_names(role.base), property_names(cls)
        common = {key: value for key, value in raw.items() if key in common_names}
        own = {key: value for key, value in raw.items() if key in own_names or key not in common_names}
        properties: dict[str, JsonValue] = {}
        try:
            properties = validate_properties(cls, without_nulls(own, cls), context=self._context)
        except InvalidProperties as error:
            self._report.add_all(raw, findings_of_properties(error, common_names | own_names))
        values = {**common, "plugin": cls, "properties": properties}
        try:
            return role.definition.model_validate(values, context=self._context)
        except ValidationError as error:
            self._report.add_all(raw, findings_of(error, raw, role.base))
            return role.definition.model_construct(
                id=_text(raw.get("id")), type=_text(raw.get("type")), plugin=cls, properties=properties
            )

    def _check_common(self, raw: RawMap, role: _Role[PartT]) -> None:
        """Of a plugin of unknown type the properties that all have can still be checked."""
        names = property_names(role.base)
        common = {
            "type": "unknown",
            **{key: value for key, value in raw.items() if key in names and key != "type"},
        }
        common.pop("conditions", None)
        conditions = raw.get("conditions")
        for condition in conditions if isinstance(conditions, list) else ():
            if isinstance(condition, dict):
                self.parse_condition(condition)
        try:
            role.base.model_validate(common)
        except ValidationError as error:
            self._report.add_all(raw, findings_of(error, common, role.base))

    def _stand_in(self, role: _Role[PartT], raw: RawMap) -> PartT:
        part = role.base.model_construct(id=_text(raw.get("id")), type=_text(raw.get("type")))
        self._stand_ins.add(id(part))
        self._kept.append(part)
        return part

    def _check(self, part: Definition, raw: RawMap) -> None:
        """Apply the rules that the class itself has."""
        check: Callable[[], Iterator[Fault]] | None = getattr(part, "check", None)
        if check is None or id(part) in self._stand_ins:
            return
        for fault in check():
            location = (fault.property,) if fault.property else ()
            self._report.add(raw, Finding(location, fault.message, ProblemCode.INVALID_VALUE))


def is_open_to_all(part: ReadPart[Trigger]) -> bool:
    """A Flow trigger that nothing narrows down: every execution on the server fires it."""
    kind = getattr(part.part, "trigger_kind", None)
    narrowing = ("conditions", "preconditions", "multipleConditions", "dependsOn", "when")
    return kind is TriggerKind.FLOW and not any(part.raw.get(name) for name in narrowing)


@cache
def _deprecated_properties(cls: type[BaseModel]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in cls.model_fields.items() if field.deprecated)


def _as_map(raw: object) -> RawMap:
    """The map of a part; pydantic, which called for it, knows where anything else stands."""
    if isinstance(raw, dict):
        return raw
    raise PydanticCustomError("not_a_map", "a map with a `type` is expected")


def _text(value: JsonValue) -> str:
    text = scalar_as_text(value)
    return text if isinstance(text, str) else ""
