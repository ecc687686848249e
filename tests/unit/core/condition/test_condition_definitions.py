"""Conditions are definitions: checked when a flow is saved, expressions kept as written."""

from typing import Any

import pytest
from pydantic import ValidationError, ValidationInfo

from windhover.model.execution import Label
from windhover.model.trigger import Condition
from windhover.plugin.kind import PluginKind
from windhover.plugin.problems import problems_of
from windhover.plugin.registry import Registry

PREFIX = "io.kestra.plugin.core.condition."


class Resolver:
    def __init__(self) -> None:
        self.registry = Registry(discover=False)

    def parse_condition(self, raw: Any, info: ValidationInfo) -> Condition:
        plugin = self.registry.find(raw["type"])
        assert plugin is not None
        assert plugin.kind is PluginKind.CONDITION
        condition = plugin.cls.model_validate(raw, context=info.context)
        assert isinstance(condition, Condition)
        return condition


def read(name: str, **properties: object) -> Any:
    resolver = Resolver()
    plugin = resolver.registry.find(PREFIX + name)
    assert plugin is not None
    return plugin.cls.model_validate({"type": PREFIX + name, **properties}, context={"resolver": resolver})


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("DateTimeBetween", {"after": "2024-01-01T00:00:00Z", "before": "{{ now() }}"}),
        ("DayWeek", {"dayOfWeek": "MONDAY"}),
        ("DayWeekInMonth", {"dayOfWeek": "{{ day }}", "dayInMonth": "LAST"}),
        ("TimeBetween", {"date": "{{ now() }}", "after": "16:19:12Z", "before": "18:00:00+01:00"}),
        ("Weekend", {}),
        ("PublicHoliday", {"country": "FR", "subDivision": "{{ part }}"}),
        ("Expression", {"expression": "{{ trigger.x }}"}),
        ("Expression", {"expression": True}),
        ("ExecutionFlow", {"namespace": "a.b", "flowId": "c"}),
        ("ExecutionNamespace", {"namespace": "a.b", "comparison": "PREFIX", "prefix": True}),
        ("ExecutionLabels", {"labels": [{"key": "a", "value": "b"}]}),
        ("ExecutionStatus", {"in": ["SUCCESS"], "notIn": "{{ states }}"}),
        ("ExecutionOutputs", {"expression": "{{ trigger.outputs.x == 1 }}"}),
        ("HasRetryAttempt", {"in": ["FAILED"]}),
        ("FlowCondition", {"namespace": "a", "flowId": "b"}),
        ("FlowNamespaceCondition", {"namespace": "a", "prefix": True}),
    ],
)
def test_conditions_are_read(name: str, properties: dict[str, object]) -> None:
    condition = read(name, **properties)

    written = condition.model_dump(by_alias=True, exclude_unset=True, mode="json")
    assert set(written) == {"type", *properties}


def test_conditions_hold_conditions() -> None:
    weekend = {"type": f"{PREFIX}Weekend"}
    condition = read("Not", conditions=[{"type": f"{PREFIX}Or", "conditions": [weekend, weekend]}])

    assert [type(each).__name__ for each in condition.conditions[0].conditions] == ["Weekend", "Weekend"]


def test_a_multiple_condition_holds_named_conditions() -> None:
    condition = read(
        "MultipleCondition",
        id="m",
        window="P1D",
        conditions={"a": {"type": f"{PREFIX}ExecutionStatus", "in": ["SUCCESS"]}},
    )

    assert condition.conditions["a"].in_ == ("SUCCESS",)
    assert condition.time_window.type == "DURATION_WINDOW"


def test_labels_may_be_a_map() -> None:
    assert read("ExecutionLabels", labels={"a": "b"}).labels == (Label("a", "b"),)


@pytest.mark.parametrize(
    ("name", "properties", "problem"),
    [
        ("Expression", {}, "expression: must not be null"),
        ("DayWeek", {"dayOfWeek": "SUNDY"}, "did you mean SUNDAY?"),
        ("DayWeekInMonth", {"dayOfWeek": "MONDAY", "dayInMonth": "FIFTH"}, "must be one of FIRST"),
        ("DateTimeBetween", {}, "`after` or `before` must be set"),
        ("DateTimeBetween", {"after": "soon"}, "after: `soon` is not a date and time"),
        ("TimeBetween", {"after": "9 o'clock"}, "after: `9 o'clock` is not a time of day with an offset"),
        ("ExecutionStatus", {"in": ["DONE"]}, "in[0]: must be one of CREATED"),
        ("ExecutionNamespace", {"namespace": "a", "comparison": "LIKE"}, "comparison: must be one of EQUALS"),
        ("Not", {"conditions": []}, "conditions: must not be empty"),
        (
            "Or",
            {"conditions": [{"type": f"{PREFIX}Expression"}]},
            "conditions[0].expression: must not be null",
        ),
        ("Weekend", {"dates": "x"}, 'dates: Unrecognized field "dates"'),
    ],
)
def test_what_is_wrong_is_told(name: str, properties: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(name, **properties)

    (told,) = problems_of(caught.value, {"type": PREFIX + name, **properties})
    assert problem in str(told)
