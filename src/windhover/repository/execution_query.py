"""What executions are searched for by.

Documentation page: ``docs/databases.md``.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from windhover.model.state import StateType
from windhover.repository.filters import FIRST_PAGE, LabelMatch, Paging, TextMatch, TimeRange


class ExecutionSort(StrEnum):
    """What executions can be sorted by, named as the API names it. Those without a value come last."""

    ID = "id"
    NAMESPACE = "namespace"
    FLOW_ID = "flowId"
    FLOW_REVISION = "flowRevision"
    STATE = "state.current"
    START_DATE = "state.startDate"
    END_DATE = "state.endDate"
    DURATION = "state.duration"
    SCHEDULE_DATE = "scheduleDate"
    KIND = "kind"


class SortBy(msgspec.Struct, frozen=True):
    """One key of an order."""

    key: ExecutionSort
    descending: bool = False


class ChildFilter(StrEnum):
    """Executions that another execution started (CHILD), or all others (MAIN)."""

    CHILD = "CHILD"
    MAIN = "MAIN"


class DistinctField(StrEnum):
    """The fields whose values can be listed."""

    NAMESPACE = "namespace"
    FLOW_ID = "flowId"
    FLOW_REVISION = "flowRevision"
    STATE = "state"
    KIND = "kind"
    PARENT_ID = "parentId"
    TRIGGER_ID = "triggerId"
    TRIGGER_EXECUTION_ID = "triggerExecutionId"


class ExecutionQuery(msgspec.Struct, frozen=True):
    """Conditions that an execution must meet, all of them; those left out say nothing.

    ``text`` occurs in its id, namespace or flow id. ``started_or_ended`` is met by either date.
    ``kinds`` are names of kinds; ``without_kind`` selects the ordinary ones, which have none, and with both
    either will do.
    """

    tenant_id: str
    text: str | None = None
    ids: tuple[str, ...] = ()
    namespace: tuple[TextMatch, ...] = ()
    flow_id: tuple[TextMatch, ...] = ()
    flows: tuple[tuple[str, str], ...] = ()
    flow_revision: int | None = None
    states: tuple[StateType, ...] = ()
    excluded_states: tuple[StateType, ...] = ()
    started: TimeRange | None = None
    ended: TimeRange | None = None
    started_or_ended: TimeRange | None = None
    labels: tuple[LabelMatch, ...] = ()
    kinds: tuple[str, ...] = ()
    without_kind: bool = False
    parent_id: str | None = None
    original_id: str | None = None
    trigger_id: tuple[TextMatch, ...] = ()
    trigger_execution_id: str | None = None
    child: ChildFilter | None = None
    sort: tuple[SortBy, ...] = (SortBy(ExecutionSort.START_DATE, descending=True),)
    paging: Paging = FIRST_PAGE
