"""``io.kestra.plugin.kestra.triggers.ScheduleMonitor``"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from windhover.core.kestra.server_task import Credentials
from windhover.model.execution import JsonValue
from windhover.model.trigger_state import TriggerState
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output
from windhover.plugin.trigger import Event, PollingTrigger
from windhover.plugin.types import Duration
from windhover.util.instants import instant_text


class ScheduleMonitorOutput(Output):
    """What ``trigger`` has: the schedules that something is wrong with, and what."""

    data: list[dict[str, JsonValue]]


class ScheduleMonitor(PollingTrigger[ScheduleMonitorOutput]):
    """Watch the schedules of flows, and start an execution when some are overdue.

    A schedule is overdue when its next date has passed for longer than `allowedDelay`, when it has no next
    date, or when it has not run for `maxExecutionInterval`. It looks at the server it runs on.
    """

    type_name = "io.kestra.plugin.kestra.triggers.ScheduleMonitor"
    examples = (
        Example(
            title="Tell when a schedule has not run for a day.",
            full=True,
            code="""\
id: watch
namespace: company.team
tasks:
  - id: tell
    type: io.kestra.plugin.core.log.Log
    message: "Overdue: {{ trigger.data | jq('.[].triggerId') }}"
triggers:
  - id: schedules
    type: io.kestra.plugin.kestra.triggers.ScheduleMonitor
    interval: PT5M
    maxExecutionInterval: P1D
""",
        ),
    )

    namespace: Annotated[str | None, Field(description="Without `flowId`, those below it, too.")] = None
    flow_id: Annotated[str | None, Field(description="Only schedules of this flow.")] = None
    include_disabled: Annotated[bool, Field(description="Also tell those that are disabled.")] = False
    allowed_delay: Annotated[
        Duration, Field(description="How long after its date a schedule may still wait.")
    ] = timedelta(minutes=1)
    max_execution_interval: Annotated[
        Duration | None, Field(description="After which time without a run a schedule is overdue.")
    ] = None
    kestra_url: Annotated[
        str | None, Field(description="Accepted; the trigger looks at the server it runs on.")
    ] = None
    auth: Annotated[
        Credentials | None, Field(description="Accepted; a server needs no credentials for itself.")
    ] = None
    tenant_id: Annotated[str | None, Field(description="The tenant; there is no other than the flow's.")] = (
        None
    )

    async def poll(self, ctx: RunContext) -> Event[ScheduleMonitorOutput] | None:
        now = ctx.now()
        states = await ctx.server.triggers.schedules(namespace=self.namespace, flow_id=self.flow_id)
        wrong = [(state, reason) for state in states if (reason := self._problem(state, now)) is not None]
        if not wrong:
            return None
        return Event(ScheduleMonitorOutput(data=[_row(state, reason) for state, reason in wrong]))

    def _problem(self, state: TriggerState, now: datetime) -> str | None:
        """What is wrong with a schedule; None when nothing is."""
        if state.disabled or not state.active:
            return "It is disabled." if self.include_disabled else None
        if state.next_date is None:
            return "It has no next date."
        if now > state.next_date + self.allowed_delay:
            return "Its date has passed."
        longest, last = self.max_execution_interval, state.last_triggered
        if longest is not None and last is not None and now > last + longest:
            return "It has not run for too long."
        return None


def _row(state: TriggerState, reason: str) -> dict[str, JsonValue]:
    shown = {
        "namespace": state.key.namespace,
        "flowId": state.key.flow_id,
        "triggerId": state.key.trigger_id,
        "disabled": state.disabled or not state.active,
        "nextExecutionDate": None if state.next_date is None else instant_text(state.next_date),
        "lastTriggeredDate": None if state.last_triggered is None else instant_text(state.last_triggered),
        "reason": reason,
    }
    return {name: value for name, value in shown.items() if value is not None}
