"""Rendering on the executor: conditions, loop values, outputs."""

from __future__ import annotations

from collections.abc import Mapping

from windhover.engine.environment import EngineEnvironment
from windhover.expression import Scope, render_value
from windhover.model.execution import JsonValue


class Renderer:
    """Renders properties of flow-control tasks and of the flow itself; see ``FlowableContext``."""

    __slots__ = ("_scope",)

    def __init__(
        self, variables: Mapping[str, JsonValue], environment: EngineEnvironment, execution_id: str
    ) -> None:
        self._scope: Scope = environment.scope(variables, execution_id)

    def render(self, template: JsonValue) -> JsonValue:
        return render_value(template, self._scope)

    def evaluate(self, template: JsonValue) -> JsonValue:
        return render_value(template, self._scope, typed=True)
