"""Searches for executions as SQL. Importing this costs the import of SQLAlchemy."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Index, Select, and_, func, or_, select

from windhover.repository.execution_query import ChildFilter, DistinctField, ExecutionQuery, ExecutionSort
from windhover.repository.filters import LabelMatch, TextOperator
from windhover.repository.records import INDEXED_LENGTH, storable_text
from windhover.repository.searching import all_match, all_of, matches, none_of, occurs_in_any, one_of, ordered
from windhover.repository.searching import within as within_time
from windhover.repository.tables import execution_labels, executions

_SORT_COLUMNS: dict[ExecutionSort, tuple[ColumnElement[Any], bool]] = {
    ExecutionSort.ID: (executions.c.id, False),
    ExecutionSort.NAMESPACE: (executions.c.namespace, False),
    ExecutionSort.FLOW_ID: (executions.c.flow_id, False),
    ExecutionSort.FLOW_REVISION: (executions.c.flow_revision, False),
    ExecutionSort.STATE: (executions.c.state, False),
    ExecutionSort.START_DATE: (executions.c.start_date, False),
    ExecutionSort.END_DATE: (executions.c.end_date, True),
    ExecutionSort.DURATION: (executions.c.duration, True),
    ExecutionSort.SCHEDULE_DATE: (executions.c.schedule_date, True),
    ExecutionSort.KIND: (executions.c.kind, True),
}

_DISTINCT_COLUMNS: dict[DistinctField, ColumnElement[Any]] = {
    DistinctField.NAMESPACE: executions.c.namespace,
    DistinctField.FLOW_ID: executions.c.flow_id,
    DistinctField.FLOW_REVISION: executions.c.flow_revision,
    DistinctField.STATE: executions.c.state,
    DistinctField.KIND: executions.c.kind,
    DistinctField.PARENT_ID: executions.c.parent_id,
    DistinctField.TRIGGER_ID: executions.c.trigger_id,
    DistinctField.TRIGGER_EXECUTION_ID: executions.c.trigger_execution_id,
}

_BY_START = next(index for index in executions.indexes if index.name == "executions_by_start")


def records(query: ExecutionQuery) -> Select[Any]:
    """The records of all executions that meet the conditions, in no order."""
    return select(executions.c.data).where(_conditions(query))


def order(query: ExecutionQuery) -> list[ColumnElement[Any]]:
    """The order asked for, made complete by the id, so that no page repeats what another showed."""
    columns = []
    for key in query.sort:
        column, nullable = _SORT_COLUMNS[key.key]
        columns.append(ordered(column, descending=key.descending, nullable=nullable))
    descending = bool(query.sort) and query.sort[0].descending
    columns.append(ordered(executions.c.id, descending=descending))
    return columns


def ordered_index(query: ExecutionQuery) -> Index | None:
    """The index that has the executions in the order asked for, if there is one."""
    return _BY_START if query.sort and query.sort[0].key is ExecutionSort.START_DATE else None


def ids_after(query: ExecutionQuery, after: str | None, limit: int) -> Select[Any]:
    """The next ids after a given one, in the order of ids, which is that of creation."""
    selected = select(executions.c.id).where(_conditions(query))
    return _next(selected, after, limit)


def records_after(
    query: ExecutionQuery, after: str | None, limit: int, *, whole: bool = False
) -> Select[Any]:
    """The next records after a given execution, ``whole`` or as listings show them."""
    selected = records(query)
    return _next(selected.add_columns(executions.c.contents) if whole else selected, after, limit)


def counts_by_state(query: ExecutionQuery) -> Select[Any]:
    return select(executions.c.state, func.count()).where(_conditions(query)).group_by(executions.c.state)


def distinct_values(query: ExecutionQuery, field: DistinctField, limit: int) -> Select[Any]:
    """The values of a field, sorted; executions without one are left out."""
    column = _DISTINCT_COLUMNS[field]
    values = select(column).where(_conditions(query), column.is_not(None))
    return values.distinct().order_by(column).limit(limit)


def counts_by_flow(query: ExecutionQuery) -> Select[Any]:
    c = executions.c
    counted = select(c.namespace, c.flow_id, func.count())
    return counted.where(_conditions(query)).group_by(c.namespace, c.flow_id)


def counts_over_time(query: ExecutionQuery, bucket_micros: int) -> Select[Any]:
    """Start of the bucket, state, number and total duration of what started in it."""
    bucket = (executions.c.start_date - executions.c.start_date % bucket_micros).label("bucket")
    return (
        select(bucket, executions.c.state, func.count(), func.sum(executions.c.duration))
        .where(_conditions(query))
        .group_by(bucket, executions.c.state)
        .order_by(bucket)
    )


def _next(selected: Select[Any], after: str | None, limit: int) -> Select[Any]:
    if after is not None:
        selected = selected.where(executions.c.id > after)
    return selected.order_by(executions.c.id).limit(limit)


def _conditions(query: ExecutionQuery) -> ColumnElement[bool]:
    c = executions.c
    return all_of(
        (
            c.tenant_id == query.tenant_id,
            occurs_in_any((c.id, c.namespace, c.flow_id), query.text),
            one_of(c.id, query.ids),
            all_match(c.namespace, query.namespace),
            all_match(c.flow_id, query.flow_id),
            _one_of_flows(query.flows),
            None if query.flow_revision is None else c.flow_revision == query.flow_revision,
            one_of(c.state, [state.value for state in query.states]),
            none_of(c.state, [state.value for state in query.excluded_states]),
            within_time(c.start_date, query.started),
            within_time(c.end_date, query.ended),
            _started_or_ended(query),
            *(_has_label(label) for label in query.labels),
            _of_kind(query),
            None if query.parent_id is None else c.parent_id == query.parent_id,
            _replays_of(query.original_id),
            all_match(c.trigger_id, query.trigger_id),
            None
            if query.trigger_execution_id is None
            else c.trigger_execution_id == query.trigger_execution_id,
            _child(query.child),
        )
    )


def _one_of_flows(flows: tuple[tuple[str, str], ...]) -> ColumnElement[bool] | None:
    if not flows:
        return None
    c = executions.c
    return or_(*(and_(c.namespace == namespace, c.flow_id == flow_id) for namespace, flow_id in flows))


def _started_or_ended(query: ExecutionQuery) -> ColumnElement[bool] | None:
    started = within_time(executions.c.start_date, query.started_or_ended)
    ended = within_time(executions.c.end_date, query.started_or_ended)
    return None if started is None or ended is None else or_(started, ended)


def _has_label(label: LabelMatch) -> ColumnElement[bool]:
    c = execution_labels.c
    condition: ColumnElement[bool] = c.key == storable_text(label.key)[:INDEXED_LENGTH]
    if label.value is not None:
        value = label.value
        if value.operator in (TextOperator.EQUALS, TextOperator.NOT_EQUALS):
            cut = tuple(text[:INDEXED_LENGTH] for text in value.values)
            value = type(value)(value.operator, cut)
        condition = and_(condition, matches(c.value, value))
    labelled = executions.c.id.in_(select(c.execution_id).where(condition))
    return ~labelled if label.excluded else labelled


def _of_kind(query: ExecutionQuery) -> ColumnElement[bool] | None:
    kinds = one_of(executions.c.kind, query.kinds)
    if not query.without_kind:
        return kinds
    ordinary = executions.c.kind.is_(None)
    return ordinary if kinds is None else or_(ordinary, kinds)


def _replays_of(original_id: str | None) -> ColumnElement[bool] | None:
    """The execution itself and what was replayed from it."""
    if original_id is None:
        return None
    c = executions.c
    replayed = and_(c.original_id == original_id, c.original_id != c.id)
    return or_(c.id == original_id, replayed)


def _child(child: ChildFilter | None) -> ColumnElement[bool] | None:
    if child is None:
        return None
    column = executions.c.trigger_execution_id
    return column.is_not(None) if child is ChildFilter.CHILD else column.is_(None)
