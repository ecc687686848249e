"""Who may run: the concurrency limits of flows.

A slot is never counted up or down. The holders of a flow's slots are its executions that are under way,
read from the repository when the flow is first met and followed from there; so no slot can be lost, and
none can be given twice. The limit is that of the flow's latest revision.

Documentation page: ``docs/concurrency.md``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from enum import Enum, auto
from itertools import pairwise

import msgspec

from windhover.engine.live import LiveExecution
from windhover.model.concurrency import ConcurrencyBehavior
from windhover.model.execution import Execution
from windhover.model.flow import Flow
from windhover.model.state import TERMINATED, StateType
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.executions import ExecutionRepository
from windhover.repository.flow_definitions import FlowDefinitions, FlowNotFound, FlowUnreadable

FlowKey = tuple[str, str, str]

#: States in which an execution does not hold a slot, though it has not ended.
_WAITING = frozenset({StateType.CREATED, StateType.QUEUED})
_NOT_LET_IN = _WAITING | {StateType.RESTARTED}
_HOLDING = tuple(state for state in StateType if state not in TERMINATED and state not in _WAITING)

#: Executions of this kind try a flow out: they hold no slot and wait for none.
_WITHOUT_SLOT = "TEST"


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
        self,
        executions: ExecutionRepository,
        definitions: FlowDefinitions,
        in_memory: Callable[[FlowKey], Iterable[LiveExecution]],
    ) -> None:
        """``in_memory`` gives the executions of a flow that are in memory: what they are now may not have
        been written yet, and some have an end state and hold their slot until their last tasks have run."""
        self._executions = executions
        self._definitions = definitions
        self._in_memory = in_memory
        self._slots: dict[FlowKey, _Slots] = {}

    async def ask(self, flow: Flow, record: Execution) -> Verdict:
        """Whether an execution may start; it holds a slot, or its place in the queue, from here on."""
        slots = self._slots.get(flow_key(record))
        if record.kind == _WITHOUT_SLOT or (flow.concurrency is None and slots is None):
            return Verdict.RUN
        slots = await self._of(flow)
        slots.queue.pop(record.id, None)
        # One that is restarted while its last tasks still run has its slot already.
        slots.holders.discard(record.id)
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
        if slots is not None and record.kind != _WITHOUT_SLOT:
            slots.queue.pop(record.id, None)
            slots.holders.add(record.id)

    def leave_queue(self, record: Execution) -> None:
        """An execution waits for its turn no longer: it ends without having run."""
        slots = self._slots.get(flow_key(record))
        if slots is not None:
            slots.queue.pop(record.id, None)

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
        return await self.look_again(flow)

    async def look_again(self, flow: Flow) -> list[str]:
        """The ids of executions of a flow that wait, and may start."""
        return self._released(await self._of(flow))

    def forget(self, record: Execution) -> None:
        """What is known of an execution's flow is wrong: it is read again when it is next asked for."""
        self._slots.pop(flow_key(record), None)

    def _released(self, slots: _Slots) -> list[str]:
        released = []
        while slots.queue and slots.has_room:
            execution_id, _ = slots.queue.popitem(last=False)
            slots.holders.add(execution_id)
            released.append(execution_id)
        return released

    async def _of(self, flow: Flow) -> _Slots:
        key = (flow.tenant_id or "", flow.namespace, flow.id)
        slots = self._slots.get(key)
        if slots is None:
            flow = await self._latest(flow)
        limit = flow.concurrency.limit if flow.concurrency is not None else None
        revision = flow.revision or 0
        if slots is None:
            slots = self._slots[key] = _Slots(revision, limit)
            await self._fill(slots, key)
        elif revision >= slots.revision:
            slots.revision, slots.limit = revision, limit
        return slots

    async def _fill(self, slots: _Slots, key: FlowKey) -> None:
        """Find out who holds the slots of a flow and who waits for them."""
        tenant, namespace, flow_id = key
        queued = []
        known = set()
        for live in self._in_memory(key):
            known.add(live.record.id)
            state = live.record.state.current
            if live.record.kind == _WITHOUT_SLOT:
                continue
            if state is StateType.QUEUED:
                queued.append(live.record.id)
            elif state in _HOLDING or (live.root.open and _has_run(live.record)):
                slots.holders.add(live.record.id)
        states = (StateType.QUEUED, *_HOLDING)
        query = ExecutionQuery(tenant, flows=((namespace, flow_id),), states=states)
        async for record in self._executions.stream(query):
            if record.id in known or record.kind == _WITHOUT_SLOT:
                continue
            if record.state.current is StateType.QUEUED:
                queued.append(record.id)
            else:
                slots.holders.add(record.id)
        # Ids are in the order of creation.
        slots.queue.update(dict.fromkeys(sorted(queued)))

    async def _latest(self, flow: Flow) -> Flow:
        """The latest revision of a flow; the one given where that cannot be had."""
        try:
            return await self._definitions.get(flow.tenant_id or "", flow.namespace, flow.id)
        except (FlowNotFound, FlowUnreadable):
            return flow


def _has_run(record: Execution) -> bool:
    """It was let in; what ended while it waited holds no slot for the tasks that run after its end."""
    states = [change.state for change in record.state.histories]
    for before, state in reversed([*pairwise([None, *states])]):
        # A pause that a kill has ended shows as RESTARTED, too.
        resumed = state is StateType.RESTARTED and before is StateType.PAUSED
        if not resumed and state not in TERMINATED and state is not StateType.KILLING:
            return state not in _NOT_LET_IN
    return False


def flow_key(record: Execution) -> FlowKey:
    """The flow of an execution, whatever its revision."""
    return record.tenant_id, record.namespace, record.flow_id
