"""Reads one YAML document into plain values and their positions, or says all that is wrong with it.

The scanner and parser are libyaml's; composing is done here, from its events, because that is where
positions are known, limits can be held while reading, and duplicate keys can be told apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec
import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from windhover.model.definition import scalar_as_text
from windhover.model.execution import JsonValue
from windhover.model.problem import Problem, ProblemCode
from windhover.model.yaml.limits import DEFAULT_LIMITS, SourceLimits
from windhover.model.yaml.positions import Place, Position, Positions, PropertyPath, format_path
from windhover.model.yaml.scalars import ScalarError, is_collection_tag, resolve_plain, resolve_tagged

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOT_ALLOWED = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MOST_PROBLEMS = 1000
_SYNTAX_PREFIX = "Illegal Flow source: YAML parsing error: "


class Document(msgspec.Struct, frozen=True):
    """A document that could be read. ``problems`` are errors that did not stop the reading."""

    text: str
    value: JsonValue
    positions: Positions
    problems: tuple[Problem, ...] = ()


class DocumentInvalid(Exception):
    """The text cannot be read as YAML; ``problems`` says why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def read_document(
    source: str | bytes,
    limits: SourceLimits = DEFAULT_LIMITS,
    keeps_text: Callable[[Sequence[str | int]], bool] = lambda path: False,
) -> Document:
    """Read a text that holds one YAML document.

    At paths for which ``keeps_text``, an unquoted number or boolean that would print otherwise than it is
    written (``yes``, ``1.10``) stays text.
    Values are None, bool, int, float, str, list and dict with text keys. Aliased values are shared
    between the places that name them, so they must not be changed in place.

    Raises:
        DocumentInvalid: the text is no YAML, breaks a limit, or holds several documents.
    """
    text = _decode(source, limits)
    composer = _Composer(limits, keeps_text)
    try:
        value, place = composer.compose(yaml.parse(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        raise DocumentInvalid([*composer.problems, _syntax_problem(error, text)]) from error
    except yaml.YAMLError as error:
        raise DocumentInvalid([_problem(str(error), ProblemCode.YAML_SYNTAX, Position(1, 1))]) from error
    except _Refused as refused:
        raise DocumentInvalid([*composer.problems, refused.problem]) from None
    return Document(text, value, Positions(place), tuple(composer.problems))


def _decode(source: str | bytes, limits: SourceLimits) -> str:
    if len(source) > limits.size:
        raise DocumentInvalid([_too_large(limits)])
    if isinstance(source, bytes):
        try:
            text = source.decode("utf-8")
        except UnicodeDecodeError as error:
            before = source[: error.start].decode("utf-8", errors="replace")
            message = f"The text is not UTF-8: byte 0x{source[error.start]:02x} cannot stand here"
            position = _position_at(before, len(before))
            raise DocumentInvalid([_problem(message, ProblemCode.YAML_ENCODING, position)]) from error
    else:
        text = source
    text = text.removeprefix("\ufeff")
    if bad := _NOT_ALLOWED.search(text):
        message = f"special characters are not allowed: U+{ord(bad[0]):04X}"
        position = _position_at(text, bad.start())
        raise DocumentInvalid([_problem(message, ProblemCode.YAML_ENCODING, position)])
    if isinstance(source, str) and len(text.encode()) > limits.size:
        raise DocumentInvalid([_too_large(limits)])
    return text


class _Refused(Exception):
    """Reading stops here."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class _Anchored(msgspec.Struct):
    value: JsonValue
    place: Place
    weight: int = 0
    height: int = 0


class _Composer(msgspec.Struct):
    """Builds values from events.

    ``weight`` is the number of values so far, aliases followed; ``height`` how deep the value read last
    is nested in itself.
    """

    limits: SourceLimits
    keeps_text: Callable[[Sequence[str | int]], bool]
    problems: list[Problem] = msgspec.field(default_factory=list)
    weight: int = 0
    height: int = 0
    _anchors: dict[str, _Anchored | None] = msgspec.field(default_factory=dict)
    _path: list[str | int] = msgspec.field(default_factory=list)

    def compose(self, events: Iterator[Event]) -> tuple[JsonValue, Place]:
        value: JsonValue = None
        place = Place(Position(1, 1))
        first: Position | None = None
        for event in events:
            if isinstance(event, DocumentStartEvent):
                if first is not None:
                    message = f"Only one document is allowed; the first begins at line {first.line}"
                    raise _Refused(_problem(message, ProblemCode.YAML_SYNTAX, _start(event)))
                first = _start(event)
                value, place = self._node(next(events), events)
        return value, place

    def _node(self, event: Event, events: Iterator[Event]) -> tuple[JsonValue, Place]:
        if isinstance(event, AliasEvent):
            return self._alias(event)
        position = _start(event)
        before = self.weight
        self._count(1, position)
        place = Place(position)
        anchor: str | None = getattr(event, "anchor", None)
        if anchor is not None:
            self._anchors[anchor] = None
        value: JsonValue
        if isinstance(event, ScalarEvent):
            value = self._scalar(event)
            self.height = 0
        elif isinstance(event, MappingStartEvent):
            self._enter(event, "map", position)
            value = self._mapping(place, events)
        elif isinstance(event, SequenceStartEvent):
            self._enter(event, "seq", position)
            value = self._sequence(place, events)
        else:
            raise _Refused(_problem("a value is expected here", ProblemCode.YAML_SYNTAX, position))
        if anchor is not None:
            self._anchors[anchor] = _Anchored(value, place, self.weight - before, self.height)
        return value, place

    def _scalar(self, event: ScalarEvent) -> JsonValue:
        text: str = event.value
        try:
            if event.tag is not None:
                return resolve_tagged(text, event.tag, self.limits.digits)
            if event.style is None or event.style == "":
                value = resolve_plain(text, self.limits.digits)
                is_reworded = not isinstance(value, str) and scalar_as_text(value) not in (text, None)
                return text if is_reworded and self.keeps_text(self._path) else value
        except ScalarError as error:
            self._add(str(error), ProblemCode.YAML_VALUE, _start(event))
        return text

    def _sequence(self, place: Place, events: Iterator[Event]) -> list[JsonValue]:
        items: list[JsonValue] = []
        places: dict[str | int, Place] = {}
        place.children = places
        height = 0
        while not isinstance(event := next(events), SequenceEndEvent):
            self._path.append(len(items))
            value, places[len(items)] = self._node(event, events)
            self._path.pop()
            items.append(value)
            height = max(height, self.height)
        self.height = height + 1
        return items

    def _mapping(self, place: Place, events: Iterator[Event]) -> dict[str, JsonValue]:
        members: dict[str, JsonValue] = {}
        places: dict[str | int, Place] = {}
        place.children = places
        merged: list[_Anchored] = []
        height = 0
        while not isinstance(event := next(events), MappingEndEvent):
            key_position = _start(event)
            if self._is_merge(event):
                value, value_place = self._node(next(events), events)
                merged += self._merge_sources(value, value_place)
                height = max(height, self.height - 1)
                continue
            key = self._key(event, events)
            self._path.append(key)
            event = next(events)
            value, value_place = self._node(event, events)
            height = max(height, self.height)
            if key in places:
                first = places[key].key or places[key].value
                message = f"Duplicate field '{key}' at line {key_position.line}"
                message += f", set already at line {first.line}"
                self._add(message, ProblemCode.YAML_DUPLICATE_KEY, key_position)
            else:
                places[key] = Place(value_place.value, key_position, value_place.children)
                if value is not None or not _says_null(event):
                    members[key] = value
            self._path.pop()
        for source in merged:
            for key, value in source.value.items():
                if key not in places:
                    self._count(1, place.value)
                    members[key] = value
                    places[key] = (source.place.children or {})[key]
        self.height = height + 1
        return members

    def _key(self, event: Event, events: Iterator[Event]) -> str:
        """Names of properties are text, as written: ``1``, ``true`` and ``1.0`` too."""
        if isinstance(event, ScalarEvent):
            if event.anchor is not None:
                self._anchors[event.anchor] = _Anchored(event.value, Place(_start(event)), weight=1)
            self._count(1, _start(event))
            return str(event.value)
        if isinstance(event, AliasEvent):
            value, _ = self._alias(event)
            if isinstance(value, str):
                return value
        message = "The name of a property must be text, not a list or a map"
        if isinstance(event, MappingStartEvent):
            message += " (a value that begins with `{{` must stand in quotes)"
        raise _Refused(_problem(message, ProblemCode.YAML_SYNTAX, _start(event), self._path))

    def _is_merge(self, event: Event) -> bool:
        return (
            isinstance(event, ScalarEvent) and event.value == "<<" and not event.style and event.tag is None
        )

    def _merge_sources(self, value: JsonValue, place: Place) -> list[_Anchored]:
        if isinstance(value, dict):
            return [_Anchored(value, place)]
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            children = place.children or {}
            return [_Anchored(item, children[index]) for index, item in enumerate(value)]
        self._add("A merge key `<<` takes a map or a list of maps", ProblemCode.YAML_VALUE, place.value)
        return []

    def _alias(self, event: AliasEvent) -> tuple[JsonValue, Place]:
        name = str(event.anchor)
        position = _start(event)
        if name not in self._anchors:
            self._add(
                f"Undefined alias `*{name}`: there is no anchor `&{name}` before it",
                ProblemCode.YAML_VALUE,
                position,
            )
            self.height = 0
            return None, Place(position)
        anchored = self._anchors[name]
        if anchored is None:
            message = f"The alias `*{name}` stands inside the value it names"
            raise _Refused(_problem(message, ProblemCode.YAML_VALUE, position, self._path))
        self._count(anchored.weight, position)
        self.height = anchored.height
        self._check_depth(len(self._path) + anchored.height, position)
        return anchored.value, Place(position, None, anchored.place.children)

    def _enter(self, event: MappingStartEvent | SequenceStartEvent, kind: str, position: Position) -> None:
        if event.tag is not None and not is_collection_tag(event.tag, kind):
            self._add(f"unknown tag `{event.tag}`", ProblemCode.YAML_VALUE, position)
        self._check_depth(len(self._path), position)

    def _check_depth(self, depth: int, position: Position) -> None:
        if depth > self.limits.depth:
            message = f"Values are nested more than {self.limits.depth} deep"
            raise _Refused(_problem(message, ProblemCode.YAML_LIMIT, position))

    def _count(self, weight: int, position: Position) -> None:
        self.weight += weight
        if self.weight > self.limits.nodes:
            message = f"The document holds more than {self.limits.nodes} values, aliases followed"
            raise _Refused(_problem(message, ProblemCode.YAML_LIMIT, position))

    def _add(self, message: str, code: ProblemCode, position: Position) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(_problem(message, code, position, self._path))


def _says_null(event: Event) -> bool:
    """``null`` or ``~`` is written out, which takes a member away; one without any value stays."""
    return isinstance(event, ScalarEvent) and bool(event.value)


def _start(event: Event) -> Position:
    mark = event.start_mark
    assert mark is not None
    return Position(mark.line + 1, mark.column + 1)


def _problem(
    message: str, code: ProblemCode, position: Position, path: list[str | int] | PropertyPath = ()
) -> Problem:
    return Problem(
        message,
        code,
        path=format_path(tuple(path)),
        line=position.line,
        column=position.column,
        constraint=f"{_SYNTAX_PREFIX}{message} (at line {position.line})",
    )


def _too_large(limits: SourceLimits) -> Problem:
    return _problem(f"The text is larger than {limits.size} bytes", ProblemCode.YAML_LIMIT, Position(1, 1))


_IN_QUOTES = "a text that begins so must stand in quotes"
_UNCLOSED = "is a bracket not closed, or a text without quotes that needs them?"

#: What to do about the mistakes that the parser has a name for.
_REMEDIES = {
    "mapping values are not allowed in this context": (
        "is the line indented too far, or does a text with `: ` stand without quotes?"
    ),
    "did not find expected '-' indicator": "entries of a list begin in the same column",
    "did not find expected key": (
        "names of a map begin in the same column, and nothing follows a text in quotes"
    ),
    "could not find expected ':'": "a name is followed by a colon and a space",
    "block sequence entries are not allowed in this context": "a list begins on a line of its own",
    "found character that cannot start any token": _IN_QUOTES,
    "did not find expected alphabetic or numeric character": _IN_QUOTES,
    "found unknown escape character": "in double quotes a backslash is written twice, in single quotes once",
    "found unexpected end of stream": "the quote is not closed",
    "did not find expected ',' or ']'": _UNCLOSED,
    "did not find expected ',' or '}'": _UNCLOSED,
}


def _syntax_problem(error: yaml.MarkedYAMLError, text: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    position = Position(mark.line + 1, mark.column + 1) if mark is not None else Position(1, 1)
    message = ", ".join(part for part in (error.context, error.problem) if part) or "no YAML"
    if _is_indented_with_tab(text, position.line):
        message += " (do not use tabs for indentation)"
    elif error.problem in _REMEDIES:
        message += f" ({_REMEDIES[error.problem]})"
    if error.context and error.context_mark is not None and error.context_mark.line + 1 != position.line:
        message += f" (it begins at line {error.context_mark.line + 1})"
    return _problem(message, ProblemCode.YAML_SYNTAX, position)


def _is_indented_with_tab(text: str, line: int) -> bool:
    lines = text.splitlines()
    shown = lines[line - 1] if line <= len(lines) else ""
    return "\t" in shown[: len(shown) - len(shown.lstrip())]


def _position_at(text: str, offset: int) -> Position:
    line_start = text.rfind("\n", 0, offset) + 1
    return Position(text.count("\n", 0, offset) + 1, offset - line_start + 1)
