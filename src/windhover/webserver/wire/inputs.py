"""The inputs of a flow as a form shows them, in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from windhover.engine.checks import FailedCheck
from windhover.engine.inputs import ResolvedInput, ResolvedInputs
from windhover.model.check import CheckBehavior, CheckStyle
from windhover.model.execution import JsonValue
from windhover.model.flow import Flow


class InputErrorJson(msgspec.Struct):
    """What is wrong with an input."""

    message: str


class InputStateJson(msgspec.Struct, rename="camel"):
    """One input: its definition, whether it is asked for now, its value, and what is wrong with that."""

    input: dict[str, Any]
    enabled: bool
    is_default: bool
    errors: list[InputErrorJson]
    value: JsonValue = None


class FailedCheckJson(msgspec.Struct):
    """A check of the flow that fails for these inputs, how to show it, and what it leads to."""

    message: str
    style: CheckStyle
    behavior: CheckBehavior


class InputsCheckJson(msgspec.Struct):
    """The inputs of one flow. ``checks`` holds the checks of the flow that failed."""

    id: str
    namespace: str
    inputs: list[InputStateJson]
    checks: list[FailedCheckJson]


def inputs_check_json(
    flow: Flow, resolved: ResolvedInputs, failed: Sequence[FailedCheck] = ()
) -> InputsCheckJson:
    """What is to be said of inputs before a start."""
    checks = [FailedCheckJson(one.message, one.style, one.behavior) for one in failed]
    return InputsCheckJson(flow.id, flow.namespace, [_input_state(one) for one in resolved.inputs], checks)


def _input_state(resolved: ResolvedInput) -> InputStateJson:
    written = resolved.definition.model_dump(mode="json", by_alias=True, exclude_unset=True)
    definition = {"required": True, **written, "id": resolved.id}
    if resolved.options is not None:
        definition["values"] = list(resolved.options)
    problem = resolved.problem
    return InputStateJson(
        input=definition,
        enabled=resolved.enabled,
        is_default=resolved.is_default,
        errors=[] if problem is None else [InputErrorJson(line) for line in problem.message.split("\n")],
        value=resolved.value,
    )
