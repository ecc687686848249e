"""What each condition type compares, and how it says that it cannot."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError, ValidationInfo

from windhover.engine.conditions import conditions_hold, flow_context
from windhover.engine.creation import new_execution
from windhover.engine.environment import EngineEnvironment
from windhover.expression import Scope, render_value
from windhover.model.execution import Attempt, Execution, JsonValue, Label, TaskRun
from windhover.model.flow import Flow
from windhover.model.problem import FlowInvalid
from windhover.model.state import State, StateType
from windhover.model.trigger import Condition
from windhover.plugin.condition import ConditionContext, ConditionError, ConditionType
from windhover.plugin.kind import PluginKind
from windhover.plugin.parsing import parse_flow
from windhover.plugin.registry import Registry

PREFIX = "io.kestra.plugin.core.condition."
NOW = datetime(2026, 5, 4, tzinfo=UTC)


class Resolver:
    def __init__(self) -> None:
        self.registry = Registry(discover=False)

    def parse_condition(self, raw: Any, info: ValidationInfo) -> Condition:
        plugin = self.registry.find(raw["type"])
        assert plugin is not None
        assert plugin.kind is PluginKind.CONDITION
        found = plugin.cls.model_validate(raw, context=info.context)
        assert isinstance(found, Condition)
        return found


RESOLVER = Resolver()


def condition(name: str, **properties: object) -> ConditionType:
    plugin = RESOLVER.registry.find(PREFIX + name)
    assert plugin is not None
    found = plugin.cls.model_validate({"type": PREFIX + name, **properties}, context={"resolver": RESOLVER})
    assert isinstance(found, ConditionType)
    return found


class ScopeRenderer:
    def __init__(self, variables: dict[str, object]) -> None:
        self.scope = Scope(variables)

    def render(self, template: JsonValue) -> JsonValue:
        return render_value(template, self.scope)

    def evaluate(self, template: JsonValue) -> JsonValue:
        return render_value(template, self.scope, typed=True)


def on(date: str) -> ConditionContext:
    return ConditionContext(ScopeRenderer({"trigger": {"date": date}}), "company.team", "listener")


def after(
    state: StateType = StateType.SUCCESS,
    *,
    namespace: str = "company.team",
    labels: Iterable[Label] = (),
    outputs: dict[str, JsonValue] | None = None,
    attempts: Iterable[StateType] = (),
) -> ConditionContext:
    flow = Flow.model_construct(id="up", namespace=namespace, revision=1, labels=(), inputs=(), variables={})
    execution = new_execution(flow, {}, "e1", NOW, labels=list(labels))
    execution.state.become(state, NOW)
    execution.outputs = outputs
    tries = [Attempt(State(tried, [])) for tried in attempts]
    run = TaskRun("t", "e1", "task", State.created(NOW), attempts=tries)
    renderer = ScopeRenderer({"trigger": {"outputs": outputs}})
    return ConditionContext(renderer, "company.team", "listener", execution, lambda: [run])


@pytest.mark.parametrize(
    ("name", "properties", "date", "expected"),
    [
        ("Weekend", {}, "2026-11-21T10:00:00Z", True),
        ("Weekend", {}, "2026-11-20T23:30:00-02:00", False),
        ("DayWeek", {"dayOfWeek": "FRIDAY"}, "2026-11-20T23:30:00-02:00", True),
        ("DayWeek", {"dayOfWeek": "{{ 'MONDAY' }}"}, "2026-11-20T10:00:00Z", False),
        ("DayWeekInMonth", {"dayOfWeek": "MONDAY", "dayInMonth": "LAST"}, "2026-11-30T00:00:00Z", True),
        ("DayWeekInMonth", {"dayOfWeek": "MONDAY", "dayInMonth": "FOURTH"}, "2026-11-30T00:00:00Z", False),
        ("DateTimeBetween", {"after": "2026-01-01T00:00:00Z"}, "2026-01-01T00:00:00Z", False),
        ("DateTimeBetween", {"after": "2026-01-01T00:00:00Z"}, "2026-01-01T00:00:01Z", True),
        ("DateTimeBetween", {"before": "2026-01-01T00:00:00+02:00"}, "2025-12-31T23:00:00Z", False),
        ("TimeBetween", {"after": "09:00:00Z", "before": "17:00:00Z"}, "2026-01-01T10:30:00+02:00", False),
        ("TimeBetween", {"after": "09:00:00Z", "before": "17:00:00Z"}, "2026-01-01T11:30:00+02:00", True),
        ("TimeBetween", {"before": "17:00:00Z"}, "2026-01-01T17:00:00Z", False),
        ("PublicHoliday", {"country": "FR"}, "2026-07-14T08:00:00+02:00", True),
        ("PublicHoliday", {"country": "US"}, "2026-07-14T08:00:00+02:00", False),
        ("PublicHoliday", {"country": "DE", "subDivision": "BY"}, "2026-01-06T00:00:00Z", True),
        (
            "Expression",
            {"expression": "{{ trigger.date | date('yyyy') == '2026' }}"},
            "2026-01-06T00:00:00Z",
            True,
        ),
        ("Expression", {"expression": "false"}, "2026-01-06T00:00:00Z", False),
        ("FlowCondition", {"namespace": "company.team", "flowId": "listener"}, "2026-01-06T00:00:00Z", True),
        ("FlowNamespaceCondition", {"namespace": "company"}, "2026-01-06T00:00:00Z", False),
        ("FlowNamespaceCondition", {"namespace": "company", "prefix": True}, "2026-01-06T00:00:00Z", True),
    ],
)
def test_conditions_on_a_date(name: str, properties: dict[str, object], date: str, expected: bool) -> None:
    assert condition(name, **properties).evaluate(on(date)) is expected


@pytest.mark.parametrize(
    ("name", "properties", "context", "expected"),
    [
        ("ExecutionFlow", {"namespace": "company.team", "flowId": "up"}, after(), True),
        ("ExecutionFlow", {"namespace": "company.team", "flowId": "other"}, after(), False),
        ("ExecutionNamespace", {"namespace": "company"}, after(), False),
        ("ExecutionNamespace", {"namespace": "company", "prefix": True}, after(), True),
        (
            "ExecutionNamespace",
            {"namespace": "company", "comparison": "EQUALS", "prefix": True},
            after(),
            False,
        ),
        ("ExecutionNamespace", {"namespace": "team", "comparison": "SUFFIX"}, after(), True),
        ("ExecutionLabels", {"labels": {"a": "1"}}, after(labels=[Label("a", "1"), Label("b", "2")]), True),
        ("ExecutionLabels", {"labels": {"a": "1", "b": "3"}}, after(labels=[Label("a", "1")]), False),
        ("ExecutionStatus", {"in": ["FAILED", "WARNING"]}, after(StateType.FAILED), True),
        ("ExecutionStatus", {"in": "{{ ['SUCCESS'] }}"}, after(StateType.FAILED), False),
        ("ExecutionStatus", {"notIn": ["FAILED"]}, after(StateType.FAILED), False),
        ("ExecutionStatus", {}, after(), True),
        ("ExecutionOutputs", {"expression": "{{ trigger.outputs.n > 1 }}"}, after(outputs={"n": 2}), True),
        ("ExecutionOutputs", {"expression": "{{ trigger.outputs.n > 1 }}"}, after(), False),
        ("HasRetryAttempt", {"in": ["FAILED"]}, after(attempts=[StateType.FAILED, StateType.SUCCESS]), True),
        ("HasRetryAttempt", {"in": ["FAILED"]}, after(attempts=[StateType.SUCCESS]), False),
        ("HasRetryAttempt", {"notIn": ["FAILED"]}, after(attempts=[StateType.FAILED]), False),
        ("HasRetryAttempt", {}, after(attempts=[StateType.FAILED, StateType.SUCCESS]), True),
        ("HasRetryAttempt", {}, after(attempts=[StateType.SUCCESS]), False),
    ],
)
def test_conditions_on_an_execution(
    name: str, properties: dict[str, object], context: ConditionContext, expected: bool
) -> None:
    assert condition(name, **properties).evaluate(context) is expected


def test_not_holds_when_none_does_and_or_when_one_does() -> None:
    inner = [{"type": PREFIX + "Weekend"}, {"type": PREFIX + "DayWeek", "dayOfWeek": "MONDAY"}]
    expected = {"2026-11-21T00:00:00Z": True, "2026-11-23T00:00:00Z": True, "2026-11-24T00:00:00Z": False}
    for date, either in expected.items():
        assert condition("Or", conditions=inner).evaluate(on(date)) is either
        assert condition("Not", conditions=inner).evaluate(on(date)) is not either


def test_a_holiday_without_a_country_is_one_of_the_servers() -> None:
    holiday = condition("PublicHoliday", date="2026-07-14T00:00:00Z")
    context = on("2026-07-14T00:00:00Z")
    french = ConditionContext(context.renderer, "a", "b", country="FR")
    assert holiday.evaluate(french) is True
    with pytest.raises(ConditionError, match="set `country`"):
        holiday.evaluate(context)


@pytest.mark.parametrize(
    ("name", "properties", "reason"),
    [
        ("Weekend", {"date": "{{ nope }}"}, "nope"),
        ("Weekend", {"date": "tomorrow"}, "tomorrow"),
        ("PublicHoliday", {"country": "{{ 'XX' }}"}, "XX"),
        ("DayWeek", {"dayOfWeek": "{{ 'SOMEDAY' }}"}, "SOMEDAY"),
        ("TimeBetween", {"after": "{{ 'noon' }}"}, "noon"),
    ],
)
def test_a_condition_that_cannot_be_told_says_which_and_why(
    name: str, properties: dict[str, object], reason: str
) -> None:
    outer = condition("Not", conditions=[{"type": PREFIX + name, **properties}])
    with pytest.raises(ConditionError, match=reason) as caught:
        outer.evaluate(on("2026-11-21T00:00:00Z"))
    assert caught.value.condition == name


@pytest.mark.parametrize(
    ("name", "properties", "reason"),
    [
        ("TimeBetween", {"after": "22:00:00Z", "before": "06:00:00Z"}, "over midnight use `Or`"),
        (
            "DateTimeBetween",
            {"after": "2026-01-02T00:00:00Z", "before": "2026-01-01T00:00:00Z"},
            "no date is after",
        ),
    ],
)
def test_bounds_that_nothing_fits_are_refused(name: str, properties: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        condition(name, **properties)


FLOW = """\
id: f
namespace: company.team
tasks:
  - id: t
    type: io.kestra.plugin.core.log.Log
    message: hi
