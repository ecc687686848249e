"""Which conditions of a schedule are looked at ahead, and which are asked when a date is due."""

from __future__ import annotations

import pytest

from windhover.engine.schedule_conditions import divide
from windhover.plugin.parsing import parse_flow
from windhover.plugin.registry import Registry
from windhover.plugin.trigger import ScheduleTrigger

FLOW = """
id: flow
namespace: company.team
tasks:
  - id: task
    type: io.kestra.plugin.core.debug.Return
triggers:
  - id: s
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "0 * * * *"
"""
CONDITION = "io.kestra.plugin.core.condition."


def schedule(more: str) -> ScheduleTrigger:
    (trigger,) = parse_flow(f"{FLOW}    {more}\n", Registry()).flow.triggers
    assert isinstance(trigger, ScheduleTrigger)
    return trigger


@pytest.mark.parametrize(
    ("when", "is_ahead"),
    [
        ("{{ dayOfMonth(trigger.date) == 4 }}", True),
        ("{{ not isPublicHoliday(trigger.date, 'FR') }}", True),
        ("{% if isWeekend(trigger.date) %}true{% endif %}", True),
        ("{{ trigger.date | date('HH') == '09' }}", True),
        ("{{ kv('go') }}", False),
        ("{{ isWeekend(trigger.date) and kv('go') }}", False),
        ("{{ now() > trigger.date }}", False),
        ("{{ randomInt(0, 10) > 5 }}", False),
        ("{{ vars.enabled }}", False),
        ("{{ namespace.enabled }}", False),
        ("{{ render(vars.condition) }}", False),
        ("{{ printContext() }}", False),
    ],
)
def test_when(when: str, is_ahead: bool) -> None:
    ahead, when_due = divide(schedule(f'when: "{when}"'))
    assert (bool(ahead), bool(when_due)) == (is_ahead, not is_ahead)


@pytest.mark.parametrize(
    ("condition", "is_ahead"),
    [
        ("{type: %sWeekend}", True),
        ("{type: %sTimeBetween, after: '09:00:00Z', before: '10:00:00Z'}", True),
        ("{type: %sWeekend, date: '{{ now() }}'}", False),
        ("{type: %sDayWeek, dayOfWeek: \"{{ kv('day') }}\"}", False),
        ("{type: %sExpression, expression: '{{ vars.go }}'}", False),
        ("{type: %sNot, conditions: [{type: %sWeekend}]}", True),
        ("{type: %sNot, conditions: [{type: %sWeekend}, {type: %sExpression, expression: 'x'}]}", False),
        ("{type: %sOr, conditions: [{type: %sNot, conditions: [{type: %sWeekend}]}]}", True),
    ],
)
def test_conditions(condition: str, is_ahead: bool) -> None:
    ahead, when_due = divide(schedule(f"conditions: [{condition.replace('%s', CONDITION)}]"))
    assert (bool(ahead), bool(when_due)) == (is_ahead, not is_ahead)


def test_each_by_itself() -> None:
    weekend, expression = f"type: {CONDITION}Weekend", f"type: {CONDITION}Expression, expression: 'x'"
    trigger = schedule(f"conditions: [{{{weekend}}}, {{{expression}}}]\n    when: '{{{{ kv(\"go\") }}}}'")
    ahead, when_due = divide(trigger)
    assert [type(each).__name__ for each in ahead.conditions] == ["Weekend"]
    assert [type(each).__name__ for each in when_due.conditions] == ["Expression"]
    assert (ahead.when, when_due.when) == ("true", '{{ kv("go") }}')
