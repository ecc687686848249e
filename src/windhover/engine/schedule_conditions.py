"""The conditions of a schedule: those that a date alone decides, and those that are asked when it is due.

Dates are searched for with the former. What the latter will say, which read a stored value or the clock,
cannot be told before: a schedule that waited for a date on which they hold by what is known now would sleep
through all others.

Documentation page: ``docs/conditions.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from windhover.engine.conditions import ALWAYS, own_conditions
from windhover.expression import ExpressionError, compile_template, has_expression
from windhover.plugin.condition import ConditionType, ScheduleConditionType
from windhover.plugin.trigger import ScheduleTrigger

#: Functions whose result follows from their arguments, and which are of use with dates.
_OF_DATES = frozenset(
    {
        "dayOfMonth",
        "dayOfWeek",
        "hourOfDay",
        "isDateBetween",
        "isDayWeekInMonth",
        "isLastWorkingDay",
        "isPublicHoliday",
        "isWeekend",
        "max",
        "min",
        "monthOfYear",
        "range",
    }
)


class Asked(msgspec.Struct, frozen=True):
    """Conditions that are asked together, and a `when`."""

    conditions: list[ConditionType]
    when: str = ALWAYS

    def __bool__(self) -> bool:
        return bool(self.conditions) or self.when != ALWAYS


def divide(trigger: ScheduleTrigger) -> tuple[Asked, Asked]:
    """The conditions that the date alone decides, and those that are asked when it is due."""
    ahead: list[ConditionType] = []
    when_due: list[ConditionType] = []
    for condition in own_conditions(trigger):
        (ahead if _follows_from_date(condition) else when_due).append(condition)
    if trigger.when == ALWAYS or _reads_dates_alone(trigger.when):
        return Asked(ahead, trigger.when), Asked(when_due)
    return Asked(ahead), Asked(when_due, trigger.when)


def _follows_from_date(condition: ConditionType) -> bool:
    if not isinstance(condition, ScheduleConditionType):
        return False
    parts = condition.parts()
    texts = _texts({name: getattr(condition, name) for name in type(condition).model_fields})
    return all(map(_follows_from_date, parts)) and all(map(_reads_dates_alone, texts))


def _reads_dates_alone(text: str) -> bool:
    if not has_expression(text):
        return True
    try:
        found = compile_template(text).analysis
    except ExpressionError:
        return False
    names = {path[0] for path in found.reads}
    return (
        not (found.reads_everything or found.opaque or found.rendered)
        and names <= {"trigger"}
        and {call.name for call in found.calls} <= _OF_DATES
    )


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
