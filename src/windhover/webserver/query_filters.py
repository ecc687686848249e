"""Conditions in a query string, ``filters[field][OPERATION]=value``, and how they are compared."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec
from starlette.datastructures import QueryParams

from windhover.model.execution import JsonValue
from windhover.model.state import StateType
from windhover.repository.filters import LabelMatch, TextMatch, TextOperator, TimeRange
from windhover.util.durations import parse_duration
from windhover.webserver.errors import ApiError, bad_request
from windhover.webserver.wire.dates import read_instant

_FILTER = re.compile(r"filters\[([^\[\]]+)\]\[([^\[\]]+)\](?:\[(.+)\])?", re.DOTALL)


class Operation(StrEnum):
    """How a field is compared with the value of its filter."""

    EQUALS = "EQUALS"
    NOT_EQUALS = "NOT_EQUALS"
    GREATER_THAN = "GREATER_THAN"
    LESS_THAN = "LESS_THAN"
    GREATER_THAN_OR_EQUAL_TO = "GREATER_THAN_OR_EQUAL_TO"
    LESS_THAN_OR_EQUAL_TO = "LESS_THAN_OR_EQUAL_TO"
    IN = "IN"
    NOT_IN = "NOT_IN"
    STARTS_WITH = "STARTS_WITH"
    ENDS_WITH = "ENDS_WITH"
    CONTAINS = "CONTAINS"
    REGEX = "REGEX"
    PREFIX = "PREFIX"

    @property
    def excludes(self) -> bool:
        return self in (Operation.NOT_EQUALS, Operation.NOT_IN)


_EARLIEST = frozenset({Operation.GREATER_THAN, Operation.GREATER_THAN_OR_EQUAL_TO})
_LATEST = frozenset({Operation.LESS_THAN, Operation.LESS_THAN_OR_EQUAL_TO})


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition. ``key`` is that of a label; ``values`` holds several only for IN and NOT_IN."""

    field: str
    operation: Operation
    values: tuple[str, ...]
    key: str | None = None

    @property
    def value(self) -> str:
        return self.values[0]

    @property
    def name(self) -> str:
        """The filter as its parameter is named."""
        key = "" if self.key is None else f"[{self.key}]"
        return f"filters[{self.field}][{self.operation}]{key}"

    def unsupported(self) -> ApiError:
        """The error for a field or operation that this search does not have."""
        return bad_request(f"`{self.name}` cannot be searched for here.")


def read_filters(query: QueryParams) -> list[Filter]:
    """The filters of a query string, in their order.

    Raises:
        ApiError: 400, one is malformed or its operation unknown.
    """
    found: dict[tuple[str, str, str | None], list[str]] = {}
    for name, value in query.multi_items():
        if not name.startswith("filters["):
            continue
        match = _FILTER.fullmatch(name)
        if match is None:
            raise bad_request(f"`{name}` is no filter: write `filters[field][OPERATION]=value`.")
        field, operation, key = match.groups()
        if operation not in Operation.__members__:
            raise bad_request(f"`{operation}` is no operation; there are {', '.join(Operation)}.")
        found.setdefault((field, operation, key), []).append(value)
    return [
        Filter(field, Operation(operation), _split(operation, values), key)
        for (field, operation, key), values in found.items()
    ]


class FilterJson(msgspec.Struct):
    """A filter in a body; ``value`` is a text, a number, a truth value, or a list of them."""

    field: str
    operation: str
    value: JsonValue = None


def body_filters(given: Iterable[FilterJson]) -> list[Filter]:
    """The filters of a body, where a request has them there instead of in its query string.

    Raises:
        ApiError: 400, an operation is unknown.
    """
    found = []
    for each in given:
        if each.operation not in Operation.__members__:
            raise bad_request(f"`{each.operation}` is no operation; there are {', '.join(Operation)}.")
        values = each.value if isinstance(each.value, list) else [each.value]
        texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
        if each.operation not in (Operation.IN, Operation.NOT_IN) and len(texts) != 1:
            raise bad_request(f"The filter on `{each.field}` needs one value.")
        found.append(Filter(each.field, Operation(each.operation), tuple(texts) or ("",)))
    return found


