"""Inputs of an execution: what was given becomes what the flow declares, or a list of what is wrong.

Inputs are resolved after those they depend on. Their expressions read the inputs that their ``dependsOn``
lists. All that is wrong is told at once, each problem with its input, its value and the rule.

Documentation page: ``docs/inputs.md``.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from windhover.engine.encryption import Encrypt, is_encrypted
from windhover.engine.flow_outputs import FlowOutputError, ResolvedOutputs, resolve_outputs
from windhover.engine.input_rules import allowed_values, check_rules
from windhover.engine.input_values import InvalidValue, is_empty_default, read_default, read_value
from windhover.engine.spill import STORED_TYPE, holds_stored_values
from windhover.expression import ExpressionError, Scope, render_value
from windhover.model.execution import JsonValue
from windhover.model.inputs import (
    ArrayInput,
    FormInput,
    Input,
    InputBase,
    MultiselectInput,
    ReusableInputs,
    SecretInput,
    SelectInput,
    ValueType,
)
from windhover.model.inputs.graph import FlatInput, dependency_order, flatten

__all__ = [
    "MASK",
    "FlowOutputError",
    "GivenValue",
    "InputProblem",
    "InputRenderer",
    "ResolvedInput",
    "ResolvedInputs",
    "ResolvedOutputs",
    "ScopedRenderer",
    "add_defaults",
    "nest",
    "resolve_inputs",
    "resolve_outputs",
]

MASK = "******"

_KEEPS_EMPTY_TEXT = frozenset({"STRING", "EMAIL", "SECRET"})

#: What was given for an input: text of a form part, or data; a file is given by the URI it is stored under.
GivenValue = JsonValue


class InputRenderer(Protocol):
    """Renders the expressions of inputs, with extra variables on top of the flow's own.

    Both raise ``windhover.expression.ExpressionError``.
    """

    def render(self, template: JsonValue, variables: Mapping[str, JsonValue]) -> JsonValue:
        """Render text to text; lists and maps deeply."""

    def evaluate(self, template: JsonValue, variables: Mapping[str, JsonValue]) -> JsonValue:
        """As :meth:`render`, but a sole ``{{ expression }}`` keeps its type."""


class ScopedRenderer:
    """Renders inputs with the expression language, in scopes that ``scope`` makes of variables."""

    def __init__(
        self, variables: Mapping[str, JsonValue], scope: Callable[[Mapping[str, object]], Scope] = Scope
    ) -> None:
        self._variables = variables
        self._scope = scope

    def render(self, template: JsonValue, variables: Mapping[str, JsonValue]) -> JsonValue:
        return render_value(template, self._around(variables))

    def evaluate(self, template: JsonValue, variables: Mapping[str, JsonValue]) -> JsonValue:
        return render_value(template, self._around(variables), typed=True)

    def _around(self, variables: Mapping[str, JsonValue]) -> Scope:
        return self._scope(ChainMap(dict(variables), self._variables))  # type: ignore[arg-type]


class InputProblem(msgspec.Struct, frozen=True):
    """Why an input is refused. ``value`` is what was given, masked for a SECRET."""

    id: str
    value: JsonValue
    message: str


class ResolvedInput(msgspec.Struct, frozen=True):
    """One input as a form shows it, under its full id. ``options``: what may be chosen."""

    id: str
    definition: InputBase
    enabled: bool
    value: JsonValue = None
    is_default: bool = False
    options: tuple[str, ...] | None = None
    problem: InputProblem | None = None


class ResolvedInputs(msgspec.Struct, frozen=True):
    """``values`` is what the execution holds: nested where ids have dots. It counts only without problems."""

    values: dict[str, JsonValue]
    problems: list[InputProblem] = msgspec.field(default_factory=list)
    warnings: list[str] = msgspec.field(default_factory=list)
    inputs: list[ResolvedInput] = msgspec.field(default_factory=list)


def resolve_inputs(
    inputs: Sequence[Input],
    given: Mapping[str, GivenValue],
    renderer: InputRenderer,
    *,
    workflow: str,
    encrypt: Encrypt | None = None,
    around: Mapping[str, JsonValue] | None = None,
) -> ResolvedInputs:
    """Type and check what was given, and fill in defaults.

    ``given`` holds values by input id (``nested.more.int``) or nested as ``values`` are. ``workflow``
    names the flow in warnings (``namespace.id``). Without ``encrypt`` SECRET inputs are refused.
    ``around`` are the inputs of an execution that asks for more: their expressions read them too.
    Whatever is given, nothing is raised.
    """
    declared = flatten(inputs)
    offered = _by_id(given, declared)
    # An expression may ask with `??` for an input that it does not depend on: null, if that has a default.
    unseen = {name: None for name, flat in declared.items() if flat.definition.defaults is not None}
    resolution = _Resolution(declared, offered, renderer, encrypt, unseen if around is None else around)
    for flat in dependency_order(declared):
        resolution.resolve(flat)
    resolution.warnings += [
        f"Input {name} was provided for workflow {workflow} but isn't declared in the workflow inputs"
        for name in offered
        if not _takes_value(name, declared)
    ]
    resolved = [resolution.resolved[name] for name in declared]
    return ResolvedInputs(
        values=nest({name: resolution.stored[name] for name in declared if name in resolution.stored}),
        problems=[
            *(one.problem for one in resolved if one.problem is not None),
            *(_imitation(name) for name, value in resolution.stored.items() if holds_stored_values(value)),
        ],
        warnings=resolution.warnings,
        inputs=resolved,
    )


def _imitation(name: str) -> InputProblem:
    """A value is refused that looks as if the server had put it into the storage: it would be read there."""
    message = (
        f"Invalid value for input `{name}`: a map with the type `{STORED_TYPE}` stands for a stored value"
    )
    return InputProblem(name, None, message)


def add_defaults(
    inputs: Sequence[Input],
    values: Mapping[str, JsonValue],
    renderer: InputRenderer,
    *,
    encrypt: Encrypt | None = None,
) -> dict[str, JsonValue]:
    """Values of an execution and the defaults of all inputs not among them, for expressions to read.

    Inputs that were switched off, and those of executions that a trigger started without checking, still
    show their defaults. A default that cannot be rendered, as it reads another input, stays out.
    """
    declared = flatten(inputs)
    present = _by_id(values, declared)
    resolution = _Resolution(declared, {}, renderer, encrypt, {})
    for flat in declared.values():
        if flat.id not in present and flat.definition.defaults is not None:
            resolution.resolve_default(flat)
    return nest({**present, **resolution.stored})


def nest(values: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Values by dotted ids as nested maps: ``{"a.b": 1}`` becomes ``{"a": {"b": 1}}``.

    Where a plain value stands in the way, the rest of the id stays one key. The values are not changed.
    """
    found: dict[str, JsonValue] = {}
    for path, value in sorted(
        ((_segments(name), values[name]) for name in values), key=lambda one: len(one[0])
    ):
        place = found
        for position, folder in enumerate(path[:-1]):
            below = place.get(folder)
            if below is None:
                below = {}
            elif not isinstance(below, Mapping):
                place[".".join(path[position:])] = value
                break
            place[folder] = place = dict(below)
        else:
            place[path[-1]] = value
    return found


