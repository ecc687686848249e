"""What expressions see of all task runs of an execution, looked up task by task: their states and outputs.

Documentation page: ``docs/expressions.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from windhover.engine.frame import Node
from windhover.engine.live import LiveExecution, ancestors, loop_values
from windhover.engine.spill import Load, resolving
from windhover.model.execution import JsonValue
from windhover.model.state import StateType


class TaskStates(Mapping[str, JsonValue]):
    """``tasks.<id>.state``, for the tasks of a loop ``tasks.<id>.<value>.state``; looked up task by task.

    Only a task run's own value counts, not those of the loops further out: the last of several runs with
    the same value is the one that is seen. The task run that looks, ``own``, sees itself as CREATED, however
    far it has come meanwhile.
    """

    __slots__ = ("_live", "_own")

    def __init__(self, live: LiveExecution, own: Node | None) -> None:
        self._live = live
        self._own = own

    def __getitem__(self, task_id: str) -> JsonValue:
        found: dict[str, JsonValue] = {}
        for node in self._live.runs_of_task[task_id]:
            record = node.record
            state = StateType.CREATED if node is self._own else record.state.current
            place = found if record.value is None else found.setdefault(record.value, {})
            place["state"] = state.value
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._live.runs_of_task)

    def __len__(self) -> int:
        return len(self._live.runs_of_task)


class IterationOutputs(Mapping[str, JsonValue]):
    """``iterations.<task>[<index>].<output>``: outputs by the rounds around a task, and not by their values.

    Where ``outputs`` keeps rounds with the same value in one place, these are apart. Inside nested loops
    there is a list for each, the outermost first; a round whose task has not run is null. Made at each look
    at a task, from its task runs, so that a loop pays nothing for what nobody reads. ``load`` reads outputs
    that are kept in the storage.
    """

    __slots__ = ("_live", "_load")

    def __init__(self, live: LiveExecution, load: Load | None) -> None:
        self._live = live
        self._load = load

    def loading(self, load: Load) -> IterationOutputs:
        """The same, with outputs that are kept in the storage read."""
        return IterationOutputs(self._live, load)

    def __getitem__(self, task_id: str) -> JsonValue:
        found: JsonValue = {}
        rounds: list[JsonValue] = []
        for node in self._live.runs_of_task[task_id]:
            outputs: JsonValue = node.record.outputs or {}
            if self._load is not None:
                outputs = resolving(outputs, self._load)
            path = _iterations_around(node)
            if not path:
                found = outputs
                continue
            found = rounds
            place = rounds
            for index in path[:-1]:
                below = _at(place, index)
                if not isinstance(below, list):
                    below = place[index] = []
                place = below
            _at(place, path[-1])
            place[path[-1]] = outputs
        return found

    def __contains__(self, task_id: object) -> bool:
        return task_id in self._live.runs_of_task

    def __iter__(self) -> Iterator[str]:
        return iter(self._live.runs_of_task)

    def __len__(self) -> int:
        return len(self._live.runs_of_task)


def _iterations_around(node: Node) -> list[int]:
    """The numbers of the rounds around a task run and its own, outermost first."""
    found = [
        owner.record.iteration
        for owner in (node, *ancestors(node))
        if owner.record.value is not None and owner.record.iteration is not None
    ]
    found.reverse()
    return found


def _at(places: list[JsonValue], index: int) -> JsonValue:
    """What is at an index of a list, which grows as far."""
    places.extend([None] * (index + 1 - len(places)))
    return places[index]


class RoundOutputs(Mapping[str, JsonValue]):
    """The outputs that a task in a round of a loop reads: of the tasks in the same round as if there were no
    others, of all other tasks as everywhere. ``rounds`` are those around the task, the nearest first."""

    __slots__ = ("_live", "_rounds")

    def __init__(self, live: LiveExecution, rounds: Sequence[Node]) -> None:
        self._live = live
        self._rounds = rounds

    def __getitem__(self, task_id: str) -> JsonValue:
        found = self._live.outputs.root[task_id]
        around = {owner.task.id for owner in ancestors(self._live.runs_of_task[task_id][0])}
        for own in self._rounds:
            if own.task.id in around:
                for value in loop_values(own):
                    found = found.get(value, {}) if isinstance(found, dict) else {}
                break
        return found

    def __contains__(self, task_id: object) -> bool:
        return task_id in self._live.outputs.root

    def __iter__(self) -> Iterator[str]:
        return iter(self._live.outputs.root)

    def __len__(self) -> int:
        return len(self._live.outputs.root)
