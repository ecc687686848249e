"""The dates of a schedule, as far as its conditions let them, and what executions are told of them.

Documentation page: ``docs/triggers.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from windhover.engine.conditions import ALWAYS, all_hold, flow_context
from windhover.engine.environment import EngineEnvironment
from windhover.engine.schedule_conditions import Asked, divide
from windhover.expression import render_value
from windhover.model.execution import JsonValue
from windhover.model.flow import Flow
from windhover.plugin.trigger import Calendar, ScheduleTrigger

#: How far a schedule looks for a date on which its conditions hold, at once and at all.
_CANDIDATES = 10_000
_YEARS = timedelta(days=3653)
_TICK = timedelta(microseconds=1)


class Slot(msgspec.Struct, frozen=True):
    """One date of a schedule, with the dates before and after it, in the zone of the schedule."""

    date: datetime
    next: datetime | None
    previous: datetime | None


class Dates:
    """The dates of a calendar on which those conditions hold that a date alone decides.

    They are given in UTC: two times of a zone compare as the clock shows them, and where clocks are put back
    that is not the order they come in. :meth:`tell` says what the clock shows.
    """

    def __init__(
        self,
        calendar: Calendar,
        holds: Callable[[Slot], bool] | None = None,
        runs: Callable[[Slot], bool] | None = None,
    ) -> None:
        """``holds`` are those conditions, and ``runs`` those that are asked when a date is due."""
        self._calendar = calendar
        self._holds = holds
        self._runs = runs
        #: Where the last search for a next date gave up: on no date until then do conditions hold.
        self.searched_until: datetime | None = None

    def next_after(self, instant: datetime) -> datetime | None:
        """The first date after an instant.

        None when there is none within ten years, or none among many: then ``searched_until`` says from where
        to search on.
        """
        self.searched_until = None
        return self._walk(instant, ahead=True)

    def previous_before(self, instant: datetime) -> datetime | None:
        """The last date before an instant; None when there is none within ten years."""
        return self._walk(instant, ahead=False)

    def slot(self, date: datetime) -> Slot:
        """A date of the schedule and those around it, in its zone."""
        after, before = self.next_after(date), self.previous_before(date)
        return Slot(
            self.tell(date),
            None if after is None else self.tell(after),
            None if before is None else self.tell(before),
        )

    def runs(self, slot: Slot) -> bool:
        """Whether a date that is due runs, as far as it is not the date that decides.

        Raises:
            windhover.plugin.condition.ConditionError: it cannot be told.
        """
        return self._runs is None or self._runs(slot)

    def tell(self, date: datetime) -> datetime:
        """A date of the schedule in its zone."""
        return self._calendar.previous_before(date.astimezone(UTC) + _TICK) or date

    def _walk(self, instant: datetime, *, ahead: bool) -> datetime | None:
        instant = instant.astimezone(UTC)
        on, back = self._calendar.next_after, self._calendar.previous_before
        if not ahead:
            on, back = back, on
        date = on(instant)
        if date is None or self._holds is None:
            return None if date is None else date.astimezone(UTC)
        behind = back(date)
        for _ in range(_CANDIDATES):
            found = None if date is None else date.astimezone(UTC)
            if date is None or found is None or abs(found - instant) > _YEARS:
                self.searched_until = None
                return None
            beyond = on(found)
            around = (beyond, behind) if ahead else (behind, beyond)
            if self._holds(Slot(date, *around)):
                self.searched_until = None
                return found
            if ahead:
                self.searched_until = found
            behind, date = date, beyond
        return None


def schedule_dates(flow: Flow, trigger: ScheduleTrigger, environment: EngineEnvironment, zone: str) -> Dates:
    """The dates on which a schedule runs; ``zone`` is the time zone of a trigger that names none.

    Raises:
        ValueError: what was rendered holds no dates.
        windhover.expression.ExpressionError: an expression cannot be rendered.
    """

    def render(template: JsonValue) -> JsonValue:
        variables = {"flow": {"id": flow.id, "namespace": flow.namespace}, "vars": flow.variables or {}}
        return render_value(template, environment.scope(variables, ""), typed=True)

    def ask(asked: Asked) -> Callable[[Slot], bool] | None:
        def holds(slot: Slot) -> bool:
            context = flow_context(flow, schedule_variables(slot), environment)
            return all_hold(asked.conditions, asked.when, context)

        return holds if asked else None

    ahead, when_due = divide(trigger)
    return Dates(trigger.calendar(zone, render), ask(ahead), ask(when_due))


def is_conditional(trigger: ScheduleTrigger) -> bool:
    """Whether a schedule has conditions, and so may run on some of its dates only."""
    return bool(trigger.all_conditions) or trigger.when != ALWAYS


def schedule_variables(slot: Slot) -> dict[str, JsonValue]:
    """The variable ``trigger`` of an execution that a schedule starts."""
    dates = {"date": slot.date, "next": slot.next, "previous": slot.previous}
    return {name: date_text(date) for name, date in dates.items() if date is not None}


def date_text(date: datetime) -> str:
    """A date in its zone, to the second: ``2026-11-21T09:00:00+01:00``."""
    text = date.isoformat(timespec="seconds")
    return text.replace("+00:00", "Z")
