"""The tree of outputs that expressions read: ``outputs.<task>[.<loop value>…].<name>``."""

from __future__ import annotations

from collections.abc import Sequence

from windhover.engine.spill import holds_stored_values
from windhover.model.execution import JsonValue


class OutputsTree:
    """Outputs by task id and, inside loops, by the values of the loops around, outermost first.

    It grows as task runs end and is never built anew, so that adding the ten-thousandth round of a
    loop costs what the first did.
    """

    __slots__ = ("holds_stored", "root")

    def __init__(self) -> None:
        self.root: dict[str, JsonValue] = {}
        #: Some output is kept in the storage, and has to be loaded when it is read.
        self.holds_stored = False

    def put(self, task_id: str, values: Sequence[str], outputs: dict[str, JsonValue]) -> None:
        """Add the outputs of a task run, or replace those it had before."""
        node = self.root.setdefault(task_id, {})
        if not outputs:
            return
        for value in values:
            below = node.get(value)
            if not isinstance(below, dict):
                below = node[value] = {}
            node = below
        node.update(outputs)
        if not self.holds_stored:
            self.holds_stored = holds_stored_values(outputs)

    def remove(self, task_id: str, values: Sequence[str]) -> None:
        """Take out the outputs of a task run that is gone, and the levels that are empty then."""
        if not values:
            self.root.pop(task_id, None)
            return
        path = [self.root]
        for key in (task_id, *values[:-1]):
            below = path[-1].get(key)
            if not isinstance(below, dict):
                return
            path.append(below)
        path[-1].pop(values[-1], None)
        for level, key in zip(reversed(path[:-1]), reversed((task_id, *values[:-1])), strict=True):
            if level[key]:
                break
            del level[key]
