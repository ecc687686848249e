"""What becomes of an event that a trigger has seen: an execution that is to run, or to fail, and why.

Documentation page: ``docs/triggers.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from windhover.engine.creation import FlowInputRenderer, new_execution
from windhover.engine.environment import EngineEnvironment
from windhover.engine.inputs import resolve_inputs
from windhover.engine.spill import resolving
from windhover.expression import ExpressionError
from windhover.model.execution import Execution, ExecutionTrigger, JsonValue, Label
from windhover.model.flow import Flow
from windhover.model.log import LogEntry, LogLevel
from windhover.model.trigger import Trigger

FROM = "system.from"
FROM_TRIGGER = Label(FROM, "trigger")


class Firing(msgspec.Struct, frozen=True):
    """An execution that is to be stored, in state CREATED, and its first log lines (without numbers).

    One that cannot run has its ``refusals``. That it has failed, its executor finds out: so whoever waits for
    its end learns of it as of any other.
    """

    execution: Execution
    logs: list[LogEntry] = msgspec.field(default_factory=list)


class Occasion(msgspec.Struct, frozen=True):
    """What a trigger has seen, and what the execution is given for it.

    ``variables`` become ``trigger.*`` of the execution. ``inputs`` are the flow's inputs before rendering and
    ``given_inputs`` such as are final already, which win. ``labels`` are final; ``context`` is what templates
    of inputs and labels may read besides ``flow``, ``trigger`` and the names that are always there.
    ``execution_id`` is the execution's, if it has been chosen already. ``may_lack_inputs``: required inputs
    that nothing was given for do not keep it from running.
    """

    trigger: Trigger
    variables: Mapping[str, JsonValue]
    inputs: Mapping[str, JsonValue] | None = None
    given_inputs: Mapping[str, JsonValue] | None = None
    labels: Sequence[Label] = ()
    context: Mapping[str, JsonValue] = msgspec.field(default_factory=dict)
    execution_id: str | None = None
    may_lack_inputs: bool = False


def fire(flow: Flow, occasion: Occasion, environment: EngineEnvironment, now: datetime) -> Firing:
    """The execution that an occasion starts.

    Inputs that cannot be rendered or do not validate make an execution that ends as FAILED, with a log line
    for each reason: the event is not lost, and whoever watches the flow sees it. A label of the trigger that
    cannot be rendered is left out, with a warning.
    """
    trigger = occasion.trigger
    execution_id = occasion.execution_id or environment.new_id()
    trigger_variables: JsonValue = dict(occasion.variables)
    if environment.load_stored is not None:
        trigger_variables = resolving(trigger_variables, environment.load_stored)
    context = {**occasion.context, "trigger": trigger_variables}
    renderer = FlowInputRenderer(environment, flow, execution_id, context)
    labels, warnings = _labels(trigger, renderer)
    problems: list[str] = []
    given: dict[str, JsonValue] = {}
    for name, template in (occasion.inputs or {}).items():
        try:
            given[name] = renderer.evaluate(template, {})
        except ExpressionError as error:
            problems.append(f"Input `{name}` of trigger `{trigger.id}` cannot be rendered: {error}")
    given.update(occasion.given_inputs or {})
    values: dict[str, JsonValue] = {}
    if not problems:
        resolved = resolve_inputs(
            flow.inputs,
            given,
            renderer,
            workflow=f"{flow.namespace}.{flow.id}",
            encrypt=environment.encrypt,
        )
        values = resolved.values
        lacking = [
            problem.message
            for problem in resolved.problems
            if occasion.may_lack_inputs and problem.value is None and problem.id not in given
        ]
        problems = [problem.message for problem in resolved.problems if problem.message not in lacking]
        warnings += [*resolved.warnings, *lacking]
    execution = new_execution(
        flow,
        {} if problems else values,
        execution_id,
        now,
        labels=[*labels, *occasion.labels],
    )
    execution.trigger = ExecutionTrigger(trigger.id, trigger.type, dict(occasion.variables))
    execution.refusals = tuple(problems)
    return Firing(execution, [_warning(execution, text, now) for text in warnings])


def failed_firing(
    flow: Flow, occasion: Occasion, reason: str, environment: EngineEnvironment, now: datetime
) -> Firing:
    """An execution that will not run, for an event that the trigger could not make sense of."""
    execution_id = occasion.execution_id or environment.new_id()
    execution = new_execution(flow, {}, execution_id, now, labels=occasion.labels)
    execution.trigger = ExecutionTrigger(occasion.trigger.id, occasion.trigger.type, dict(occasion.variables))
    execution.refusals = (reason,)
    return Firing(execution)


def _labels(trigger: Trigger, renderer: FlowInputRenderer) -> tuple[list[Label], list[str]]:
    labels: list[Label] = []
    warnings: list[str] = []
    for label in trigger.labels:
        try:
            rendered = renderer.render(label.value, {})
        except ExpressionError as error:
            warnings.append(f"Label `{label.key}` of trigger `{trigger.id}` is left out: {error}")
            continue
        if rendered not in (None, ""):
            labels.append(Label(label.key, str(rendered)))
    return labels, warnings


def _warning(execution: Execution, message: str, now: datetime) -> LogEntry:
    return LogEntry(
        tenant_id=execution.tenant_id,
        namespace=execution.namespace,
        flow_id=execution.flow_id,
        execution_id=execution.id,
        timestamp=now,
        level=LogLevel.WARN,
        message=message,
        trigger_id=execution.trigger.id if execution.trigger is not None else None,
    )
