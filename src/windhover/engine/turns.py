"""Executions that wait for a turn under the limit of their flow, or do not get one.

Documentation page: ``docs/concurrency.md``.
"""

from __future__ import annotations

from datetime import timedelta

from windhover.engine.breakpoints import Breakpoints
from windhover.engine.cutting import QUEUE_TIMER
from windhover.engine.events import Refused
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.util.durations import format_duration, parse_duration


class Turns(Breakpoints):
    """Lets an execution wait before it begins, or ends it before."""

    def queue(self, limit: int) -> None:
        record = self.live.record
        since = record.state.histories[-1].date
        self.watch_durations(max(since, record.schedule_date or since))
        self.log(LogLevel.INFO, f"Execution is queued due to concurrency limit exceeded: {limit} running.")
        record.waits_for = f"The flow runs at most {limit} executions at once (`concurrency.limit`)."
        self.header_state(StateType.QUEUED)
        longest = self._longest_wait()
        if longest is not None:
            self.effects.timers_set[QUEUE_TIMER] = self.now + longest

    def _longest_wait(self) -> timedelta | None:
        concurrency = self.live.flow.concurrency
        if concurrency is not None and concurrency.max_wait is not None:
            return parse_duration(concurrency.max_wait)
        return self.environment.queue_limit

    def waited_too_long(self) -> None:
        if self.live.record.state.current is not StateType.QUEUED:
            return
        longest = format_duration(self._longest_wait() or timedelta())
        self.log(LogLevel.ERROR, f"Execution is FAILED because it waited for its turn longer than {longest}.")
        self.end_unstarted(StateType.FAILED)

    def refuse(self, event: Refused) -> None:
        state = event.state
        if not event.by_hand:
            level = LogLevel.ERROR if state is StateType.FAILED else LogLevel.INFO
            self.log(level, f"Execution is {state.value} due to concurrency limit exceeded")
        self.end_unstarted(state)

    def end_refused(self) -> None:
        """End an execution that was stored with reasons why it cannot run."""
        record = self.live.record
        for reason in record.refusals:
            trigger_id = None if record.trigger is None else record.trigger.id
            self.log(LogLevel.ERROR, reason, trigger_id=trigger_id)
        record.refusals = ()
        self.end_unstarted(StateType.FAILED)
