"""The fields that a search can be narrowed by: one table says how each is read, and documents it.

Documentation page: ``docs/api.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
from msgspec.structs import replace

from windhover.repository.filters import TextOperator
from windhover.webserver.openapi import named_schema
from windhover.webserver.query_filters import (
    Filter,
    Operation,
    label_match,
    narrowed,
    scope_match,
    text_match,
)
from windhover.webserver.services import WebServices

Query = TypeVar("Query", bound=msgspec.Struct)

TEXTS = tuple(Operation(operator.value) for operator in TextOperator)
EQUAL = (Operation.EQUALS,)
EQUAL_OR_NOT = (Operation.EQUALS, Operation.NOT_EQUALS)
ANY_OF = (Operation.EQUALS, Operation.IN)
ANY_OF_OR_NOT = (Operation.EQUALS, Operation.IN, Operation.NOT_EQUALS, Operation.NOT_IN)
INSTANTS = (
    Operation.GREATER_THAN,
    Operation.GREATER_THAN_OR_EQUAL_TO,
    Operation.LESS_THAN,
    Operation.LESS_THAN_OR_EQUAL_TO,
)

_DESCRIPTION = (
    "Conditions that must all hold, written `filters[field][OPERATION]=value`. "
    "The values of IN and NOT_IN are separated by commas."
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the values of filters are read with."""

    now: datetime
    system_namespace: str

    @classmethod
    def of(cls, services: WebServices) -> Asked:
        return cls(services.clock(), services.settings.execution.system_namespace)


@dataclass(frozen=True, slots=True)
class SearchField(Generic[Query]):
    """A field: how a filter on it narrows a search, and the operations that it knows.

    A field ``has_keys`` if the parameter of a filter on it may name one, as for labels.
    """

    description: str
    operations: tuple[Operation, ...]
    narrow: Callable[[Query, Filter, Asked], Query]
    has_keys: bool = False


class SearchFields(Generic[Query]):
    """All fields of a search by name."""

    def __init__(self, name: str, fields: Mapping[str, SearchField[Query]]) -> None:
        """``name`` is that of the schema in the OpenAPI document."""
        self._fields = fields
        self._name = name

    def narrow(self, wanted: Query, filters: Iterable[Filter], asked: Asked) -> Query:
        """A search, narrowed by all filters.

        Raises:
            ApiError: 400, there is no such field, it knows no such operation, or the value makes no sense.
        """
        for filter in filters:
            field = self._fields.get(filter.field)
            if field is None or filter.operation not in field.operations:
                raise filter.unsupported()
            wanted = field.narrow(wanted, filter, asked)
        return wanted

    @property
    def documented(self) -> dict[str, Any]:
        """The parameter ``filters`` of a route; goes into ``openapi_extra``."""
        properties = {name: _schema(field) for name, field in self._fields.items()}
        schema = {"type": "object", "properties": properties, "additionalProperties": False}
        parameter = {
            "name": "filters",
            "in": "query",
            "required": False,
            "style": "deepObject",
            "explode": True,
            "description": _DESCRIPTION,
            "schema": named_schema(self._name, schema),
        }
        return {"parameters": [parameter]}


def _schema(field: SearchField[Any]) -> dict[str, Any]:
    value: dict[str, Any] = {"type": "string"}
    if field.has_keys:
        value = {"oneOf": [value, {"type": "object", "additionalProperties": value}]}
    return {
        "type": "object",
        "description": field.description,
        "properties": {operation.value: value for operation in field.operations},
        "additionalProperties": False,
    }


def free_text(description: str) -> SearchField[Query]:
    """Text that occurs somewhere: the attribute ``text`` of a search."""
    return SearchField(description, EQUAL, lambda wanted, filter, _: _with(wanted, text=filter.value or None))


def text_field(attribute: str, description: str) -> SearchField[Query]:
    """A field compared as text: an attribute of a search that holds conditions."""
    return SearchField(
        description, TEXTS, lambda wanted, filter, _: _also(wanted, attribute, text_match(filter))
    )


def scope_field() -> SearchField[Query]:
    return SearchField(
        "`USER`: what is outside the namespace of system flows; `SYSTEM`: what is in it.",
        EQUAL_OR_NOT,
        lambda wanted, filter, asked: _also(wanted, "namespace", scope_match(filter, asked.system_namespace)),
    )


def label_field() -> SearchField[Query]:
    return SearchField(
        "`filters[labels][OPERATION][key]=value`; without a key the value is `key:value`.",
        TEXTS,
        lambda wanted, filter, _: _also(wanted, "labels", label_match(filter)),
        has_keys=True,
    )


def instant_field(attribute: str, description: str) -> SearchField[Query]:
    """A field compared as an instant: an attribute of a search that holds a range of time."""
    return SearchField(
        description,
        INSTANTS,
        lambda wanted, filter, _: _with(wanted, **{attribute: narrowed(getattr(wanted, attribute), filter)}),
    )


def _with(wanted: Query, **changes: Any) -> Query:
    return replace(wanted, **changes)


def _also(wanted: Query, attribute: str, condition: object) -> Query:
    return _with(wanted, **{attribute: (*getattr(wanted, attribute), condition)})
