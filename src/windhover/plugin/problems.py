"""What is wrong with properties, in words for the flow's author.

The words are those that Kestra's clients know where it has words for the case; the rest name the value
and what would be right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import get_args

import msgspec
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from windhover.model.execution import JsonValue
from windhover.model.problem import ProblemCode
from windhover.util.nearest import nearest

Location = tuple[str | int, ...]


class PropertyProblem(msgspec.Struct, frozen=True):
    """One thing wrong: where (keys and indexes as the flow writes them), and what would be right.

    ``suggestion`` is the name that was probably meant.
    """

    location: Location
    message: str
    value: JsonValue = None
    code: ProblemCode = ProblemCode.INVALID_VALUE
    suggestion: str | None = None

    @property
    def path(self) -> str:
        """The location as authors write it: ``options.headers[0].name``."""
        return path_of(self.location)

    def __str__(self) -> str:
        message = f"{self.path}: {self.message}" if self.location else self.message
        return f"{message} (did you mean {self.suggestion}?)" if self.suggestion else message


class InvalidProperties(ValueError):
    """Properties that do not fit their plugin's class. ``problems`` has every one of them."""

    def __init__(self, problems: Sequence[PropertyProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def path_of(location: Iterable[str | int]) -> str:
    """``("tasks", 0, "id")`` as ``tasks[0].id``."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path


def problems_of(
    error: ValidationError, raw: JsonValue, known: Iterable[str] = ()
) -> tuple[PropertyProblem, ...]:
    """Translate pydantic's findings.

    Args:
        error: what pydantic found.
        raw: the value that was validated; locations are those in it, without the names of union branches.
        known: the names of the properties at the top, for hints about misspelled ones.
    """
    names = tuple(known)
    found: dict[Location, list[_Finding]] = {}
    for details in error.errors(include_url=False):
        location, in_union = _location_in(raw, details["loc"], missing=details["type"] == "missing")
        found.setdefault(location, []).append(_Finding(details, in_union))
    return tuple(
        _problem(location, findings, names)
        for location, findings in found.items()
        if not _is_told_below(location, findings, found)
    )


class _Finding(msgspec.Struct, frozen=True):
    details: ErrorDetails
    in_union: bool

    @property
    def kind(self) -> str:
        return self.details["type"]


def _location_in(raw: JsonValue, reported: Location, *, missing: bool) -> tuple[Location, bool]:
    """The reported location without what pydantic adds for unions and functions."""
    location: list[str | int] = []
    value = raw
    for index, part in enumerate(reported):
        is_missing_key = missing and index == len(reported) - 1
        if _has(value, part):
            value = value[part]
        elif not is_missing_key:
            continue
        location.append(part)
    return tuple(location), len(location) < len(reported)


def _has(value: JsonValue, part: str | int) -> bool:
    if isinstance(value, Mapping):
        return part in value
    return isinstance(value, (list, tuple)) and isinstance(part, int) and part < len(value)


def _is_told_below(
    location: Location, findings: list[_Finding], found: Mapping[Location, list[_Finding]]
) -> bool:
    """Something inside the value is wrong, and this is but a consequence of it.

    That is so where one member of a union fits but for something inside, and where a list is found too
    short because its items are wrong.
    """
    return all(finding.in_union or finding.kind == "too_short" for finding in findings) and any(
        len(other) > len(location) and other[: len(location)] == location for other in found
    )


def _problem(location: Location, findings: list[_Finding], known: tuple[str, ...]) -> PropertyProblem:
    details = findings[0].details
    value, kind = details["input"], details["type"]
    if kind == "extra_forbidden":
        name = str(location[-1])
        suggestion = nearest(name, known) if len(location) == 1 else None
        message = f'Unrecognized field "{name}"'
        return PropertyProblem(location, message, value, ProblemCode.UNKNOWN_PROPERTY, suggestion)
    if kind == "missing":
        return PropertyProblem(location, "must not be null", None, ProblemCode.MISSING)
    if all(finding.kind in EXPECTED for finding in findings):
        expected = " or ".join(dict.fromkeys(EXPECTED[finding.kind] for finding in findings))
        message = f"must be {expected}, not {shown(value)}"
        return PropertyProblem(location, message, value, ProblemCode.WRONG_TYPE)
    if kind in ("literal_error", "enum"):
        choices = _choices(str(details["ctx"]["expected"]))
        suggestion = nearest(value, choices) if isinstance(value, str) else None
        message = f"must be {'one of ' if len(choices) > 1 else ''}{', '.join(choices)}, not {shown(value)}"
        return PropertyProblem(location, message, value, ProblemCode.INVALID_VALUE, suggestion)
    phrases = dict.fromkeys(_phrase(finding.details) for finding in findings)
    return PropertyProblem(location, "; ".join(phrases), value)


def _choices(expected: str) -> list[str]:
    return [choice.strip("'") for choice in expected.replace(" or ", ", ").split(", ")]


def _phrase(details: ErrorDetails) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind in EXPECTED:
        return f"must be {EXPECTED[kind]}, not {shown(details['input'])}"
    if kind in _CONSTRAINTS:
        return _CONSTRAINTS[kind](context)
    if kind == "value_error":
        return str(context["error"])
    if kind not in get_args(ErrorType):  # raised by one of our own types, in its own words
        return details["msg"]
    message = details["msg"].replace("Input should be ", "must be ", 1)
    return f"{message}, not {shown(details['input'])}"


def shown(value: JsonValue) -> str:
    """A value as a message shows it: in backticks, cut when it is long."""
    text = value if isinstance(value, str) else _json(value)
    return f"`{text if len(text) <= 80 else text[:77] + '...'}`"


def _json(value: JsonValue) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, default=str)


def _entries(context: Mapping[str, JsonValue]) -> str:
    least = context["min_length"]
    return "must not be empty" if least == 1 else f"must have at least {least} entries"


#: What would be right, by the error that pydantic finds.
EXPECTED: Mapping[str, str] = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a map",
    "mapping_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
    "none_required": "nothing",
}

_CONSTRAINTS: Mapping[str, Callable[[Mapping[str, JsonValue]], str]] = {
    "missing": lambda _: "must not be null",
    "greater_than_equal": lambda context: f"must be greater than or equal to {context['ge']}",
    "greater_than": lambda context: f"must be greater than {context['gt']}",
    "less_than_equal": lambda context: f"must be less than or equal to {context['le']}",
    "less_than": lambda context: f"must be less than {context['lt']}",
    "too_short": _entries,
    "too_long": lambda context: f"size must be between 0 and {context['max_length']}",
    "string_too_short": lambda context: (
        "must not be blank"
        if context["min_length"] == 1
        else f"must have at least {context['min_length']} characters"
    ),
    "string_too_long": lambda context: f"size must be between 0 and {context['max_length']}",
    "string_pattern_mismatch": lambda context: f'must match "{context["pattern"].removesuffix("$")}"',
    "union_tag_invalid": lambda context: f"Invalid type: {context['tag']}",
    "union_tag_not_found": lambda _: "Invalid type: <null>",
}
