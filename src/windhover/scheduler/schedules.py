"""A look at a schedule that is due: the executions it starts, and when it is looked at again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from windhover.engine.environment import EngineEnvironment
from windhover.engine.firing import FROM_TRIGGER, Firing, Occasion, failed_firing, fire
from windhover.engine.schedule_dates import Dates, Slot, date_text, schedule_dates, schedule_variables
from windhover.expression import ExpressionError
from windhover.model.execution import JsonValue, Label
from windhover.model.flow import Flow
from windhover.model.log import LogEntry, LogLevel
from windhover.model.trigger_state import TriggerState
from windhover.plugin.condition import ConditionError
from windhover.plugin.trigger import RecoverMissedSchedules, ScheduleTrigger
from windhover.repository.trigger_logs import TriggerJournal
from windhover.repository.triggers import Evaluation, TriggerEvent
from windhover.scheduler.slots import Rules, decide

#: After a failure a trigger is looked at again in 2 s, 4 s, 8 s and so on, but at least this often.
LONGEST_PAUSE = timedelta(minutes=10)


@dataclass(slots=True)
class Outcome:
    """What a look leaves to be written in one transaction."""

    evaluation: Evaluation
    events: list[TriggerEvent] = field(default_factory=list)
    logs: list[LogEntry] = field(default_factory=list)


class Schedules:
    """Evaluates schedules; ``zone`` is the time zone of those that name none."""

    def __init__(
        self,
        environment: EngineEnvironment,
        journal: TriggerJournal,
        zone: str,
        recover: Mapping[str, RecoverMissedSchedules],
        watching_since: datetime,
    ) -> None:
        self._environment = environment
        self._journal = journal
        self._zone = zone
        self._recover = recover
        self._watching_since = watching_since

    def look(self, state: TriggerState, flow: Flow, trigger: ScheduleTrigger, now: datetime) -> Outcome:
        """Decide on a schedule that is due."""
        try:
            return self._decide(state, flow, trigger, now)
        except (ConditionError, ExpressionError, ValueError) as error:
            return self._failed(state, flow, trigger, str(error), now)

    def dates(self, flow: Flow, trigger: ScheduleTrigger) -> Dates:
        """The dates on which a schedule runs; raises as :func:`schedule_dates` does."""
        return schedule_dates(flow, trigger, self._environment, self._zone)

    def occasion(
        self,
        trigger: ScheduleTrigger,
        slot: Slot,
        *,
        inputs: Mapping[str, JsonValue] | None = None,
        labels: Sequence[Label] = (),
    ) -> Occasion:
        """The execution of a date, as it is asked for."""
        variables = schedule_variables(slot)
        return Occasion(
            trigger,
            variables,
            inputs=trigger.inputs,
            given_inputs=inputs,
            labels=[FROM_TRIGGER, *labels],
            context={"schedule": variables},
        )

    def _decide(self, state: TriggerState, flow: Flow, trigger: ScheduleTrigger, now: datetime) -> Outcome:
        dates = self.dates(flow, trigger)
        memory = msgspec.structs.replace(state.memory, evaluated_at=now, failures=0, reason=None)
        rules = Rules(
            self._recover_rule(trigger),
            trigger.late_maximum_delay,
            trigger.allow_concurrent,
            self._watching_since,
        )
        pending = state.next_date if state.next_date is not None else dates.next_after(_counts_from(state))
        decision = decide(dates, pending, now, rules)
        logs = [self._skipped(state, *each, now) for each in decision.skipped]
        events = [
            self._event(state, fire(flow, self.occasion(trigger, slot), self._environment, now), slot)
            for slot in decision.slots
        ]
        # A date that is too far off to be found at once is searched for again when time has come that far.
        memory.searched = dates.searched_until if decision.next_date is None else None
        memory.date = decision.slots[-1].date if decision.slots else memory.date
        held = events[-1].execution.id if events else None
        waits = held is not None and not trigger.allow_concurrent
        evaluation = Evaluation(
            state,
            memory,
            due=None if waits else decision.next_date or memory.searched,
            next_date=decision.next_date,
            last_triggered=now if events else state.last_triggered,
            execution_id=held,
        )
        return Outcome(evaluation, events, logs)

    def _recover_rule(self, trigger: ScheduleTrigger) -> RecoverMissedSchedules:
        if trigger.recover_missed_schedules is not None:
            return trigger.recover_missed_schedules
        return self._recover.get(trigger.type_name, RecoverMissedSchedules.ALL)

    def _event(self, state: TriggerState, firing: Firing, slot: Slot) -> TriggerEvent:
        return TriggerEvent(
            state.key, slot_key(slot.date), firing.execution, numbered(firing.logs), state.lease, slot.date
        )

    def _skipped(
        self, state: TriggerState, first: datetime, last: datetime, reason: str, now: datetime
    ) -> LogEntry:
        span = f"{date_text(first)}" if first == last else f"{date_text(first)} to {date_text(last)}"
        return self._journal.line(state.key, LogLevel.WARN, f"Not run, {reason}: {span}", now)

    def _failed(
        self, state: TriggerState, flow: Flow, trigger: ScheduleTrigger, reason: str, now: datetime
    ) -> Outcome:
        outcome = failed_look(state, reason, now, self._journal)
        date = state.next_date
        if date is None or date > now or not trigger.fail_on_trigger_error:
            return outcome
        slot = Slot(date, None, None)
        firing = failed_firing(flow, self.occasion(trigger, slot), reason, self._environment, now)
        following = self._following(flow, trigger, date)
        # The execution is what has become of this date. Where no other can be told, it is tried again.
        if following is not None or not state.memory.failures:
            outcome.events.append(self._event(state, firing, slot))
        if following is not None:
            outcome.logs.clear()  # It is not tried again, and the log of the execution says why.
            outcome.evaluation = msgspec.structs.replace(
                outcome.evaluation,
                due=following if trigger.allow_concurrent else None,
                next_date=following,
                last_triggered=now,
                execution_id=firing.execution.id,
            )
        return outcome

    def _following(self, flow: Flow, trigger: ScheduleTrigger, date: datetime) -> datetime | None:
        """The date after another; None if there is none, or it cannot be told."""
        try:
            return self.dates(flow, trigger).next_after(date)
        except (ConditionError, ExpressionError, ValueError):
            return None


def failed_look(state: TriggerState, reason: str, now: datetime, journal: TriggerJournal) -> Outcome:
    """A look that failed: it is logged, shown on the trigger and done again, ever more seldom."""
    failures = state.memory.failures + 1
    pause = min(LONGEST_PAUSE, timedelta(seconds=2 ** min(failures, 16)))
    memory = msgspec.structs.replace(state.memory, evaluated_at=now, failures=failures, reason=reason)
    evaluation = Evaluation(
        state,
        memory,
        due=now + pause,
        next_date=state.next_date,
        last_triggered=state.last_triggered,
    )
    message = f"{reason} (tried again in {pause.total_seconds():g} s)"
    return Outcome(evaluation, logs=[journal.line(state.key, LogLevel.ERROR, message, now)])


def slot_key(date: datetime) -> str:
    """What identifies a date among the events of its trigger."""
    return f"slot/{int(date.timestamp())}"


def numbered(logs: Sequence[LogEntry]) -> list[LogEntry]:
    """The first log lines of an execution, with their numbers."""
    return [msgspec.structs.replace(line, sequence=number) for number, line in enumerate(logs, 1)]


def _counts_from(state: TriggerState) -> datetime:
    """Where a schedule without a next date begins to look for one.

    What was declared just before a date runs at it, though it is looked at a moment after.
    """
    memory = state.memory
    if (
        memory.searched is not None
        and memory.evaluated_at is not None
        and memory.evaluated_at >= state.updated
    ):
        return memory.searched
    return state.updated
