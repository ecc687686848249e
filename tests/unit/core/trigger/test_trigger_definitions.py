"""Triggers are checked when a flow is saved, in the words that clients know."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError, ValidationInfo

from windhover.core.trigger.flow import Flow
from windhover.core.trigger.schedule import Schedule
from windhover.core.trigger.schedule_on_dates import ScheduleOnDates
from windhover.core.trigger.webhook import Webhook
from windhover.model.execution import Label
from windhover.model.state import StateType
from windhover.model.trigger import Condition
from windhover.plugin.problems import problems_of
from windhover.plugin.registry import Registry
from windhover.plugin.trigger import RecoverMissedSchedules, TriggerKind

CONDITION = "io.kestra.plugin.core.condition."


class Resolver:
    def __init__(self) -> None:
        self.registry = Registry(discover=False)

    def parse_condition(self, raw: Any, info: ValidationInfo) -> Condition:
        plugin = self.registry.find(raw["type"])
        assert plugin is not None
        condition = plugin.cls.model_validate(raw, context=info.context)
        assert isinstance(condition, Condition)
        return condition


def read(cls: type[BaseModel], **properties: object) -> Any:
    raw = {"id": "t", "type": "any", **properties}
    return cls.model_validate(raw, context={"resolver": Resolver()})


def problems(cls: type[BaseModel], **properties: object) -> list[str]:
    try:
        read(cls, **properties)
    except ValidationError as error:
        return [str(problem) for problem in problems_of(error, {"id": "t", "type": "any", **properties})]
    return []


def test_a_schedule_is_typed() -> None:
    schedule = read(
        Schedule,
        cron="*/15 9-17 * JAN,MAR MON-FRI",
        timezone="Europe/Paris",
        lateMaximumDelay="PT5M",
        recoverMissedSchedules="LAST",
        inputs={"day": "{{ trigger.date }}"},
        stopAfter=["FAILED"],
        labels={"team": "a"},
        conditions=[{"type": f"{CONDITION}Weekend"}],
    )

    assert schedule.trigger_kind is TriggerKind.SCHEDULE
    assert schedule.late_maximum_delay == timedelta(minutes=5)
    assert schedule.recover_missed_schedules is RecoverMissedSchedules.LAST
    assert schedule.stop_after == (StateType.FAILED,)
    assert schedule.labels == (Label("team", "a"),)
    assert schedule.conditions[0].date == "{{ trigger.date }}"
    assert schedule.expression().minutes == {0, 15, 30, 45}
    assert schedule.expression().days_of_week == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        (
            {"cron": "every day"},
            "invalid cron expression 'every day': Cron expression contains 2 parts but we expect one of [5]",
        ),
        (
            {"cron": "1 1 * * * *"},
            "invalid cron expression '1 1 * * * *': "
            "Cron expression contains 6 parts but we expect one of [5]",
        ),
        (
            {"cron": "0 0 * * *", "withSeconds": True},
            "invalid cron expression '0 0 * * *': Cron expression contains 5 parts but we expect one of [6]",
        ),
        ({}, "cron: must not be null"),
        (
            {"cron": "@daily", "timezone": "Mars/Base"},
            "timezone: timezone '(Mars/Base)' is not a valid time-zone ID",
        ),
        (
            {"cron": "@daily", "lateMaximumDelay": "soon"},
            'lateMaximumDelay: Cannot deserialize value of type `java.time.Duration` from String "soon": '
            "Text cannot be parsed to a Duration",
        ),
        (
            {"cron": "@daily", "recoverMissedSchedules": "FIRST"},
            "recoverMissedSchedules: must be one of LAST, NONE, ALL, not `FIRST`",
        ),
        ({"cron": "@daily", "interval": "PT1S"}, 'interval: Unrecognized field "interval"'),
    ],
)
def test_what_is_wrong_with_a_schedule_is_told(properties: dict[str, object], problem: str) -> None:
    assert problems(Schedule, **properties) == [problem]


def test_dates_may_be_an_expression_or_a_list() -> None:
    assert read(ScheduleOnDates, dates="{{ vars.dates }}").dates == "{{ vars.dates }}"
    assert read(ScheduleOnDates, dates=["2030-01-01T09:00:00Z", "{{ x }}"], timezone="{{ zone }}")
    (problem,) = problems(ScheduleOnDates, dates=["2030-01-01T09:00:00Z", "soon"])
    assert problem.startswith("dates[1]: `soon` is not a date and time with a zone")


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ({}, "key: must not be null"),
        ({"key": "k" * 257}, "key: size must be between 0 and 256"),
        (
            {"key": "k", "responseContentType": "text/html"},
            "invalid webhook: responseContentType must be either 'application/json' or 'text/plain'",
        ),
        (
            {
                "key": "k",
                "conditions": [
                    {
                        "type": f"{CONDITION}MultipleCondition",
                        "id": "m",
                        "conditions": {"a": {"type": f"{CONDITION}ExecutionStatus", "in": ["SUCCESS"]}},
                    }
                ],
            },
            "invalid webhook: conditions of type MultipleCondition are not supported",
        ),
    ],
)
def test_what_is_wrong_with_a_webhook_is_told(properties: dict[str, object], problem: str) -> None:
    assert problems(Webhook, **properties) == [problem]


@pytest.mark.parametrize(
    "properties",
    [
        {"key": "a key/with blanks"},
        {"key": "{{ secret('KEY') }}"},
        {"key": 12345},
        {"key": "k", "returnOutputs": True},
        {"key": "k", "responseCode": 201},
        {"key": "k", "responseCode": "{{ outputs.x }}", "responseContentType": "text/plain"},
    ],
)
def test_what_webhooks_may_be(properties: dict[str, object]) -> None:
    assert problems(Webhook, **properties) == []


def test_a_flow_trigger_listens_to_ends_and_pauses_by_default() -> None:
    states = read(Flow).states

    assert StateType.PAUSED in states
    assert all(state.is_terminated or state is StateType.PAUSED for state in states)


def test_preconditions_are_typed() -> None:
    trigger = read(
        Flow,
        preconditions={
            "id": "both",
            "timeWindow": {"type": "DAILY_TIME_DEADLINE", "deadline": "09:00:00"},
            "flows": [{"namespace": "a", "flowId": "b", "states": ["SUCCESS"], "labels": {"x": "y"}}],
            "where": [
                {
                    "id": "w",
                    "operand": "OR",
                    "filters": [{"field": "NAMESPACE", "type": "STARTS_WITH", "value": "a."}],
                }
            ],
        },
    )

    assert trigger.preconditions.reset_on_success is True
    assert trigger.preconditions.flows[0].states == (StateType.SUCCESS,)


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ({"states": ["DONE"]}, "states[0]: must be one of CREATED"),
        ({"preconditions": {}}, "preconditions.id: must not be null"),
        ({"preconditions": {"id": "p", "flows": [{}]}}, "preconditions.flows[0].namespace: must not be null"),
        (
            {"preconditions": {"id": "p", "timeWindow": {"type": "SLIDING_WINDOW"}}},
            "preconditions.timeWindow: `window` must be set for a time window of type SLIDING_WINDOW",
        ),
        (
            {"preconditions": {"id": "p", "timeWindow": {"deadline": "09:00"}}},
            "preconditions.timeWindow: `deadline` cannot be set for a time window of type DURATION_WINDOW",
        ),
        (
            {
                "preconditions": {
                    "id": "p",
                    "where": [{"id": "w", "filters": [{"field": "STATE", "type": "IN", "value": "x"}]}],
                }
            },
            "preconditions.where[0].filters[0]: `values` cannot be null for type IN",
        ),
        ({"preconditions": {"id": "p", "where": [{"id": "w", "filters": []}]}}, "must not be empty"),
        ({"mode": "AT_LEAST"}, "`minSatisfied` must be set for mode AT_LEAST"),
        ({"dependsOn": [{}], "mode": "AT_LEAST", "minSatisfied": 2}, "`minSatisfied` is 2, but there are 1"),
        ({"window": {"deadline": "09:00", "lookback": "PT1H"}}, "a window needs exactly one of"),
        ({"window": {"from": "09:00"}}, "`from` and `to` must be set together"),
    ],
)
def test_what_is_wrong_with_a_flow_trigger_is_told(properties: dict[str, object], problem: str) -> None:
    (told,) = problems(Flow, **properties)
    assert problem in told


def test_dependencies_are_typed() -> None:
    trigger = read(
        Flow,
        dependsOn=[{"namespace": "a", "flowId": "b", "labels": {"x": "y"}}, {"flowId": "c"}],
        window={"from": "09:00:00", "to": "17:00:00", "timezone": "Europe/Paris"},
        onMiss={"labels": {"late": "yes"}},
    )

    assert trigger.depends_on[0].labels == (Label("x", "y"),)
    assert trigger.depends_on[1].when == "true"
    assert trigger.on_miss.labels == (Label("late", "yes"),)