def text_match(filter: Filter) -> TextMatch:
    """The condition of a filter on a text.

    Raises:
        ApiError: 400, texts are not compared like that.
    """
    if filter.operation not in TextOperator.__members__:
        raise filter.unsupported()
    return TextMatch(TextOperator(filter.operation), filter.values)


def scope_match(filter: Filter, system_namespace: str) -> TextMatch:
    """USER is everything outside the namespace of system flows, SYSTEM what is in it."""
    wants_system = (filter.value.upper() == "SYSTEM") != filter.operation.excludes
    operator = TextOperator.EQUALS if wants_system else TextOperator.NOT_EQUALS
    return TextMatch(operator, (system_namespace,))


def label_match(filter: Filter) -> LabelMatch:
    """The condition of a filter on labels; without a key the value is ``key:value``.

    Raises:
        ApiError: 400, labels are not compared like that.
    """
    key, values = filter.key, filter.values
    if key is None:
        key, colon, value = filter.value.partition(":")
        values = (value,) if colon else ()
    if filter.operation.excludes:
        operator = TextOperator.EQUALS if filter.operation is Operation.NOT_EQUALS else TextOperator.IN
        return LabelMatch(key, TextMatch(operator, values) if values else None, excluded=True)
    if filter.operation not in TextOperator.__members__:
        raise filter.unsupported()
    return LabelMatch(key, TextMatch(TextOperator(filter.operation), values) if values else None)


def old_labels(texts: Iterable[str]) -> tuple[LabelMatch, ...]:
    """Conditions written ``labels=key:value``, as older clients do."""
    found = []
    for text in texts:
        key, colon, value = text.partition(":")
        if not colon or not key:
            raise bad_request(f"`labels={text}` is not of the form key:value.")
        found.append(LabelMatch.equal(key, value))
    return tuple(found)


def states(filter: Filter) -> tuple[StateType, ...]:
    """The states that a filter names.

    Raises:
        ApiError: 400, there is no such state.
    """
    return read_states(filter.values)


def read_states(texts: Iterable[str]) -> tuple[StateType, ...]:
    """States by name; several may stand in one text, separated by commas.

    Raises:
        ApiError: 400, there is no such state.
    """
    found = []
    for name in (part.strip() for text in texts for part in text.split(",")):
        if name.upper() not in StateType.__members__:
            raise bad_request(f"There is no state `{name}`; there are {', '.join(StateType)}.")
        found.append(StateType(name.upper()))
    return tuple(found)


def narrowed(range_: TimeRange | None, filter: Filter) -> TimeRange:
    """A range of time, and also what a filter on that instant says.

    Raises:
        ApiError: 400, the value is no date, or instants are not compared like that.
    """
    range_ = range_ or TimeRange()
    try:
        instant = read_instant(filter.value)
    except ValueError:
        raise bad_request(
            f"`{filter.name}` needs a date such as 2024-05-31T12:00:00Z: `{filter.value}`"
        ) from None
    if filter.operation in _EARLIEST:
        return TimeRange(instant, range_.until)
    if filter.operation in _LATEST:
        return TimeRange(range_.since, instant)
    raise filter.unsupported()


def since(duration: str, now: datetime) -> datetime:
    """The instant that lies an ISO-8601 duration back.

    Raises:
        ApiError: 400, it is no duration.
    """
    try:
        return now - parse_duration(duration)
    except (ValueError, OverflowError):
        raise bad_request(f"`{duration}` is no duration such as PT24H or P7D.") from None


def _split(operation: str, values: list[str]) -> tuple[str, ...]:
    if operation not in (Operation.IN, Operation.NOT_IN):
        return (values[-1],)
    return tuple(part for value in values for part in value.strip("[]").split(",") if part) or ("",)
