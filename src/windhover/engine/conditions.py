"""Whether the conditions of a trigger hold: its ``conditions``, all of them, and its ``when``.

Documentation page: ``docs/conditions.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from windhover.engine.creation import FlowInputRenderer
from windhover.engine.environment import EngineEnvironment
from windhover.expression import ExpressionError, truthy
from windhover.model.execution import JsonValue
from windhover.model.flow import Flow
from windhover.model.trigger import Trigger
from windhover.plugin.condition import (
    ConditionContext,
    ConditionError,
    ConditionType,
    RememberedConditionType,
)

#: What a trigger without `when` has.
ALWAYS = "true"


def conditions_hold(trigger: Trigger, context: ConditionContext) -> bool:
    """Whether an event counts, as far as one event can tell.

    Conditions over several executions are left out: the Flow trigger that has one remembers them itself.

    Raises:
        ConditionError: a condition cannot be evaluated; it says which, and why.
    """
    return all_hold(own_conditions(trigger), trigger.when, context)


def own_conditions(trigger: Trigger) -> list[ConditionType]:
    """The conditions that one event decides."""
    return [
        condition
        for condition in trigger.all_conditions
        if isinstance(condition, ConditionType) and not isinstance(condition, RememberedConditionType)
    ]


def all_hold(conditions: Iterable[ConditionType], when: str, context: ConditionContext) -> bool:
    """Whether all of some conditions hold, and a `when`.

    Raises:
        ConditionError: a condition cannot be evaluated; it says which, and why.
    """
    if not all(condition.evaluate(context) for condition in conditions):
        return False
    if when == ALWAYS:
        return True
    try:
        return truthy(context.render_when(when))
    except ExpressionError as error:
        raise ConditionError("when", str(error)) from None


def flow_context(
    flow: Flow, variables: Mapping[str, JsonValue], environment: EngineEnvironment
) -> ConditionContext:
    """What conditions look at before there is an execution: ``trigger`` is ``variables``.

    For a schedule these are its ``date``, ``next`` and ``previous``.
    """
    renderer = FlowInputRenderer(environment, flow, "", {"trigger": dict(variables)})
    return ConditionContext(
        renderer=_Rendering(renderer), namespace=flow.namespace, flow_id=flow.id, country=environment.country
    )


class _Rendering:
    """A renderer of inputs, without variables on top."""

    def __init__(self, renderer: FlowInputRenderer) -> None:
        self._renderer = renderer

    def render(self, template: JsonValue) -> JsonValue:
        return self._renderer.render(template, {})

    def evaluate(self, template: JsonValue) -> JsonValue:
        return self._renderer.evaluate(template, {})
