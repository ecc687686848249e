"""The names that expressions of a flow can use: its tasks with their outputs, its inputs, its variables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from typing import NamedTuple

import msgspec
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from windhover.engine.variables import VARIABLE_NAMES
from windhover.model.flow import TASK_LISTS, Flow
from windhover.model.inputs import ReusableInputs
from windhover.model.task import Task
from windhover.plugin.flowable import FlowableTask
from windhover.plugin.kind import PluginKind
from windhover.plugin.task import TaskDefinition
from windhover.util.nearest import nearest

#: The variables of a task, and those that only some executions have.
VARIABLES = VARIABLE_NAMES | {"files", "iteration", "namespace", "schedule", "workingDir"}

#: Variables whose members are always the same.
_MEMBERS = {
    "execution": frozenset({"id", "state", "startDate", "originalId", "outputs"}),
    "flow": frozenset({"id", "namespace", "revision", "tenantId"}),
    "task": frozenset({"id", "type"}),
}

#: With how many names those that do not exist are compared in one flow, and how long they may be.
_MOST_COMPARED = 3_000
_LONGEST_NAME = 100


class RootPlace(NamedTuple):
    """The place of a task of the top level in the order in which the flow runs."""

    phase: int
    number: int


class Missing(msgspec.Struct, frozen=True):
    """A name that cannot exist: which part of the path it is, and what was probably meant."""

    part: int
    message: str
    suggestion: str | None = None


class FlowNames:
    """What is known of one flow; a set is None where more names may come while it runs."""

    def __init__(self, flow: Flow, child_outputs: Mapping[str, frozenset[str]] | None = None) -> None:
        """``child_outputs`` are the outputs that subflows declare, by the task that starts them."""
        self._flow = flow
        self._child_outputs = child_outputs or {}
        self._tasks = {placed.task.id: placed.task for placed in flow.all_tasks()}
        self._inputs = _input_names(flow)
        self._variables = _variable_names(flow)
        self._roots = _root_places(flow)
        #: Flow control that holds no tasks may run parts of its own, which are named after it.
        self._of_parts = tuple(
            f"{task.id}_"
            for task in self._tasks.values()
            if isinstance(task, FlowableTask) and not any(task.nested())
        )
        #: Tasks of a template that is not known here may have any id.
        self._has_unknown_tasks = any(
            isinstance(task, FlowableTask) and task.includes_template and not any(task.nested())
            for task in self._tasks.values()
        )
        self._searches = 0

    def root_place(self, task_list: str, index: int) -> RootPlace:
        """The place of the task that stands at ``index`` of a list of the flow."""
        return RootPlace(TASK_LISTS.index(task_list), index)

    def exists(self, root: str, name: str) -> bool:
        """Whether a member of ``outputs``, ``tasks``, ``inputs`` or ``vars`` is known."""
        known = self._known(root)
        return known is not None and name in known

    def missing(self, path: tuple[str, ...], task: str | None, at: RootPlace | None) -> Missing | None:
        """Why a path that a task (inside the top-level task ``at``) reads cannot exist; None if it may."""
        if len(path) < 2:
            return None
        root, name = path[0], path[1]
        known = self._known(root)
        if known is None:
            return None
        if name not in known:
            if known is self._tasks and name.startswith(self._of_parts):
                return None
            return Missing(1, _absent(root, name), self._nearest(name, known))
        return self._missing_output(path, task, at) if root == "outputs" else None

    def outputs_before(self, task_id: str | None) -> Iterator[tuple[str, ...]]:
        """Paths below ``outputs`` that a task may read: of the tasks before it, or of all without a task.

        Of a task in loops, or of one whose class does not say its outputs, it is the task alone.
        """
        at = self._roots.get(task_id) if task_id is not None else None
        for owner, task in self._tasks.items():
            if owner == task_id or task.disabled or (at is not None and self._roots.get(owner, at) > at):
                continue
            fields = self._output_fields(owner)
            if fields is not None:
                yield from ((owner, name) for name in sorted(fields))
            elif not isinstance(task, FlowableTask):
                yield (owner,)

    def _known(self, root: str) -> Collection[str] | None:
        match root:
            case "outputs" | "tasks" | "iterations":
                return None if self._has_unknown_tasks else self._tasks
            case "inputs":
                return self._inputs
            case "vars":
                return self._variables
            case _:
                return _MEMBERS.get(root)

    def _missing_output(
        self, path: tuple[str, ...], task: str | None, at: RootPlace | None
    ) -> Missing | None:
        owner = path[1]
        if self._tasks[owner].disabled:
            return Missing(1, f"The task `{owner}` is disabled and has no outputs")
        if at is not None and owner != task:
            place = self._roots.get(owner)
            if place is not None and place > at:
                return Missing(1, f"The task `{owner}` runs only later and has no outputs yet")
        fields = self._output_fields(owner)
        if fields is None or len(path) < 3:
            return None
        if path[2] in fields:
            return self._missing_child_output(path)
        return Missing(2, f"The task `{owner}` has no output `{path[2]}`", self._nearest(path[2], fields))

    def _missing_child_output(self, path: tuple[str, ...]) -> Missing | None:
        declared = self._child_outputs.get(path[1])
        if declared is None or len(path) < 4 or path[2] != "outputs" or path[3] in declared:
            return None
        message = f"The subflow of the task `{path[1]}` declares no output `{path[3]}`"
        return Missing(3, message, self._nearest(path[3], declared))

    def _nearest(self, name: str, known: Collection[str]) -> str | None:
        """What was probably meant; the search is dear, so it is made for a limited number of names."""
        self._searches += len(known)
        if self._searches > _MOST_COMPARED or len(name) > _LONGEST_NAME:
            return None
        return nearest(name, known)

    def _output_fields(self, task_id: str) -> frozenset[str] | None:
        """The outputs of a task, where its class says them; those of tasks in loops are kept by value."""
        task = self._tasks[task_id]
        if any(_repeats(parent) for parent in self._around(task_id)):
            return None
        if isinstance(task, TaskDefinition):
            return _output_fields(task.plugin)
        return _output_fields(type(task)) if isinstance(task, FlowableTask) else None

    def _around(self, task_id: str) -> Iterable[Task]:
        parent = self._flow.parent_of(task_id)
        while parent is not None:
            yield parent
            parent = self._flow.parent_of(parent.id)


def _absent(root: str, name: str) -> str:
    match root:
        case "outputs" | "tasks" | "iterations":
            return f"There is no task `{name}`"
        case "inputs":
            return f"There is no input `{name}`"
        case "vars":
            return f"There is no variable `{name}` in `vars`"
        case _:
            return f"`{root}` has no member `{name}`"


def _input_names(flow: Flow) -> frozenset[str] | None:
    """The first words of the inputs' ids: an id ``a.b`` is read as ``inputs.a.b``."""
    if any(isinstance(declared, ReusableInputs) for declared in flow.inputs):
        return None
    return frozenset(declared.id.partition(".")[0] for declared in flow.inputs)


