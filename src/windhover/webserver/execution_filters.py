"""What a query string says of the executions that are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace
from starlette.datastructures import QueryParams

from windhover.repository.execution_query import ChildFilter, ExecutionQuery, ExecutionSort, SortBy
from windhover.repository.filters import TextMatch, TimeRange
from windhover.webserver.errors import bad_request
from windhover.webserver.parameters import read_date, split_sort, whole_number
from windhover.webserver.query_filters import Filter, old_labels, read_filters, read_states, since, states
from windhover.webserver.search_fields import (
    ANY_OF,
    ANY_OF_OR_NOT,
    EQUAL,
    Asked,
    SearchField,
    SearchFields,
    free_text,
    instant_field,
    label_field,
    scope_field,
    text_field,
)

#: Shorter names that clients use for sort keys.
_SORT_ALIASES = {
    "startDate": "state.startDate",
    "endDate": "state.endDate",
    "duration": "state.duration",
    "state": "state.current",
}
_ORDINARY = "NORMAL"


def execution_query(tenant: str, query: QueryParams, now: datetime, system_namespace: str) -> ExecutionQuery:
    """The conditions of a query string: ``filters[…]``, and the older form of single parameters.

    Raises:
        ApiError: 400, a condition cannot be understood.
    """
    wanted = _old_form(ExecutionQuery(tenant), query, now)
    wanted = _FIELDS.narrow(wanted, read_filters(query), Asked(now, system_namespace))
    return _by_date(wanted, query.get("dateFilter"))


def _by_date(wanted: ExecutionQuery, which: str | None) -> ExecutionQuery:
    """The same, where the interval of time that is asked for is one of starts, of ends, or of either."""
    started, ended = wanted.started or TimeRange(), wanted.ended or TimeRange()
    interval = TimeRange(started.since or ended.since, ended.until or started.until)
    match which:
        case None | "":
            return wanted
        case "START_DATE":
            return replace(wanted, started=interval, ended=None)
        case "END_DATE":
            return replace(wanted, started=None, ended=interval)
        case "START_OR_END_DATE":
            return replace(wanted, started=None, ended=None, started_or_ended=interval)
    raise bad_request(
        f"There is no `dateFilter` `{which}`; there are START_DATE, END_DATE, START_OR_END_DATE."
    )


def execution_sort(sort: Sequence[str] | None) -> tuple[SortBy, ...]:
    """The order that is asked for; the newest first where none is.

    Raises:
        ApiError: 400, executions are not sorted by that.
    """
    found = []
    for text in sort or ():
        key, descending = split_sort(text)
        key = _SORT_ALIASES.get(key, key)
        if key not in set(ExecutionSort):
            raise bad_request(
                f"Executions cannot be sorted by `{key}`; they can by {', '.join(ExecutionSort)}."
            )
        found.append(SortBy(ExecutionSort(key), descending))
    return tuple(found) or (SortBy(ExecutionSort.START_DATE, descending=True),)


def _old_form(wanted: ExecutionQuery, query: QueryParams, now: datetime) -> ExecutionQuery:
    namespace, flow_id = query.get("namespace"), query.get("flowId")
    started = TimeRange(read_date("startDate", query.get("startDate")), None)
    time_range = query.get("timeRange")
    if time_range:
        started = TimeRange(since(time_range, now), None)
    older = replace(
        wanted,
        text=query.get("q") or None,
        namespace=(TextMatch.prefix(namespace),) if namespace else (),
        flow_id=(TextMatch.equal(flow_id),) if flow_id else (),
        states=read_states(text for text in query.getlist("state") if text),
        started=started if started.since else None,
        ended=_until(query.get("endDate")),
        labels=old_labels(query.getlist("labels")),
        trigger_execution_id=query.get("triggerExecutionId") or None,
        child=_child(query.get("childFilter")),
    )
    return _with_kinds(older, [query["kind"]]) if query.get("kind") else older


def _revision(filter: Filter) -> int:
    number = whole_number(filter.value)
    if number is None:
        raise bad_request(f"`{filter.name}` needs the number of a revision: `{filter.value}`")
    return number


def _until(text: str | None) -> TimeRange | None:
    date = read_date("endDate", text)
    return None if date is None else TimeRange(None, date)


def _child(text: str | None) -> ChildFilter | None:
    if not text:
        return None
    if text.upper() not in ChildFilter.__members__:
        raise bad_request(f"`childFilter` is CHILD or MAIN, not `{text}`.")
    return ChildFilter(text.upper())


def read_kinds(names: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """The kinds of executions that are named, and whether ordinary ones are, which have no kind."""
    upper = [name.upper() for name in names]
    return tuple(name for name in upper if name != _ORDINARY), _ORDINARY in upper


def _with_kinds(wanted: ExecutionQuery, names: Sequence[str]) -> ExecutionQuery:
    kinds, without_kind = read_kinds(names)
    return replace(wanted, kinds=kinds, without_kind=without_kind)


def _with_states(wanted: ExecutionQuery, filter: Filter, asked: Asked) -> ExecutionQuery:
    if filter.operation.excludes:
        return replace(wanted, excluded_states=(*wanted.excluded_states, *states(filter)))
    return replace(wanted, states=states(filter))


_ID: SearchField[ExecutionQuery] = SearchField(
    "The id of the execution.", ANY_OF, lambda wanted, filter, _: replace(wanted, ids=filter.values)
)
_FIELDS: SearchFields[ExecutionQuery] = SearchFields(
    "ExecutionFilters",
    {
        "q": free_text("Text in the id, the namespace or the id of the flow."),
        "scope": scope_field(),
        "namespace": text_field("namespace", "The namespace."),
        "flowId": text_field("flow_id", "The id of the flow."),
        "id": _ID,
        "executionId": _ID,
        "flowRevision": SearchField(
            "The revision of the flow.",
            EQUAL,
            lambda wanted, filter, _: replace(wanted, flow_revision=_revision(filter)),
        ),
        "state": SearchField("The state it is in.", ANY_OF_OR_NOT, _with_states),
        "startDate": instant_field("started", "When it was created."),
        "endDate": instant_field("ended", "When it ended."),
        "timeRange": SearchField(
            "How long ago it was created at most, such as `PT24H`.",
            EQUAL,
            lambda wanted, filter, asked: replace(
                wanted, started=TimeRange(since(filter.value, asked.now), None)
            ),
        ),
        "labels": label_field(),
        "kind": SearchField(
            "Its kind: `NORMAL`, `TEST`, `PLAYGROUND`.",
            ANY_OF,
            lambda wanted, filter, _: _with_kinds(wanted, filter.values),
        ),
        "parentId": SearchField(
            "The execution of which it is a replay.",
            EQUAL,
            lambda wanted, filter, _: replace(wanted, parent_id=filter.value),
        ),
        "triggerId": text_field("trigger_id", "The trigger, or the task, that started it."),
        "triggerExecutionId": SearchField(
            "The execution that started it.",
            EQUAL,
            lambda wanted, filter, _: replace(wanted, trigger_execution_id=filter.value),
        ),
        "childFilter": SearchField(
            "`CHILD`: started by another execution; `MAIN`: not.",
            EQUAL,
            lambda wanted, filter, _: replace(wanted, child=_child(filter.value)),
        ),
    },
)
#: What routes that search executions take, for the OpenAPI document.
EXECUTION_FILTERS = _FIELDS.documented
