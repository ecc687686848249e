"""What is wrong with properties, in words for the flow's author.

The words are those that Kestra's clients know where it has words for the case; the rest name the value
and what would be right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from windhover.model.execution import JsonValue
from windhover.util.nearest import nearest

Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class PropertyProblem:
    """One thing wrong: where (keys and indexes as the flow writes them), and what would be right."""

    location: Location
    message: str
    value: JsonValue = None

    @property
    def path(self) -> str:
        """The location as authors write it: ``options.headers[0].name``."""
        return path_of(self.location)

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.location else self.message


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
        found.setdefault(location, []).append(_Finding(details, in_union, names))
    return tuple(
        PropertyProblem(location, _merged(findings), findings[0].details["input"])
        for location, findings in found.items()
        if not _is_other_branch(location, findings, found)
    )


@dataclass(frozen=True, slots=True)
class _Finding:
    details: ErrorDetails
    in_union: bool
    known: tuple[str, ...]


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


def _is_other_branch(
    location: Location, findings: list[_Finding], found: Mapping[Location, list[_Finding]]
) -> bool:
    """A union branch did not fit at all while another one fits but for something inside: name that alone."""
    return all(finding.in_union for finding in findings) and any(
        len(other) > len(location) and other[: len(location)] == location for other in found
    )


def _merged(findings: list[_Finding]) -> str:
    phrases = list(dict.fromkeys(_phrase(finding.details, finding.known) for finding in findings))
    if len(phrases) > 1 and all(phrase.startswith("must be ") for phrase in phrases):
        wanted = [phrase.removeprefix("must be ").rpartition(", not `")[0] or phrase for phrase in phrases]
        return f"must be {' or '.join(wanted)}, not {_shown(findings[0].details['input'])}"
    return "; ".join(phrases)


def _phrase(details: ErrorDetails, known: tuple[str, ...]) -> str:
    kind, context, value = details["type"], details.get("ctx", {}), details["input"]
    if kind == "extra_forbidden":
        return _unknown(str(details["loc"][-1]), known if len(details["loc"]) == 1 else ())
    if kind in _EXPECTED:
        return f"must be {_EXPECTED[kind]}, not {_shown(value)}"
    if kind in _CONSTRAINTS:
        return _CONSTRAINTS[kind](context)
    if kind == "value_error":
        return str(context["error"])
    if kind in ("literal_error", "enum"):
        return _choice(str(context["expected"]), value)
    return f"{details['msg'][:1].lower()}{details['msg'][1:]}, not {_shown(value)}"


def _unknown(name: str, known: tuple[str, ...]) -> str:
    near = nearest(name, known)
    return f'Unrecognized field "{name}"' + (f' (did you mean "{near}"?)' if near else "")


def _choice(expected: str, value: JsonValue) -> str:
    choices = [choice.strip("'") for choice in expected.replace(" or ", ", ").split(", ")]
    near = nearest(value, choices) if isinstance(value, str) else None
    hint = f" (did you mean {near}?)" if near else ""
    return f"must be {'one of ' if len(choices) > 1 else ''}{', '.join(choices)}, not {_shown(value)}{hint}"


def _shown(value: JsonValue) -> str:
    text = value if isinstance(value, str) else _json(value)
    return f"`{text if len(text) <= 80 else text[:77] + '...'}`"


def _json(value: JsonValue) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, default=str)


def _entries(context: Mapping[str, JsonValue]) -> str:
    least = context["min_length"]
    return "must not be empty" if least == 1 else f"must have at least {least} entries"


_EXPECTED: Mapping[str, str] = {
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