def _variable_names(flow: Flow) -> frozenset[str] | None:
    names = set(flow.variables)
    for placed in flow.all_tasks():
        task = placed.task
        if isinstance(task, TaskDefinition) and task.plugin.plugin_kind is PluginKind.EXECUTION_UPDATE:
            given = task.properties.get("variables")
            if isinstance(given, dict):
                names.update(given)
            elif given is not None and not isinstance(given, list):
                return None
    return frozenset(names)


def _root_places(flow: Flow) -> dict[str, RootPlace]:
    """The place of the top-level task that each task is, or is in."""
    places: dict[str, RootPlace] = {}
    lists = (flow.tasks, flow.errors, flow.finally_, flow.after_execution)
    for phase, tasks in enumerate(lists):
        for index, task in enumerate(tasks):
            pending = [task]
            while pending:
                inner = pending.pop()
                places[inner.id] = RootPlace(phase, index)
                pending += inner.nested()
    return places


def _repeats(task: Task) -> bool:
    return isinstance(task, FlowableTask) and task.repeats


@cache
def _output_fields(plugin: type[BaseModel]) -> frozenset[str] | None:
    from windhover.plugin.schema import output_class

    output = output_class(plugin)
    if output is None or output.model_config.get("extra") == "allow":
        return None
    return frozenset(
        info.serialization_alias or info.alias or to_camel(name) for name, info in output.model_fields.items()
    )
