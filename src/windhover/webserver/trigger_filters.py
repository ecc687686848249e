"""What a query string says of the triggers that are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace
from starlette.datastructures import QueryParams

from windhover.repository.filters import TextMatch, TimeRange
from windhover.repository.triggers import TriggerQuery, TriggerSort
from windhover.webserver.errors import bad_request
from windhover.webserver.parameters import split_sort
from windhover.webserver.query_filters import Filter, read_filters, since
from windhover.webserver.search_fields import (
    EQUAL,
    EQUAL_OR_NOT,
    Asked,
    SearchField,
    SearchFields,
    free_text,
    instant_field,
    scope_field,
    text_field,
)

_SORTS = {
    **{sort.value: sort for sort in TriggerSort},
    "nextEvaluationDate": TriggerSort.NEXT_DATE,
    "lastTriggeredDate": TriggerSort.LAST_TRIGGERED,
}

_NEXT = "NEXT_EXECUTION_DATE"
_LAST = "LAST_TRIGGERED_DATE"


def trigger_query(
    tenant: str,
    query: QueryParams,
    now: datetime,
    system_namespace: str,
    more: Sequence[Filter] = (),
) -> TriggerQuery:
    """The conditions of a query string: ``filters[…]``, and the older form of single parameters.

    ``more`` are filters that the request has elsewhere. `startDate`, `endDate` and `timeRange` are about the
    date that ``dateFilter`` names, the next one if there is no such parameter.

    Raises:
        ApiError: 400, a condition cannot be understood.
    """
    namespace, flow_id, worker = query.get("namespace"), query.get("flowId"), query.get("workerId")
    wanted = TriggerQuery(
        tenant,
        text=query.get("q") or None,
        namespace=(TextMatch.prefix(namespace),) if namespace else (),
        flow_id=(TextMatch.equal(flow_id),) if flow_id else (),
        worker_id=(TextMatch.equal(worker),) if worker else (),
    )
    dates = query.get("dateFilter") or _NEXT
    if dates not in (_NEXT, _LAST):
        raise bad_request(f"`dateFilter` is {_NEXT} or {_LAST}, not `{dates}`.")
    fields = _FIELDS if dates == _NEXT else _FIELDS_OF_THE_LAST
    return fields.narrow(wanted, (*read_filters(query), *more), Asked(now, system_namespace))


def trigger_sort(sort: Sequence[str] | None) -> tuple[TriggerSort, bool]:
    """The order that is asked for, and whether it is descending.

    Raises:
        ApiError: 400, triggers are not sorted by that.
    """
    if not sort:
        return TriggerSort.FLOW_ID, False
    key, descending = split_sort(sort[0])
    if key not in _SORTS:
        raise bad_request(f"Triggers cannot be sorted by `{key}`; they can by {', '.join(_SORTS)}.")
    return _SORTS[key], descending


def _ahead(wanted: TriggerQuery, filter: Filter, asked: Asked) -> TriggerQuery:
    """Dates to come lie as far ahead as those that have passed lie back."""
    span = asked.now - since(filter.value, asked.now)
    return replace(wanted, next_date=TimeRange(asked.now, asked.now + span))


def _back(wanted: TriggerQuery, filter: Filter, asked: Asked) -> TriggerQuery:
    return replace(wanted, last_triggered=TimeRange(since(filter.value, asked.now), None))


def _is(filter: Filter, value: str) -> bool:
    return (filter.value.upper() == value) != filter.operation.excludes


_ID: SearchField[TriggerQuery] = text_field("trigger_id", "The id of the trigger.")
_NEXT_DATE: SearchField[TriggerQuery] = instant_field("next_date", "When it is looked at next.")
_LAST_DATE: SearchField[TriggerQuery] = instant_field("last_triggered", "When it last started an execution.")
_COMMON: dict[str, SearchField[TriggerQuery]] = {
    "q": free_text("Text in the id, the namespace or the id of the flow."),
    "scope": scope_field(),
    "namespace": text_field("namespace", "The namespace."),
    "flowId": text_field("flow_id", "The id of the flow."),
    "triggerId": _ID,
    "id": _ID,
    "workerId": text_field("worker_id", "The worker that looks or listens."),
    "triggerState": SearchField(
        "`ENABLED` or `DISABLED`.",
        EQUAL_OR_NOT,
        lambda wanted, filter, _: replace(wanted, disabled=_is(filter, "DISABLED")),
    ),
    "locked": SearchField(
        "Whether it waits for an execution: `true` or `false`.",
        EQUAL_OR_NOT,
        lambda wanted, filter, _: replace(wanted, locked=_is(filter, "TRUE")),
    ),
    "nextExecutionDate": _NEXT_DATE,
    "lastTriggeredDate": _LAST_DATE,
}
_SPAN = "A span of time such as `PT24H`, ahead or back, as `dateFilter` says."
_FIELDS: SearchFields[TriggerQuery] = SearchFields(
    "TriggerFilters",
    {
        **_COMMON,
        "startDate": _NEXT_DATE,
        "endDate": _NEXT_DATE,
        "timeRange": SearchField(_SPAN, EQUAL, _ahead),
    },
)
_FIELDS_OF_THE_LAST: SearchFields[TriggerQuery] = SearchFields(
    "TriggerFilters",
    {
        **_COMMON,
        "startDate": _LAST_DATE,
        "endDate": _LAST_DATE,
        "timeRange": SearchField(_SPAN, EQUAL, _back),
    },
)
#: What routes that search triggers take, for the OpenAPI document.
TRIGGER_FILTERS = _FIELDS.documented
