"""What the OpenAPI document says of ``filters`` is what searches understand, and no more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from starlette.datastructures import QueryParams

from windhover.webserver import openapi
from windhover.webserver.errors import ApiError
from windhover.webserver.execution_filters import EXECUTION_FILTERS, execution_query
from windhover.webserver.flow_filters import FLOW_FILTERS, flow_query
from windhover.webserver.log_filters import LOG_FILTERS, log_query
from windhover.webserver.query_filters import Operation
from windhover.webserver.trigger_filters import TRIGGER_FILTERS, trigger_query

NOW = datetime(2026, 1, 1, tzinfo=UTC)

Search = Callable[[str, QueryParams, datetime, str], object]
SEARCHES: list[tuple[Search, dict[str, Any]]] = [
    (execution_query, EXECUTION_FILTERS),
    (flow_query, FLOW_FILTERS),
    (log_query, LOG_FILTERS),
    (trigger_query, TRIGGER_FILTERS),
]
#: Values that make sense for fields that do not take any text.
VALUES = {
    "timeRange": "PT1H",
    "startDate": "2026-01-01T00:00:00Z",
    "endDate": "2026-01-01T00:00:00Z",
    "nextExecutionDate": "2026-01-01T00:00:00Z",
    "lastTriggeredDate": "2026-01-01T00:00:00Z",
    "state": "RUNNING",
    "level": "WARN",
    "minLevel": "WARN",
    "childFilter": "MAIN",
    "flowRevision": "1",
    "attemptNumber": "1",
}


def documented(filters: dict[str, Any]) -> dict[str, Any]:
    """The fields that a document shows, each with its operations."""
    (parameter,) = filters["parameters"]
    assert (parameter["name"], parameter["in"], parameter["style"]) == ("filters", "query", "deepObject")
    name = parameter["schema"]["$ref"].rpartition("/")[2]
    fields: dict[str, Any] = openapi._named[name]["properties"]
    return fields


@pytest.mark.parametrize(("search", "filters"), SEARCHES, ids=lambda part: getattr(part, "__name__", ""))
def test_each_operation_that_is_documented_is_understood_and_no_other(
    search: Search, filters: dict[str, Any]
) -> None:
    fields = documented(filters)
    assert {"q", "namespace", "flowId", "scope"} <= set(fields)
    for field, operation in product([*fields, "color"], Operation):
        query = QueryParams([(f"filters[{field}][{operation}]", VALUES.get(field, "text"))])
        if operation in fields.get(field, {"properties": {}})["properties"]:
            assert search("main", query, NOW, "system") != search("main", QueryParams(), NOW, "system")
        else:
            with pytest.raises(ApiError, match="cannot be searched for here"):
                search("main", query, NOW, "system")


def test_dates_of_triggers_are_about_the_one_that_is_asked_for() -> None:
    for dates, attribute in (("NEXT_EXECUTION_DATE", "next_date"), ("LAST_TRIGGERED_DATE", "last_triggered")):
        for field in ("startDate", "timeRange"):
            operation = "EQUALS" if field == "timeRange" else "GREATER_THAN"
            query = {"dateFilter": dates, f"filters[{field}][{operation}]": VALUES[field]}
            found = trigger_query("main", QueryParams(query), NOW, "system")
            given = {name for name in ("next_date", "last_triggered") if getattr(found, name) is not None}
            assert given == {attribute}


def test_labels_have_keys() -> None:
    for filters in (EXECUTION_FILTERS, FLOW_FILTERS):
        value = documented(filters)["labels"]["properties"]["EQUALS"]
        assert {"type": "object", "additionalProperties": {"type": "string"}} in value["oneOf"]
