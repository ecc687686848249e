"""The filters, functions and tests of the language, each described where it is written.

A family of them is one module of ``windhover.expression.library``. What the decorators record (signature,
defaults, description, executable examples) is all there is: argument binding, the documentation page and the
example tests are derived from it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

import msgspec

FAMILIES = (
    "collections",
    "numbers",
    "strings",
    "patterns",
    "hashing",
    "structured",
    "dates",
    "calendar",
    "tests",
    "rendering",
    "workflow",
    "data",
    "identifiers",
)
"""Modules of ``windhover.expression.library``, in the order of the documentation page."""


class Kind(Enum):
    """What an entry of the registry is."""

    FILTER = "filter"
    FUNCTION = "function"
    TEST = "test"


class _Required(Enum):
    REQUIRED = "required"


REQUIRED = _Required.REQUIRED

Implementation = Callable[..., Any]
_F = TypeVar("_F", bound=Implementation)


class Parameter(msgspec.Struct, frozen=True):
    """One argument; ``default`` is REQUIRED where it must be given."""

    name: str
    default: object = REQUIRED

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


class Example(msgspec.Struct, frozen=True):
    """A template and what it renders to; ``variables`` are what it needs to be run.

    Without ``output`` the example is shown, not executed: it is random or needs a server.
    """

    template: str
    output: str | None = None
    variables: Mapping[str, object] = msgspec.field(default_factory=dict)


class Definition(msgspec.Struct, frozen=True):
    """A filter, function or test.

    needs_frame: the implementation takes the frame of the rendering as its first argument.
    variadic: any number of positional arguments.
    null_passes: a filter gives null for null without being asked.
    lenient: the implementation is asked even if the operand is undefined, and then gets null.
    reads: variable paths it looks at besides its arguments.
    since: the release line that brought it, where not all have it.
    replaced_by: the name to use instead, for a deprecated one.
    """

    name: str
    kind: Kind
    family: str
    summary: str
    parameters: tuple[Parameter, ...]
    implementation: Implementation
    examples: tuple[Example, ...]
    needs_frame: bool = False
    variadic: bool = False
    null_passes: bool = True
    lenient: bool = False
    reads: tuple[tuple[str, ...], ...] = ()
    reads_everything: bool = False
    since: str | None = None
    replaced_by: str | None = None

    @property
    def signature(self) -> str:
        """As a page shows it: ``date(format='iso', timeZone)``."""
        return f"{self.name}({', '.join(map(_parameter_text, self.parameters))}{', ..' * self.variadic})"


def _parameter_text(parameter: Parameter) -> str:
    if parameter.required or parameter.default is None:
        return parameter.name
    default = parameter.default
    text = str(default).lower() if isinstance(default, bool) else repr(default)
    return f"{parameter.name}={text}"


_definitions: dict[Kind, dict[str, Definition]] = {kind: {} for kind in Kind}


def _registrar(
    kind: Kind,
    name: str,
    summary: str,
    *examples: Example,
    names: tuple[str, ...] | None = None,
    **properties: Any,
) -> Callable[[_F], _F]:
    def register(implementation: _F) -> _F:
        parameters, variadic = _parameters(kind, implementation, names, properties.get("needs_frame", False))
        _definitions[kind][name] = Definition(
            name=name,
            kind=kind,
            family=implementation.__module__.rpartition(".")[2],
            summary=summary,
            parameters=parameters,
            implementation=implementation,
            examples=examples,
            variadic=variadic,
            **properties,
        )
        return implementation

    return register


def filter_(name: str, summary: str, *examples: Example, **properties: Any) -> Callable[[_F], _F]:
    """Registers a filter: its implementation takes the operand, then the arguments.

    Argument names are those of the parameters in camel case, unless ``names`` gives them.
    """
    return _registrar(Kind.FILTER, name, summary, *examples, **properties)


def function(name: str, summary: str, *examples: Example, **properties: Any) -> Callable[[_F], _F]:
    """Registers a function: its implementation takes the arguments."""
    return _registrar(Kind.FUNCTION, name, summary, *examples, **properties)


def test_(name: str, summary: str, *examples: Example, **properties: Any) -> Callable[[_F], _F]:
    """Registers a test: its implementation takes the operand and gives a boolean."""
    return _registrar(Kind.TEST, name, summary, *examples, **properties)


def _parameters(
    kind: Kind, implementation: Implementation, names: tuple[str, ...] | None, needs_frame: bool
) -> tuple[tuple[Parameter, ...], bool]:
    declared = list(inspect.signature(implementation).parameters.values())
    declared = declared[int(needs_frame) + int(kind is not Kind.FUNCTION) :]
    variadic = any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in declared)
    declared = [p for p in declared if p.kind is not inspect.Parameter.VAR_POSITIONAL]
    shown = names or tuple(_camel_case(parameter.name) for parameter in declared)
    return (
        tuple(
            Parameter(name, REQUIRED if p.default is inspect.Parameter.empty else p.default)
            for name, p in zip(shown, declared, strict=True)
        ),
        variadic,
    )


def _camel_case(name: str) -> str:
    first, *others = name.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in others)


@cache
def _load() -> dict[Kind, dict[str, Definition]]:
    for family in FAMILIES:
        import_module(f"windhover.expression.library.{family}")
    return _definitions


def definition(kind: Kind, name: str) -> Definition | None:
    """The filter, function or test of that name, or None."""
    return _load()[kind].get(name)


def definitions(kind: Kind) -> Mapping[str, Definition]:
    """All of a kind, by name."""
    return _load()[kind]
