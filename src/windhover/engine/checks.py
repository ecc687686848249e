"""The ``checks`` of a flow: conditions over its inputs, looked at before an execution is created.

Documentation page: ``docs/limits.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from windhover.engine.creation import FlowInputRenderer
from windhover.engine.messages import CreateExecution
from windhover.expression import ExpressionError, to_text
from windhover.model.check import Check, CheckBehavior, CheckStyle
from windhover.model.execution import Execution, JsonValue
from windhover.model.log import LogEntry, LogLevel

#: At which level a failed check is logged.
_LEVELS = {
    CheckStyle.ERROR: LogLevel.ERROR,
    CheckStyle.WARNING: LogLevel.WARN,
    CheckStyle.INFO: LogLevel.INFO,
    CheckStyle.SUCCESS: LogLevel.INFO,
}

#: What a failed check leads to, the most restrictive first.
_ORDER = tuple(CheckBehavior)


class FailedCheck(msgspec.Struct, frozen=True):
    """A check that does not hold. ``message`` is the author's, rendered."""

    message: str
    style: CheckStyle
    behavior: CheckBehavior


def failed_checks(
    checks: Sequence[Check], inputs: Mapping[str, JsonValue], renderer: FlowInputRenderer
) -> list[FailedCheck]:
    """The checks that do not hold for these inputs.

    A condition holds only if it is the boolean true. One that cannot be rendered blocks the execution.
    """
    failed = []
    variables = {"inputs": dict(inputs)}
    for check in checks:
        try:
            if renderer.evaluate(check.condition, variables) is True:
                continue
        except ExpressionError as error:
            reason = f"Failed to evaluate check condition. Cause: {error}"
            failed.append(FailedCheck(reason, CheckStyle.ERROR, CheckBehavior.BLOCK_EXECUTION))
            continue
        try:
            message = to_text(renderer.render(check.message, variables))
        except ExpressionError:
            message = check.message
        failed.append(FailedCheck(message, check.style, check.behavior))
    return failed


def consequence(failed: Sequence[FailedCheck]) -> CheckBehavior | None:
    """What failed checks lead to together: what the most restrictive of them does."""
    return min((check.behavior for check in failed), key=_ORDER.index, default=None)


def begun(
    execution: Execution, failed: Sequence[FailedCheck], logs: Sequence[LogEntry] = ()
) -> CreateExecution:
    """The start of an execution that its checks do not block; its log begins with ``logs``, then these."""
    execution.refusals = refusals(failed)
    return CreateExecution(execution, [*logs, *check_lines(failed, execution, execution.state.start_date)])


def refusals(failed: Sequence[FailedCheck]) -> tuple[str, ...]:
    """Why an execution will not run though it is created."""
    fails = consequence(failed) is CheckBehavior.FAIL_EXECUTION
    return ("Execution is FAILED due to failed checks",) if fails else ()


def check_lines(failed: Sequence[FailedCheck], execution: Execution, at: datetime) -> list[LogEntry]:
    """What the log of an execution says of checks that do not hold."""
    return [
        LogEntry(
            tenant_id=execution.tenant_id,
            namespace=execution.namespace,
            flow_id=execution.flow_id,
            execution_id=execution.id,
            timestamp=at,
            level=_LEVELS[check.style],
            message=f"Check failed: {check.message}",
        )
        for check in failed
    ]
