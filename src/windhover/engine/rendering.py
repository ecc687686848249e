"""Rendering on the executor: conditions, loop values, outputs."""

from __future__ import annotations

from collections.abc import Mapping

from windhover.engine.environment import EngineEnvironment
from windhover.engine.frame import Node
from windhover.engine.live import LiveExecution
from windhover.engine.variables import LayeredVariables, execution_variables
from windhover.expression import render_value
from windhover.model.execution import JsonValue


class Renderer:
    """Renders properties of flow-control tasks and of the flow itself; see ``FlowableContext``."""

    __slots__ = ("_scope",)

    def __init__(
        self,
        live: LiveExecution,
        environment: EngineEnvironment,
        node: Node | None = None,
        extra: Mapping[str, JsonValue] | None = None,
    ) -> None:
        variables: Mapping[str, JsonValue] = execution_variables(
            live, environment, node, load=environment.load_stored
        )
        if extra:
            variables = LayeredVariables(extra, variables)
        self._scope = environment.scope(variables, live.record.id)
        self._scope.secrets = live.secrets

    def render(self, template: JsonValue) -> JsonValue:
        return render_value(template, self._scope)

    def evaluate(self, template: JsonValue) -> JsonValue:
        return render_value(template, self._scope, typed=True)
