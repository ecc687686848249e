"""Outputs of a flow: rendered when its tasks have ended, and typed as they are declared.

Documentation page: ``docs/inputs.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from windhover.engine.encryption import Encrypt
from windhover.engine.input_values import InvalidValue, read_value
from windhover.engine.spill import STORED_TYPE, holds_stored_values
from windhover.expression import ExpressionError
from windhover.model.execution import JsonValue
from windhover.model.inputs import FlowOutput
from windhover.model.inputs.temporal import format_instant_bound, parse_instant
from windhover.util.nulls import without_nulls


class OutputRenderer(Protocol):
    """Renders the values of outputs. Both raise ``windhover.expression.ExpressionError``."""

    def render(self, template: JsonValue) -> JsonValue:
        """Render text to text; lists and maps deeply."""

    def evaluate(self, template: JsonValue) -> JsonValue:
        """As :meth:`render`, but a sole ``{{ expression }}`` keeps its type."""


class ResolvedOutputs(msgspec.Struct, frozen=True):
    """``values`` by output id, dots and all; those that are null are not among them."""

    values: dict[str, JsonValue]
    warnings: list[str] = msgspec.field(default_factory=list)


class FlowOutputError(Exception):
    """An output cannot be had, so the execution has none. The message is the one its log shows."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Failed to render output values: {reason}")


def resolve_outputs(
    outputs: Sequence[FlowOutput],
    renderer: OutputRenderer,
    *,
    encrypt: Encrypt | None = None,
    maximum: int | None = None,
) -> ResolvedOutputs:
    """Render and type the outputs of a flow. ``encrypt`` is needed where one of them is a SECRET.

    ``maximum`` bytes of JSON are allowed, all together: they are part of the execution's own record.

    An output with ``required: false`` that cannot be rendered is left out, with a warning, and left out
    when it is null. One that does not fit its type is an error all the same.

    Raises:
        FlowOutputError: an output cannot be rendered, is null though required, or does not fit its type; or
            they are too large.
    """
    resolved = ResolvedOutputs({})
    for output in outputs:
        is_optional = output.required is False
        try:
            rendered = _render(output.value, renderer)
        except ExpressionError as error:
            if not is_optional:
                raise FlowOutputError(str(error)) from error
            resolved.warnings.append(
                f"Failed to render optional flow output '{output.id}'. Output is ignored."
            )
            continue
        if rendered is None and is_optional:
            continue
        value = without_nulls(_typed(output, rendered, encrypt))
        if holds_stored_values(value):
            # Whoever reads the output would be given any file that the flow names.
            raise FlowOutputError(
                f"the output `{output.id}` holds a map with the type `{STORED_TYPE}`, "
                "which stands for a stored value"
            )
        if value is not None:
            resolved.values[output.id] = value
    if maximum is not None:
        _refuse_large(resolved.values, maximum)
    return resolved


def _refuse_large(values: Mapping[str, JsonValue], maximum: int) -> None:
    sizes = {name: len(msgspec.json.encode(value)) for name, value in values.items()}
    total = sum(sizes.values())
    if total > maximum:
        largest = max(sizes, key=lambda name: sizes[name])
        raise FlowOutputError(
            f"they are {total} bytes of JSON, more than the limit of {maximum}; `{largest}` alone is "
            f"{sizes[largest]}. Write large data to a file and give it as an output of type FILE."
        )


def _render(template: JsonValue, renderer: OutputRenderer) -> JsonValue:
    """The rendered value; None for an expression that gives null."""
    rendered = renderer.render(template)
    if rendered == "" and template != "" and renderer.evaluate(template) is None:
        return None
    return rendered


def _typed(output: FlowOutput, rendered: JsonValue, encrypt: Encrypt | None) -> JsonValue:
    try:
        if rendered is None:
            raise InvalidValue("it is null, and the output is not declared with `required: false`")
        value = read_value(output.type, rendered)
        if output.type == "DATETIME":
            # An input has six digits of a second, an output those that it needs: Kestra writes them so.
            return format_instant_bound(parse_instant(value))
        if output.type != "SECRET":
            return value
        if encrypt is None:
            raise InvalidValue("secrets cannot be stored, no encryption key is configured")
        return encrypt(value)
    except InvalidValue as error:
        raise FlowOutputError(f"Invalid value for output `{output.id}`. Cause: {error}") from None
