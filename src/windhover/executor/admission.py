"""Who may run: the concurrency limits of flows.

A slot is never counted up or down. The holders of a flow's slots are its executions that are under way,
read from the repository when the flow is first met and followed from there; so no slot can be lost, and
none can be given twice.

Documentation page: ``docs/concurrency.md``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from enum import Enum, auto

import msgspec

from windhover.model.concurrency import ConcurrencyBehavior
from windhover.model.execution import Execution
from windhover.model.flow import Flow
from windhover.model.state import TERMINATED, StateType
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.executions import ExecutionRepository

FlowKey = tuple[str, str, str]

#: States in which an execution does not hold a slot, though it has not ended.
_WAITING = frozenset({StateType.CREATED, StateType.QUEUED})
_HOLDING = tuple(state for state in StateType if state not in TERMINATED and state not in _WAITING)


class Verdict(Enum):
    """What becomes of an execution that wants to start."""

    RUN = auto()
    QUEUE = auto()
    CANCEL = auto()
    FAIL = auto()


_VERDICTS = {
    ConcurrencyBehavior.QUEUE: Verdict.QUEUE,
    ConcurrencyBehavior.CANCEL: Verdict.CANCEL,
    ConcurrencyBehavior.FAIL: Verdict.FAIL,
}


class _Slots(msgspec.Struct):
    """The executions of one flow that run, and those that wait for it, the oldest first."""

    revision: int
    limit: int | None
    holders: set[str] = msgspec.field(default_factory=set)
    queue: OrderedDict[str, None] = msgspec.field(default_factory=OrderedDict)

    @property
    def has_room(self) -> bool:
        return self.limit is None or len(self.holders) < self.limit


class Admission:
    """Decides which executions of flows with a concurrency limit run now."""

    def __init__(
        self, executions: ExecutionRepository, under_way: Callable[[FlowKey], Iterable[str]]
    ) -> None:
        """``under_way`` gives the executions of a flow that are in memory: some have an end state, and
        hold their slot until their last tasks have run."""
        self._executions = executions
        self._under_way = under_way
        self._slots: dict[FlowKey, _Slots] = {}

    async def ask(self, flow: Flow, record: Execution) -> Verdict:
        """Whether an execution may start; it holds a slot, or its place in the queue, from here on."""
        slots = self._slots.get(flow_key(record))
        if flow.concurrency is None and slots is None:
            return Verdict.RUN
        slots = await self._of(flow)
        slots.queue.pop(record.id, None)
        if slots.has_room:
            slots.holders.add(record.id)
            return Verdict.RUN
        behavior = flow.concurrency.behavior if flow.concurrency is not None else ConcurrencyBehavior.QUEUE
        verdict = _VERDICTS[behavior]
        if verdict is Verdict.QUEUE:
            slots.queue[record.id] = None
        return verdict

    def force(self, record: Execution) -> None:
        """Let an execution run whatever the limit says."""
        slots = self._slots.get(flow_key(record))
        if slots is not None:
            slots.queue.pop(record.id, None)
            slots.holders.add(record.id)

    def leave(self, record: Execution) -> list[str]:
        """An execution is over, or gone: returns the ids of those that may start in its place."""
        slots = self._slots.get(flow_key(record))
        if slots is None:
            return []
        slots.queue.pop(record.id, None)
        slots.holders.discard(record.id)
        return self._released(slots)

    async def flow_changed(self, flow: Flow) -> list[str]:
        """A revision was saved: returns the ids of executions that may start under its limit."""
        key = (flow.tenant_id or "", flow.namespace, flow.id)
        if flow.concurrency is None and key not in self._slots:
            return []
        return self._released(await self._of(flow))

    def _released(self, slots: _Slots) -> list[str]:
        released = []
        while slots.queue and slots.has_room:
            execution_id, _ = slots.queue.popitem(last=False)
            slots.holders.add(execution_id)
            released.append(execution_id)
        return released

    async def _of(self, flow: Flow) -> _Slots:
        key = (flow.tenant_id or "", flow.namespace, flow.id)
        limit = flow.concurrency.limit if flow.concurrency is not None else None
        revision = flow.revision or 0
        slots = self._slots.get(key)
        if slots is None:
            slots = self._slots[key] = _Slots(revision, limit)
            slots.holders.update(self._under_way(key))
            states = (StateType.QUEUED, *_HOLDING)
            query = ExecutionQuery(flow.tenant_id or "", flows=((flow.namespace, flow.id),), states=states)
            async for record in self._executions.stream(query):
                if record.state.current is StateType.QUEUED:
                    slots.queue[record.id] = None
                elif record.state.current in _HOLDING:
                    slots.holders.add(record.id)
        elif revision >= slots.revision:
            slots.revision, slots.limit = revision, limit
        return slots


def flow_key(record: Execution) -> FlowKey:
    """The flow of an execution, whatever its revision."""
    return record.tenant_id, record.namespace, record.flow_id
