"""Flow and Webhook triggers as they are shown: no state of them is kept, what they did and said tells it.

Documentation page: ``docs/triggers.md``.
"""

from __future__ import annotations

from windhover.model.flow import Flow
from windhover.model.log import LogLevel
from windhover.model.trigger import Trigger
from windhover.model.trigger_state import TriggerKey, TriggerMemory, TriggerState
from windhover.repository.declared_triggers import fingerprint, trigger_kind
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.filters import Paging, TextMatch
from windhover.repository.logs import LogQuery
from windhover.repository.trigger_logs import trigger_log_id
from windhover.webserver.services import WebServices

_LAST = Paging(size=1)


async def reacting_state(services: WebServices, flow: Flow, trigger: Trigger) -> TriggerState:
    """The state of a trigger that waits for an execution or a request.

    It fails if the last it said is why it did not fire: since the flow was saved, and since it fired last.
    """
    key = TriggerKey(flow.tenant_id or "", flow.namespace, flow.id, trigger.id)
    executions = await services.executions.search(
        ExecutionQuery(
            key.tenant_id,
            flows=((key.namespace, key.flow_id),),
            trigger_id=(TextMatch.equal(trigger.id),),
            paging=_LAST,
        )
    )
    complaints = await services.logs.find(
        LogQuery(
            key.tenant_id,
            execution_id=trigger_log_id(key),
            min_level=LogLevel.WARN,
            descending=True,
            paging=_LAST,
        )
    )
    last = executions.results[0] if executions.results else None
    fired = None if last is None else last.state.start_date
    complaint = complaints.results[0] if complaints.results else None
    known = [instant for instant in (flow.updated, fired) if instant is not None]
    fails = complaint is not None and all(complaint.timestamp > instant for instant in known)
    if complaint is not None:
        known.append(complaint.timestamp)
    return TriggerState(
        key=key,
        kind=trigger_kind(trigger).value,
        flow_revision=flow.revision or 0,
        fingerprint=fingerprint(trigger),
        active=not (flow.disabled or trigger.disabled),
        disabled=False,
        updated=max(known, default=services.clock()),
        memory=TriggerMemory(failures=int(fails), reason=complaint.message if fails and complaint else None),
        last_triggered=fired,
    )
