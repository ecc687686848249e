"""Looks at every expression of a flow before it runs: wrong syntax, and names that cannot exist.

What it finds are warnings: a flow with a wrong expression is a flow all the same, and may never come to the
expression. So a name is told of only where it is certain that nothing will have it. Only templates in the
conditions of triggers that can never be rendered are errors: nobody would see that the trigger does not fire.

Documentation page: ``docs/expressions.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from windhover.engine.flow_names import (
    VARIABLES,
    FlowNames,
    RootPlace,
)
from windhover.engine.input_check import input_problems
from windhover.expression import (
    ExpressionError,
    Template,
    TemplateSyntaxError,
    compile_template,
    has_expression,
)
from windhover.expression.nodes import Position as TemplatePosition
from windhover.expression.references import Reference, Subtraction, UnknownName, references
from windhover.expression.registry import Kind
from windhover.model.definition import property_names, scalar_as_text
from windhover.model.execution import JsonValue
from windhover.model.flow import TASK_LISTS
from windhover.model.problem import Problem, ProblemCode, Severity
from windhover.model.task import Task
from windhover.model.yaml.positions import PropertyPath, format_path
from windhover.model.yaml.scalar_positions import DocumentText
from windhover.plugin.definition import static_properties
from windhover.plugin.parsing import FlowRefused, ParsedFlow
from windhover.plugin.task import RunnableTask, TaskDefinition
from windhover.plugin.trigger import TriggerKind
from windhover.util.nearest import nearest

#: The codes of what is found here.
CODES = (ProblemCode.EXPRESSION_SYNTAX, ProblemCode.EXPRESSION_NAME)

#: More warnings than this would help nobody.
MOST_WARNINGS = 200

#: Properties that all tasks have and that are rendered.
_RENDERED_OF_ALL = frozenset({"runIf", "timeout"})

#: Properties of inputs that are rendered, and of the map ``dependsOn`` in them.
_RENDERED_OF_INPUTS = frozenset({"defaults", "expression", "prefill", "dependsOn", "condition"})

#: Properties of triggers that decide whether they fire.
_DECIDING = frozenset({"when", "conditions", "scheduleConditions", "preconditions", "dependsOn"})

_KIND_WORDS = {Kind.FILTER: "Filter", Kind.FUNCTION: "Function or Macro", Kind.TEST: "Test"}


def read_with_expressions(read: Callable[[], ParsedFlow]) -> ParsedFlow:
    """A flow as ``read`` gives it, with what its expressions have wrong among the warnings.

    Raises:
        FlowInvalid: with everything that is wrong.
    """
    try:
        parsed = read()
    except FlowRefused as refused:
        found = expression_problems(refused.partial)
        raise FlowRefused(
            (*refused.problems, *_errors(found)),
            (*refused.notes, *_warnings(found)),
            namespace=refused.namespace,
            flow_id=refused.flow_id,
            partial=refused.partial,
        ) from None
    found = (*expression_problems(parsed), *input_problems(parsed))
    if errors := _errors(found):
        notes = (*parsed.warnings, *parsed.deprecations, *parsed.infos, *_warnings(found))
        flow = parsed.flow
        raise FlowRefused(errors, notes, namespace=flow.namespace, flow_id=flow.id, partial=parsed)
    return msgspec.structs.replace(parsed, warnings=(*parsed.warnings, *found))


def _errors(problems: Iterable[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity is Severity.ERROR]


def _warnings(problems: Iterable[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity is not Severity.ERROR]


def expression_problems(parsed: ParsedFlow) -> tuple[Problem, ...]:
    """What is certainly wrong with the expressions of a flow, in the order of the text."""
    if not has_expression(parsed.source):
        return ()
    check = _ExpressionCheck(parsed)
    check.run()
    return tuple(
        sorted(check.problems.values(), key=lambda problem: (problem.line or 0, problem.column or 0))
    )


def child_output_warnings(parsed: ParsedFlow, declared: Mapping[str, frozenset[str]]) -> tuple[Problem, ...]:
    """What expressions read of the outputs of subflows that these do not declare.

    ``declared`` are the ids of a subflow's outputs by the task that starts it.
    """
    if not declared or not has_expression(parsed.source):
        return ()
    known = expression_problems(parsed)
    check = _ExpressionCheck(parsed, declared)
    check.run()
    return tuple(problem for problem in check.problems.values() if problem not in known)


class _Place(msgspec.Struct, frozen=True):
    """Where in the flow a value stands.

    ``roots`` are the variables that expressions have there; None where that is not known beforehand.
    ``members`` are those whose members are looked up in the flow. ``task`` is the id of the task they
    belong to, ``at`` the place of the outermost task around it. ``decides``: whether a trigger fires
    depends on it.
    """

    roots: frozenset[str] | None = None
    members: frozenset[str] = VARIABLES
    task: str | None = None
    at: RootPlace | None = None
    rendered: bool = True
    decides: bool = False


#: Nothing is known of the variables, or it is no error when one is not there.
_UNKNOWN = _Place(members=frozenset())

#: Before an execution there are no tasks.
_BEFORE_START = _Place(VARIABLES, members=frozenset({"inputs", "vars"}))

#: A trigger knows the flow, and nothing of executions of it.
_TRIGGER = _Place(members=frozenset({"flow", "inputs", "vars"}))


class _ExpressionCheck:
    def __init__(self, parsed: ParsedFlow, declared: Mapping[str, frozenset[str]] | None = None) -> None:
        self._flow = parsed.flow
        self._written = parsed.written
        self._positions = parsed.positions
        self._text = DocumentText(parsed.source.removeprefix("\ufeff"))
        self._names = FlowNames(parsed.flow, declared or {})
        self.problems: dict[tuple[str, str], Problem] = {}

    def run(self) -> None:
        for name in TASK_LISTS:
            for index, raw in _indexed(self._written.get(name)):
                place = _Place(VARIABLES, at=self._names.root_place(name, index))
                self._walk(raw, (name, index), place)
        for index, raw in _indexed(self._written.get("listeners")):
            self._walk(raw, ("listeners", index), _BEFORE_START)
        for index, raw in _indexed(self._written.get("triggers")):
            self._trigger(raw, ("triggers", index))
        for index, raw in _indexed(self._written.get("inputs")):
            self._input(raw, ("inputs", index))
        for index, raw in _indexed(self._written.get("checks")):
            self._walk(raw, ("checks", index), _BEFORE_START)
        for index, raw in _indexed(self._written.get("sla")):
            if isinstance(raw, dict):
                self._walk(raw.get("assert"), ("sla", index, "assert"), _Place(VARIABLES))
        for index, raw in _indexed(self._written.get("outputs")):
            if isinstance(raw, dict):
                place = _UNKNOWN if raw.get("required") is False else _Place(VARIABLES)
                self._walk(raw.get("value"), ("outputs", index, "value"), place)
        for name in ("pluginDefaults", "taskDefaults"):
            for index, raw in _indexed(self._written.get(name)):
                if isinstance(raw, dict):
                    self._plugin_default(raw, (name, index, "values"))

    # -- what is rendered --------------------------------------------------------------------------------

    def _walk(self, value: JsonValue, path: PropertyPath, place: _Place) -> None:
        """Every template in a value; a task in it has a place of its own."""
        if len(self.problems) >= MOST_WARNINGS:
            return
        if isinstance(value, str):
            if place.rendered and has_expression(value):
                self._template(value, path, place)
        elif isinstance(value, dict):
            task = self._task_of(value)
            if task is not None:
                self._task(task, value, path, place)
                return
            for key, item in value.items():
                self._walk(item, (*path, key), place)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._walk(item, (*path, index), place)

    def _task_of(self, raw: dict[str, JsonValue]) -> Task | None:
        task_id, type_name = scalar_as_text(raw.get("id")), raw.get("type")
        task = self._flow.task_by_id(task_id) if isinstance(task_id, str) else None
        return task if task is not None and task.type == type_name else None

    def _task(self, task: Task, raw: dict[str, JsonValue], path: PropertyPath, place: _Place) -> None:
        plugin = task.plugin if isinstance(task, TaskDefinition) else type(task)
        static = static_properties(plugin)
        own = property_names(Task) - _RENDERED_OF_ALL
        roots = place.roots
        if roots is not None and issubclass(plugin, RunnableTask):
            roots |= plugin.local_variable_names
        inside = msgspec.structs.replace(place, task=task.id, roots=roots)
        for name, value in raw.items():
            if name not in own:
                self._walk(value, (*path, name), msgspec.structs.replace(inside, rendered=name not in static))

    def _trigger(self, raw: JsonValue, path: PropertyPath) -> None:
        """What a trigger's expressions may read depends on its type."""
        trigger_id = scalar_as_text(raw.get("id")) if isinstance(raw, dict) else None
        trigger = self._flow.trigger_by_id(trigger_id) if isinstance(trigger_id, str) else None
        if trigger is None or not isinstance(raw, dict):
            return
        plugin = getattr(trigger, "plugin", type(trigger))
        static = static_properties(plugin)
        # What a Flow trigger reads is of the execution that it reacts to.
        of_other_flows = getattr(plugin, "trigger_kind", None) is TriggerKind.FLOW
        place = _UNKNOWN if of_other_flows else _TRIGGER
        for name, value in raw.items():
            if name not in static and name != "description":
                here = msgspec.structs.replace(place, decides=name in _DECIDING)
                self._walk(value, (*path, name), here)

    def _plugin_default(self, raw: dict[str, JsonValue], path: PropertyPath) -> None:
        """Values that are rendered as properties of the tasks, or in triggers, of a type."""
        type_name, values = raw.get("type"), raw.get("values")
        if not isinstance(type_name, str) or not isinstance(values, dict):
            return
        plugins = {
            placed.task.plugin if isinstance(placed.task, TaskDefinition) else type(placed.task)
            for placed in self._flow.all_tasks()
            if placed.task.type.startswith(type_name)
        }
        roots, static = VARIABLES, frozenset[str]()
        for plugin in plugins:
            static |= static_properties(plugin)
            if issubclass(plugin, RunnableTask):
                roots |= plugin.local_variable_names
        place = _Place(roots) if plugins else _UNKNOWN
        for name, value in values.items():
            if name not in static:
                self._walk(value, (*path, name), place)

    def _input(self, raw: JsonValue, path: PropertyPath) -> None:
        if isinstance(raw, dict):
            for name in raw:
                if name in _RENDERED_OF_INPUTS:
                    self._walk(raw[name], (*path, name), _BEFORE_START)
            for index, member in _indexed(raw.get("inputs")):
                self._input(member, (*path, "inputs", index))

    # -- one template ------------------------------------------------------------------------------------

    def _template(self, text: str, path: PropertyPath, place: _Place) -> None:
        try:
            template = compile_template(text)
        except TemplateSyntaxError as error:
            code, where = ProblemCode.EXPRESSION_SYNTAX, TemplatePosition(error.line or 1, error.column or 1)
            self._add(path, text, where, error.reason, code, severity=_severity(place))
            return
        except ExpressionError:
            return  # too deep to be looked at
        found = references(template)
        for unknown in found.unknown:
            self._unknown_name(unknown, path, text, place)
        for reference in found.variables:
            self._reference(reference, path, text, place)
        for subtraction in found.subtractions:
            self._subtraction(subtraction, path, text, place)
        self._rendered_variables(template, place)

    def _unknown_name(self, unknown: UnknownName, path: PropertyPath, text: str, place: _Place) -> None:
        message = f"{_KIND_WORDS[unknown.kind]} [{unknown.name}] does not exist."
        severity, suggestion = _severity(place), unknown.suggestion
        self._add(path, text, unknown.position, message, suggestion=suggestion, severity=severity)

    def _reference(self, reference: Reference, path: PropertyPath, text: str, place: _Place) -> None:
        if reference.guarded:
            return
        root = reference.path[0]
        if place.roots is not None and root not in place.roots:
            suggestion = nearest(root, place.roots)
            # `a ?? b ?? raise`: a name that does not exist is how authors make an expression fail.
            on_purpose = reference.conditional and len(reference.path) == 1 and suggestion is None
            if not on_purpose:
                message = f"There is no variable `{root}`"
                self._add(path, text, reference.positions[0], message, suggestion=suggestion)
            return
        if root not in place.members:
            return
        missing = self._names.missing(reference.path, place.task, place.at)
        if missing is not None:
            where = reference.positions[min(missing.part, len(reference.positions) - 1)]
            self._add(path, text, where, missing.message, suggestion=missing.suggestion)

    def _subtraction(self, subtraction: Subtraction, path: PropertyPath, text: str, place: _Place) -> None:
        root, name, *members = subtraction.path
        first = subtraction.operands[0] if subtraction.operands else None
        if (
            first is not None
            and len(first.path) == 2
            and root in place.members
            and self._names.exists(root, name)
        ):
            shown = ".".join((f"{root}['{name}']", *members))
            message = (
                f"`{'.'.join(subtraction.path)}` is a subtraction: a name with hyphens stands in brackets"
            )
            self._add(path, text, subtraction.position, message, suggestion=shown)
            return
        for operand in subtraction.operands:
            self._reference(operand, path, text, place)

    def _rendered_variables(self, template: Template, place: _Place) -> None:
        """Variables of the flow are texts until a template renders them: ``render(vars.greeting)``."""
        for root, *members in template.analysis.rendered:
            if root != "vars":
                continue
            value: JsonValue = self._written.get("variables")
            for member in members:
                value = value.get(member) if isinstance(value, dict) else None
            if not isinstance(value, dict):
                self._walk(value, ("variables", *members), place)

    def _add(
        self,
        path: PropertyPath,
        text: str,
        where: TemplatePosition,
        message: str,
        code: ProblemCode = ProblemCode.EXPRESSION_NAME,
        *,
        suggestion: str | None = None,
        severity: Severity = Severity.WARNING,
    ) -> None:
        start = self._positions.value(path)
        if self._positions.is_written(path):
            start = self._text.place_in_scalar(start, text, where.line, where.column)
        shown = format_path(path)
        problem = Problem(
            message,
            code,
            path=shown,
            kestra_path=shown,
            line=start.line,
            column=start.column,
            severity=severity,
            suggestion=suggestion,
        )
        self.problems.setdefault((problem.path, message), problem)


def _severity(place: _Place) -> Severity:
    return Severity.ERROR if place.decides else Severity.WARNING


def _indexed(value: JsonValue) -> Iterator[tuple[int, JsonValue]]:
    items: Iterable[JsonValue] = value if isinstance(value, list) else ()
    return iter(enumerate(items))
