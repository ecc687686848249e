"""Functions that look at the execution: loops, task states, logs."""

from __future__ import annotations

from collections.abc import Mapping

from windhover.expression.access import lookup
from windhover.expression.errors import EvaluationError
from windhover.expression.registry import Example, function
from windhover.expression.scope import Frame
from windhover.expression.values import is_integer, is_list, is_map, to_string


def variable(frame: Frame, *path: str | int) -> object:
    """A variable by path, those that the template has set included, or null where it does not exist."""
    value: object = frame.visible()
    for key in path:
        try:
            value = lookup(value, key)
        except LookupError:
            return None
    return value


def _iteration_values(frame: Frame) -> list[str]:
    """Values of the loops around, from the outermost in, then of this task run."""
    parents = variable(frame, "parents")
    values = (
        [variable(frame, "parents", index, "taskrun", "value") for index in range(len(parents))]
        if is_list(parents)
        else []
    )
    values.reverse()
    values.append(variable(frame, "taskrun", "value"))
    return [to_string(value) for value in values if value is not None]


@function(
    "currentEachOutput",
    "Of the outputs of a task in a loop, those of the current iteration.",
    Example(
        "{{ currentEachOutput(outputs.make).value }}",
        "vb",
        {"outputs": {"make": {"a": {"value": "va"}, "b": {"value": "vb"}}}, "taskrun": {"value": "b"}},
    ),
    needs_frame=True,
    reads=(("taskrun", "value"), ("parents",)),
)
def current_each_output(frame: Frame, outputs: object) -> object:
    if not is_map(outputs):
        raise EvaluationError("The 'currentEachOutput' function expects an argument 'outputs' with type map.")
    found: object = outputs
    for value in _iteration_values(frame):
        try:
            found = lookup(found, value)
        except LookupError:
            raise EvaluationError(
                f"The 'currentEachOutput' function finds no output for the iteration '{value}'."
            ) from None
    return found


@function(
    "loopOutputs",
    "Of the output `outputs` of a Loop, the values of one output, a round each in their order.",
    Example(
        "{{ loopOutputs(outputs.shops.outputs, 'total') | join(', ') }}",
        "3, 4",
        {
            "outputs": {
                "shops": {"outputs": [{"outputs": {"total": 3}}, {"outputs": {}}, {"outputs": {"total": 4}}]}
            }
        },
    ),
)
def loop_outputs(outputs: object, id: object) -> list[object]:
    if not is_list(outputs) or not isinstance(id, str):
        raise EvaluationError("The 'loopOutputs' function expects the outputs of a Loop and the id of one.")
    rounds = (lookup(each, "outputs") for each in outputs)
    return [found[id] for found in rounds if is_map(found) and id in found]


@function(
    "tasksWithState",
    "The task runs in a state, each with `taskId`, `state` and, in a loop, `value`.",
    Example(
        "{{ tasksWithState('FAILED') | length }}",
        "1",
        {"tasks": {"a": {"state": "FAILED"}, "b": {"state": "SUCCESS"}}},
    ),
    needs_frame=True,
    reads=(("tasks",),),
    since="1.0",
)
def tasks_with_state(frame: Frame, state: object) -> list[object]:
    if not isinstance(state, str):
        raise EvaluationError("The 'tasksWithState' function expects an argument 'state' with type string.")
    tasks = variable(frame, "tasks")
    found: list[object] = []
    if not is_map(tasks):
        return found

    def collect(task_id: object, task: object, value: object) -> None:
        if not is_map(task):
            return
        current = task.get("state")
        if isinstance(current, str):
            if current.upper() == state.upper():
                entry: dict[str, object] = {"taskId": task_id, "state": current}
                if value is not None:
                    entry["value"] = value
                found.append(entry)
            return
        for iteration, inner in task.items():
            collect(task_id, inner, iteration)

    for task_id, task in tasks.items():
        collect(task_id, task, None)
    return found


@function(
    "errorLogs", "All ERROR log entries of the execution.", Example("{{ errorLogs() }}"), needs_frame=True
)
def error_logs(frame: Frame) -> list[object]:
    return list(frame.port("errorLogs").error_logs())


def _ancestors(frame: Frame) -> list[Mapping[object, object]]:
    """Ancestors, the outermost first; a task without `parents` may still have one `parent`."""
    parents = variable(frame, "parents")
    if is_list(parents) and parents:
        return [parent for parent in reversed(parents) if is_map(parent)]
    parent = variable(frame, "parent")
    return [parent] if is_map(parent) else []


@function(
    "parentOutput",
    "The outputs of the parent task; `index` counts the ancestors from the outermost.",
    Example(
        "{{ parentOutput().value }}",
        "plain",
        {"parent": {"task": {"id": "p"}}, "outputs": {"p": {"value": "plain"}}},
    ),
    needs_frame=True,
    since="2.0",
    reads=(("parent",), ("parents",), ("outputs",)),
)
def parent_output(frame: Frame, index: object = None) -> object:
    ancestors = _ancestors(frame)
    if index is None:
        parent = variable(frame, "parent")
        chosen = parent if is_map(parent) else (ancestors[-1] if ancestors else None)
    elif is_integer(index):
        chosen = ancestors[index] if 0 <= index < len(ancestors) else None
    else:
        raise EvaluationError("The 'parentOutput' function expects an integer as argument 'index'.")
    if chosen is None:
        raise EvaluationError("The 'parentOutput' function finds no such parent task.")
    if is_map(outputs := chosen.get("outputs")):
        return outputs
    try:
        output = lookup(variable(frame, "outputs"), lookup(lookup(chosen, "task"), "id"))
        value = _member_of(chosen, "taskrun", "value")
        return lookup(output, value) if value is not None else output
    except LookupError:
        raise EvaluationError("The 'parentOutput' function finds no output of the parent task.") from None


def _member_of(container: object, *path: str) -> object:
    for key in path:
        try:
            container = lookup(container, key)
        except LookupError:
            return None
    return container


@function(
    "iterationOutput",
    "The output `value` of an iteration of a loop's task: of the current task and the "
    "previous iteration, unless given.",
    Example(
        "{{ iterationOutput('loop', 0) }}",
        "first",
        {
            "taskrun": {"iteration": 1, "value": "b"},
            "task": {"id": "loop"},
            "outputs": {"loop": {"a": {"value": "first"}, "b": {"value": "second"}}},
        },
    ),
    needs_frame=True,
    since="2.0",
    reads=(("taskrun",), ("task", "id"), ("outputs",), ("parents",)),
)
def iteration_output(frame: Frame, task_id: object = None, iteration: object = None) -> object:
    by_value: object = task_id
    if not is_map(task_id):
        name = variable(frame, "task", "id") if task_id is None else task_id
        by_value = variable(frame, "outputs", to_string(name))
        for value in _iteration_values(frame)[:-1]:
            by_value = _member_of(by_value, value)
    if iteration is None:
        current = variable(frame, "taskrun", "iteration")
        if not is_integer(current):
            raise EvaluationError("The 'iterationOutput' function needs a task run with an iteration.")
        iteration = current - 1
    if not is_integer(iteration):
        raise EvaluationError("The 'iterationOutput' function expects an integer as argument 'iteration'.")
    if not is_map(by_value) or not 0 <= iteration < len(by_value):
        raise EvaluationError(f"The 'iterationOutput' function finds no iteration {iteration}.")
    output = list(by_value.values())[iteration]
    if is_map(task_id):
        return output
    return output["value"] if is_map(output) and "value" in output else output