class _Resolution:
    """One pass over the inputs of a flow: what is known so far, and what was wrong."""

    def __init__(
        self,
        declared: Mapping[str, FlatInput],
        offered: Mapping[str, GivenValue],
        renderer: InputRenderer,
        encrypt: Encrypt | None,
        around: Mapping[str, JsonValue],
    ) -> None:
        self.stored: dict[str, JsonValue] = {}
        self.resolved: dict[str, ResolvedInput] = {}
        self.warnings: list[str] = []
        self._declared = declared
        self._offered = offered
        self._renderer = renderer
        self._encrypt = encrypt
        self._around = around
        self._visible: dict[str, JsonValue] = {}

    def resolve(self, flat: FlatInput) -> None:
        """Decide what one input is, given those before it."""
        definition = flat.definition
        if not self._is_enabled(flat):
            if self._offered.get(flat.id) is not None:
                self.warnings.append(
                    f"Input {flat.id} was provided but is switched off by `dependsOn`: its value is left out"
                )
            self.resolved[flat.id] = ResolvedInput(flat.id, definition, enabled=False)
            return
        if isinstance(definition, FormInput):
            self.resolved[flat.id] = ResolvedInput(flat.id, definition, enabled=True)
            return
        if isinstance(definition, ReusableInputs):
            problem = InputProblem(flat.id, None, f"The reusable inputs `{definition.ref}` were not found")
            self.resolved[flat.id] = ResolvedInput(flat.id, definition, enabled=True, problem=problem)
            return
        given = self._offered.get(flat.id)
        options: tuple[str, ...] | None = None
        value: JsonValue = None
        refusal: InputProblem | None = None
        try:
            options = allowed_values(flat.id, definition, lambda text: self._evaluate(text, flat))
            raw = given if given is not None else self._fallback(flat, options)
            if raw is None and definition.required:
                refusal = InputProblem(flat.id, None, f"Missing required input:{flat.id}")
            else:
                value = self._accept(flat, raw, options, is_default=given is None)
        except InvalidValue as error:
            refusal = self._refusal(flat, given, error)
        self.resolved[flat.id] = ResolvedInput(
            flat.id, definition, True, value, given is None and value is not None, options, refusal
        )

    def resolve_default(self, flat: FlatInput) -> None:
        """Take the default of an input, if it can be had."""
        try:
            raw = self._fallback(flat, None)
            self._accept(flat, raw, None, is_default=True, checked=False)
        except InvalidValue as error:
            self.warnings.append(self._refusal(flat, None, error).message)

    def _is_enabled(self, flat: FlatInput) -> bool:
        if flat.form is not None and not self._is_on(flat.form):
            return False
        depends_on = flat.definition.depends_on
        if depends_on is None:
            return True
        if not all(self._is_on(name) for name in flat.dependencies):
            return False
        if depends_on.condition is None:
            return True
        try:
            return self._evaluate(depends_on.condition, flat) is True
        except ExpressionError as error:
            self.warnings.append(f"Input {flat.id} is left out, its condition cannot be rendered: {error}")
            return False

    def _is_on(self, name: str) -> bool:
        """Whether an input is switched on and, unless it is a form, has a value."""
        resolved = self.resolved.get(name)
        if resolved is None or not resolved.enabled:
            return False
        return isinstance(resolved.definition, FormInput) or resolved.value is not None

    def _fallback(self, flat: FlatInput, options: tuple[str, ...] | None) -> JsonValue:
        """The default, rendered; else the first of the options where the input asks for that; else None."""
        definition = flat.definition
        if definition.defaults is not None:
            try:
                return self._rendered_default(flat)
            except ExpressionError as error:
                raise InvalidValue(str(error)) from None
        if (
            isinstance(definition, (SelectInput, MultiselectInput))
            and definition.auto_select_first
            and options
        ):
            return [options[0]] if isinstance(definition, MultiselectInput) else options[0]
        return None

    def _accept(
        self,
        flat: FlatInput,
        raw: JsonValue,
        options: tuple[str, ...] | None,
        *,
        is_default: bool,
        checked: bool = True,
    ) -> JsonValue:
        """Type and check a value, keep it, and return it as a form shows it."""
        definition = flat.definition
        if isinstance(definition, SecretInput) and is_encrypted(raw):
            self.stored[flat.id] = dict(raw)
            return MASK
        value = None
        if raw is not None:
            read = read_default if is_default else read_value
            value = read(type_of(definition), raw, item_type_of(definition))
            if checked:
                check_rules(flat.id, definition, value, options)
        self.stored[flat.id] = self._protect(definition, value)
        self._visible[flat.id] = value
        return MASK if isinstance(definition, SecretInput) and value is not None else value

    def _protect(self, definition: InputBase, value: JsonValue) -> JsonValue:
        if value is None or not isinstance(definition, SecretInput):
            return value
        if self._encrypt is None:
            raise InvalidValue(
                "secrets cannot be stored, no encryption key is configured"
                " (set `kestra.encryption.secret-key`)"
            )
        return self._encrypt(value)

    def _refusal(self, flat: FlatInput, given: GivenValue, error: InvalidValue) -> InputProblem:
        shown = given if given is not None else flat.definition.defaults
        if isinstance(flat.definition, SecretInput) and shown is not None:
            shown = MASK
        lines = [f"Invalid value for input `{flat.id}`. Cause: {cause}" for cause in error.causes]
        return InputProblem(flat.id, shown, "\n".join(lines))

    def _evaluate(self, template: JsonValue, flat: FlatInput) -> JsonValue:
        return self._renderer.evaluate(template, self._variables(flat))

    def _rendered_default(self, flat: FlatInput) -> JsonValue:
        """A default, rendered; None where it comes to nothing, which for a type of text is empty text."""
        type_, template = type_of(flat.definition), flat.definition.defaults
        rendered = template
        if not isinstance(template, str) or "{" in template:
            rendered = self._renderer.render(template, self._variables(flat))
        if type_ not in _KEEPS_EMPTY_TEXT and rendered == "" and template != "":
            rendered = self._evaluate(template, flat)
        return None if is_empty_default(type_, rendered) else rendered

    def _variables(self, flat: FlatInput) -> dict[str, JsonValue]:
        """What its expressions read as ``inputs``: those that its ``dependsOn`` lists, and those around."""
        listed = {name: self._visible[name] for name in flat.dependencies if name in self._visible}
        return {"inputs": nest({**self._around, **listed})}


def type_of(definition: InputBase) -> ValueType:
    """The type of the values of an input."""
    type_: ValueType = definition.type  # type: ignore[attr-defined]
    return type_


def item_type_of(definition: InputBase) -> ValueType | None:
    """The type of the items of its values, where these are lists."""
    return definition.item_type if isinstance(definition, (ArrayInput, MultiselectInput)) else None


def _by_id(given: Mapping[str, GivenValue], declared: Mapping[str, FlatInput]) -> dict[str, GivenValue]:
    """Given values by the ids of inputs: maps under undeclared names are taken apart at their dots."""
    found: dict[str, GivenValue] = {}
    waiting = list(reversed(list(given.items())))
    while waiting:
        name, value = waiting.pop()
        is_folder = isinstance(value, Mapping) and any(one.startswith(f"{name}.") for one in declared)
        if is_folder and not _takes_value(name, declared):
            waiting.extend((f"{name}.{key}", item) for key, item in reversed(list(value.items())))
        else:
            found[name] = value
    return found


def _takes_value(name: str, declared: Mapping[str, FlatInput]) -> bool:
    return name in declared and not isinstance(declared[name].definition, FormInput)


def _segments(name: str) -> list[str]:
    return name.rstrip(".").split(".")