triggers:
  - id: t1
    type: io.kestra.plugin.core.trigger.{trigger}
"""


def problems(trigger: str, conditions: str) -> list[str]:
    try:
        parse_flow(FLOW.format(trigger=trigger) + conditions, Registry(discover=False))
    except FlowInvalid as invalid:
        return [str(problem) for problem in invalid.problems]
    return []


STATUS = (
    "    conditions:\n      - type: io.kestra.plugin.core.condition.ExecutionStatus\n        in: [SUCCESS]\n"
)
NESTED = """\
    conditions:
      - type: io.kestra.plugin.core.condition.Or
        conditions:
          - type: io.kestra.plugin.core.condition.MultipleCondition
            id: several
            conditions:
              one: {type: io.kestra.plugin.core.condition.ExecutionStatus, in: [SUCCESS]}
"""


def test_a_condition_that_cannot_work_is_refused_when_the_flow_is_saved() -> None:
    refused = problems("Schedule", "    cron: '@daily'\n" + STATUS)
    assert any("`ExecutionStatus` needs an execution" in problem for problem in refused)
    assert not problems("Flow", STATUS)
    assert any("cannot stand inside `Or`" in problem for problem in problems("Flow", NESTED))


def trigger_of(source: str) -> tuple[Flow, Any]:
    parsed = parse_flow(source, Registry(discover=False))
    return parsed.flow, parsed.flow.triggers[0]


def test_all_conditions_of_a_schedule_and_its_when_must_hold() -> None:
    flow, trigger = trigger_of(
        FLOW.format(trigger="Schedule")
        + """\
    cron: "@daily"
    when: "{{ dayOfMonth(trigger.date) > 7 }}"
    conditions:
      - type: io.kestra.plugin.core.condition.Weekend
    scheduleConditions:
      - type: io.kestra.plugin.core.condition.DayWeek
        dayOfWeek: SATURDAY
"""
    )

    def holds(date: str) -> bool:
        return conditions_hold(trigger, flow_context(flow, {"date": date}, EngineEnvironment()))

    assert holds("2026-11-21T00:00:00Z")
    assert not holds("2026-11-22T00:00:00Z")
    assert not holds("2026-11-07T00:00:00Z")


def test_a_when_that_cannot_be_rendered_is_named() -> None:
    flow, trigger = trigger_of(
        FLOW.format(trigger="Schedule") + "    cron: '@daily'\n    when: '{{ nope }}'\n"
    )
    with pytest.raises(ConditionError, match="`when` cannot be evaluated"):
        conditions_hold(trigger, flow_context(flow, {}, EngineEnvironment()))


def test_an_execution_is_needed_where_one_is_looked_at() -> None:
    with pytest.raises(ConditionError, match="no execution"):
        condition("ExecutionStatus").evaluate(on("2026-11-21T00:00:00Z"))
    assert isinstance(after().execution, Execution)
