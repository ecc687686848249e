"""What a query string says of the flows that are wanted."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace
from starlette.datastructures import QueryParams

from windhover.repository.filters import TextMatch
from windhover.repository.flows import FlowQuery, FlowSort
from windhover.webserver.errors import bad_request
from windhover.webserver.parameters import split_sort
from windhover.webserver.query_filters import (
    Filter,
    label_match,
    old_labels,
    read_filters,
    scope_match,
    text_match,
)


def flow_query(tenant: str, query: QueryParams, system_namespace: str) -> FlowQuery:
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
    for filter in read_filters(query):
        wanted = _add(wanted, filter, system_namespace)
    return wanted


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


def _add(wanted: FlowQuery, filter: Filter, system_namespace: str) -> FlowQuery:
    match filter.field:
        case "q":
            return replace(wanted, text=filter.value or None)
        case "scope":
            return replace(wanted, namespace=(*wanted.namespace, scope_match(filter, system_namespace)))
        case "namespace":
            return replace(wanted, namespace=(*wanted.namespace, text_match(filter)))
        case "flowId" | "id":
            return replace(wanted, flow_id=(*wanted.flow_id, text_match(filter)))
        case "labels":
            return replace(wanted, labels=(*wanted.labels, label_match(filter)))
    raise filter.unsupported()
