"""What a query string says of the flows that are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from starlette.datastructures import QueryParams

from windhover.repository.filters import TextMatch
from windhover.repository.flows import FlowQuery, FlowSort
from windhover.webserver.errors import bad_request
from windhover.webserver.parameters import split_sort
from windhover.webserver.query_filters import old_labels, read_filters
from windhover.webserver.search_fields import (
    Asked,
    SearchField,
    SearchFields,
    free_text,
    label_field,
    scope_field,
    text_field,
)


def flow_query(tenant: str, query: QueryParams, now: datetime, system_namespace: str) -> FlowQuery:
    """The conditions of a query string: ``filters[…]``, and the older form of single parameters.

    Raises:
        ApiError: 400, a condition cannot be understood.
    """
    namespace = query.get("namespace")
    wanted = FlowQuery(
        tenant,
        text=query.get("q") or None,
        namespace=(TextMatch.prefix(namespace),) if namespace else (),
        labels=old_labels(query.getlist("labels")),
    )
    return _FIELDS.narrow(wanted, read_filters(query), Asked(now, system_namespace))


def flow_sort(sort: Sequence[str] | None) -> tuple[FlowSort, bool]:
    """The order that is asked for, and whether it is descending; by id where none is.

    Raises:
        ApiError: 400, flows are not sorted by that.
    """
    if not sort:
        return FlowSort.ID, False
    key, descending = split_sort(sort[0])
    if key not in set(FlowSort):
        raise bad_request(f"Flows cannot be sorted by `{key}`; they can by {', '.join(FlowSort)}.")
    return FlowSort(key), descending


_ID: SearchField[FlowQuery] = text_field("flow_id", "The id of the flow.")
_FIELDS: SearchFields[FlowQuery] = SearchFields(
    "FlowFilters",
    {
        "q": free_text(
            "Text in the id, the namespace or the description; in a search of sources, in the source."
        ),
        "scope": scope_field(),
        "namespace": text_field("namespace", "The namespace."),
        "flowId": _ID,
        "id": _ID,
        "labels": label_field(),
    },
)
#: What routes that search flows take, for the OpenAPI document.
FLOW_FILTERS = _FIELDS.documented
