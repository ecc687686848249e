"""What a query string says of the log lines that are wanted."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace
from starlette.datastructures import QueryParams

from windhover.model.log import LogEntry, LogLevel
from windhover.repository.filters import TextMatch, TextOperator, TimeRange
from windhover.repository.logs import LogQuery
from windhover.webserver.errors import bad_request
from windhover.webserver.execution_filters import read_kinds
from windhover.webserver.parameters import read_date, read_level, read_number
from windhover.webserver.query_filters import Filter, Operation, read_filters, since
from windhover.webserver.search_fields import (
    ANY_OF,
    ANY_OF_OR_NOT,
    EQUAL,
    Asked,
    SearchField,
    SearchFields,
    free_text,
    instant_field,
    scope_field,
    text_field,
)


def log_query(tenant: str, query: QueryParams, now: datetime, system_namespace: str = "system") -> LogQuery:
    """The conditions of a query string: ``filters[…]``, and the older form of single parameters.

    Raises:
        ApiError: 400, a condition cannot be understood.
    """
    namespace = query.get("namespace")
    time = TimeRange(
        read_date("startDate", query.get("startDate")), read_date("endDate", query.get("endDate"))
    )
    time_range = query.get("timeRange")
    if time_range:
        time = TimeRange(since(time_range, now), None)
    wanted = LogQuery(
        tenant,
        text=query.get("q") or None,
        min_level=read_level(query.get("minLevel")),
        namespace=(TextMatch.prefix(namespace),) if namespace else (),
        flow_id=_equal(query.get("flowId")),
        task_id=_equal(query.get("taskId")),
        task_run_id=_equal(query.get("taskRunId")),
        trigger_id=_equal(query.get("triggerId")),
        attempt_number=read_number("attempt", query.get("attempt")),
        time=time if time != TimeRange() else None,
    )
    return _FIELDS.narrow(wanted, read_filters(query), Asked(now, system_namespace))


def accepts(query: LogQuery, entry: LogEntry) -> bool:
    """Whether a line of the execution meets the conditions: those that the stream of one execution has.

    Raises:
        ApiError: 400, a condition is of a kind that only the search has.
    """
    return (
        (query.min_level is None or entry.level >= query.min_level)
        and (not query.levels or entry.level in query.levels)
        and (query.text is None or query.text.lower() in entry.message.lower())
        and (query.attempt_number is None or entry.attempt_number == query.attempt_number)
        and _within(query.time, entry.timestamp)
        and all(_matches(match, entry.task_id) for match in query.task_id)
        and all(_matches(match, entry.task_run_id) for match in query.task_run_id)
    )


def _matches(match: TextMatch, text: str | None) -> bool:
    match match.operator:
        case TextOperator.EQUALS:
            return text == match.values[0]
        case TextOperator.NOT_EQUALS:
            return text != match.values[0]
        case TextOperator.IN:
            return text in match.values
        case TextOperator.NOT_IN:
            return text not in match.values
    raise bad_request(f"The lines of one execution cannot be filtered by {match.operator}; search the logs.")


def _within(range_: TimeRange | None, instant: datetime) -> bool:
    if range_ is None:
        return True
    after = range_.since is None or instant >= range_.since
    return after and (range_.until is None or instant < range_.until)


def _with_level(wanted: LogQuery, filter: Filter, asked: Asked) -> LogQuery:
    """EQUALS means that level and all above, as the screens use it; IN names single levels."""
    if filter.operation in (Operation.EQUALS, Operation.GREATER_THAN_OR_EQUAL_TO):
        return replace(wanted, min_level=read_level(filter.value))
    if filter.operation is Operation.IN:
        return replace(wanted, levels=tuple(_level(name) for name in filter.values))
    excluded = {_level(name) for name in filter.values}
    return replace(wanted, levels=tuple(level for level in LogLevel if level not in excluded))


def _with_kinds(wanted: LogQuery, filter: Filter, asked: Asked) -> LogQuery:
    kinds, without_kind = read_kinds(filter.values)
    return replace(wanted, kinds=kinds, without_kind=without_kind)


def _level(name: str) -> LogLevel:
    level = read_level(name)
    if level is None:
        raise bad_request("A log level is missing.")
    return level


def _equal(text: str | None) -> tuple[TextMatch, ...]:
    return (TextMatch.equal(text),) if text else ()


_LEVEL: SearchField[LogQuery] = SearchField(
    "The level: EQUALS means that one and all above, IN single ones.",
    (Operation.GREATER_THAN_OR_EQUAL_TO, *ANY_OF_OR_NOT),
    _with_level,
)
_TIME: SearchField[LogQuery] = instant_field("time", "When the line was written.")
_FIELDS: SearchFields[LogQuery] = SearchFields(
    "LogFilters",
    {
        "q": free_text("Text in the message."),
        "scope": scope_field(),
        "namespace": text_field("namespace", "The namespace."),
        "flowId": text_field("flow_id", "The id of the flow."),
        "executionId": text_field("execution_ids", "The id of the execution."),
        "taskId": text_field("task_id", "The id of the task."),
        "taskRunId": text_field("task_run_id", "The id of the task run."),
        "triggerId": text_field("trigger_id", "The id of the trigger."),
        "attemptNumber": SearchField(
            "The attempt, from 0.",
            EQUAL,
            lambda wanted, filter, _: replace(
                wanted, attempt_number=read_number("attemptNumber", filter.value)
            ),
        ),
        "kind": SearchField("The kind of the execution.", ANY_OF, _with_kinds),
        "level": _LEVEL,
        "minLevel": _LEVEL,
        "startDate": _TIME,
        "endDate": _TIME,
        "timeRange": SearchField(
            "How long ago it was written at most, such as `PT24H`.",
            EQUAL,
            lambda wanted, filter, asked: replace(
                wanted, time=TimeRange(since(filter.value, asked.now), None)
            ),
        ),
    },
)
#: What routes that search log lines take, for the OpenAPI document.
LOG_FILTERS = _FIELDS.documented
