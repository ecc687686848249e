"""Flows that start themselves over and over: how many executions may come of that.

Documentation page: ``docs/subflows.md``.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta

import msgspec

from windhover.engine.creation import CORRELATION_ID
from windhover.model.execution import Execution

#: After so long without another one, a recursion is over.
_CALM = timedelta(seconds=10)
#: In so long as many are forgotten as there may be: what has a pace of its own goes on for ever.
_FORGOTTEN_IN = timedelta(seconds=1000)
#: How many flows before the one that started an execution are remembered.
_LONGEST_LINEAGE = 20


def lineage(parent: Execution) -> tuple[str, ...]:
    """The flows that led to an execution, each once, but for that of ``parent``, which starts it now."""
    starter = _starter(parent)
    if starter is None or starter in parent.lineage:
        return parent.lineage
    return (*parent.lineage, starter)[-_LONGEST_LINEAGE:]


def is_recursive(parent: Execution, namespace: str, flow_id: str) -> bool:
    """Whether a flow is that of the execution that starts it, or has led to it."""
    name = _name(namespace, flow_id)
    return name in (_name(parent.namespace, parent.flow_id), _starter(parent)) or name in parent.lineage


class _Recursion(msgspec.Struct):
    """Of those under one root ``level`` is how many count, and ``is_over`` says that more are refused."""

    last: datetime
    level: float = 0.0
    is_over: bool = False


class Recursions:
    """Counts executions that a flow has brought about of itself, under the same root.

    It is counted in memory alone: after a restart of the server as many may start again.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._recursions: OrderedDict[str, _Recursion] = OrderedDict()

    def take(self, parent: Execution, now: datetime) -> bool:
        """Count one more; False when it is one too many.

        After that none may start until nobody has asked for a while, so that all that is under way ends.
        """
        self._forget_calm(now)
        root = _root(parent)
        recursion = self._recursions.setdefault(root, _Recursion(now))
        self._recursions.move_to_end(root)
        passed = max(now - recursion.last, timedelta())
        recursion.level = max(0.0, recursion.level - self._most * (passed / _FORGOTTEN_IN))
        recursion.last = now
        recursion.is_over = recursion.is_over or recursion.level + 1 > self._most
        if not recursion.is_over:
            recursion.level += 1
        return not recursion.is_over

    def _forget_calm(self, now: datetime) -> None:
        while self._recursions:
            root, longest_ago = next(iter(self._recursions.items()))
            if now - longest_ago.last < _CALM:
                return
            del self._recursions[root]


def _root(execution: Execution) -> str:
    """What an execution has in common with all that led to it."""
    ids = (label.value for label in execution.labels if label.key == CORRELATION_ID)
    return next(ids, execution.id)


def _starter(execution: Execution) -> str | None:
    """The flow by which an execution was started, if one did."""
    told = execution.trigger.variables if execution.trigger is not None else {}
    namespace, flow_id = told.get("namespace"), told.get("flowId")
    return _name(namespace, flow_id) if isinstance(namespace, str) and isinstance(flow_id, str) else None


def _name(namespace: str, flow_id: str) -> str:
    return f"{namespace}/{flow_id}"
