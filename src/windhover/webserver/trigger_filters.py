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
from windhover.webserver.query_filters import Filter, narrowed, read_filters, scope_match, since, text_match

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
    for filter in (*read_filters(query), *more):
        wanted = _add(wanted, filter, dates, now, system_namespace)
    return wanted


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


def _add(
    wanted: TriggerQuery, filter: Filter, dates: str, now: datetime, system_namespace: str
) -> TriggerQuery:
    match filter.field:
        case "q":
            return replace(wanted, text=filter.value or None)
        case "scope":
            return replace(wanted, namespace=(*wanted.namespace, scope_match(filter, system_namespace)))
        case "namespace":
            return replace(wanted, namespace=(*wanted.namespace, text_match(filter)))
        case "flowId":
            return replace(wanted, flow_id=(*wanted.flow_id, text_match(filter)))
        case "triggerId" | "id":
            return replace(wanted, trigger_id=(*wanted.trigger_id, text_match(filter)))
        case "workerId":
            return replace(wanted, worker_id=(*wanted.worker_id, text_match(filter)))
        case "triggerState":
            return replace(wanted, disabled=(filter.value.upper() == "DISABLED") != filter.operation.excludes)
        case "locked":
            return replace(wanted, locked=(filter.value.lower() == "true") != filter.operation.excludes)
        case "nextExecutionDate":
            return replace(wanted, next_date=narrowed(wanted.next_date, filter))
        case "lastTriggeredDate":
            return replace(wanted, last_triggered=narrowed(wanted.last_triggered, filter))
        case "startDate" | "endDate" if dates == _NEXT:
            return replace(wanted, next_date=narrowed(wanted.next_date, filter))
        case "startDate" | "endDate":
            return replace(wanted, last_triggered=narrowed(wanted.last_triggered, filter))
        case "timeRange" if dates == _NEXT:
            # Dates to come lie as far ahead as those that have passed lie back.
            return replace(wanted, next_date=TimeRange(now, now + (now - since(filter.value, now))))
        case "timeRange":
            return replace(wanted, last_triggered=TimeRange(since(filter.value, now), None))
    raise filter.unsupported()
