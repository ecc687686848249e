"""What an execution was given and has come to, as far as a listing shows it.

The row of an execution keeps ``data`` small, whatever the execution holds: large values are left out of it,
and a marker says how large they are: ``{"type": "io.windhover.datatype:omitted", "size": 1234}``. All of them
stand whole in ``contents``, which is read with a single execution and never by a search. So a page of a
listing costs the same, however much its executions hold.
"""

from __future__ import annotations

import msgspec

from windhover.model.execution import Execution, ExecutionTrigger, JsonValue

OMITTED_TYPE = "io.windhover.datatype:omitted"

#: An execution whose JSON is not larger than this is kept whole, in bytes.
WHOLE = 16 * 1024
#: How large one value may be that a listing shows of a larger one, and how large all of a kind together.
_EACH = 1024
_TOGETHER = 4 * 1024

_encoder = msgspec.json.Encoder()


class Contents(msgspec.Struct, omit_defaults=True, rename="camel"):
    """The values of an execution, whole. ``trigger`` are the variables that its trigger has brought."""

    inputs: dict[str, JsonValue] | None = None
    outputs: dict[str, JsonValue] | None = None
    variables: dict[str, JsonValue] | None = None
    trigger: dict[str, JsonValue] | None = None


def abridged(execution: Execution) -> tuple[Execution, Contents | None]:
    """An execution as listings show it, and what it is made whole with again, unless that is all of it."""
    trigger = execution.trigger
    contents = Contents(
        execution.inputs,
        execution.outputs,
        execution.variables,
        None if trigger is None else trigger.variables,
    )
    shown = Contents(
        _shown(contents.inputs),
        _shown(contents.outputs),
        _shown(contents.variables),
        _shown(contents.trigger),
    )
    if shown == contents:
        return execution, None
    listed = msgspec.structs.replace(execution)
    complete(listed, shown)
    return listed, contents


def complete(execution: Execution, contents: Contents) -> None:
    """Give an execution its values back."""
    execution.inputs = contents.inputs
    execution.outputs = contents.outputs
    execution.variables = contents.variables
    if execution.trigger is not None:
        execution.trigger = _with_variables(execution.trigger, contents.trigger)


def _with_variables(trigger: ExecutionTrigger, variables: dict[str, JsonValue] | None) -> ExecutionTrigger:
    return msgspec.structs.replace(trigger, variables=variables or {})


def _shown(values: dict[str, JsonValue] | None) -> dict[str, JsonValue] | None:
    if not values:
        return values
    sizes = {name: len(_encoder.encode(value)) for name, value in values.items()}
    if sum(sizes.values()) <= _TOGETHER:
        return values
    shown = {name: value if sizes[name] <= _EACH else _omitted(sizes[name]) for name, value in values.items()}
    # There may be very many of them.
    return shown if len(_encoder.encode(shown)) <= 2 * _TOGETHER else _omitted(sum(sizes.values()))


def _omitted(size: int) -> dict[str, JsonValue]:
    return {"type": OMITTED_TYPE, "size": size}
