"""The variables of expressions: built when a template asks for them, and not before.

Documentation page: ``docs/expressions.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from windhover.engine.creation import FlowInputRenderer
from windhover.engine.encryption import is_encrypted
from windhover.engine.environment import EngineEnvironment
from windhover.engine.frame import Node
from windhover.engine.inputs import add_defaults
from windhover.engine.job_reads import outputs_read
from windhover.engine.live import LiveExecution, RevealedInputs, ancestors, isolates
from windhover.engine.spill import Load, holds_stored_values, resolving
from windhover.engine.task_views import IterationOutputs, RoundOutputs, TaskStates
from windhover.expression import Secret
from windhover.model.execution import JsonValue, Phase
from windhover.model.labels import nested_labels
from windhover.model.state import TERMINATED
from windhover.plugin.task import TaskDefinition
from windhover.util.instants import instant_text


class Variables(Mapping[str, JsonValue]):
    """What an expression of an execution may read, made at the first look and then kept.

    A name whose maker returns :data:`ABSENT` is not there at all: ``inputs`` of a flow without inputs
    is undefined, not empty. One of these waits with every job that waits, so it is small.
    """

    __slots__ = (
        "attempts",
        "environment",
        "labels",
        "live",
        "load",
        "makers",
        "node",
        "record",
        "task",
        "values_made",
        "variables",
    )

    def __init__(
        self,
        live: LiveExecution,
        environment: EngineEnvironment,
        node: Node | None,
        load: Load | None,
        task: TaskDefinition | None = None,
    ) -> None:
        self.live = live
        self.record = live.record
        self.environment = environment
        self.node = node
        self.load = load
        self.task = task
        self.makers = _MAKERS if node is None else _TASK_MAKERS
        # As they are now: when a worker renders, the attempt it renders for may be recorded already, and a
        # task that began at the same time may have changed the execution.
        self.labels, self.variables = live.record.labels, live.record.variables
        self.attempts = 0 if node is None else len(node.record.attempts or ())
        self.values_made: dict[str, JsonValue] | None = None

    def __getitem__(self, name: str) -> JsonValue:
        made = self.values_made
        if made is None:
            made = self.values_made = {}
        try:
            value = made[name]
        except KeyError:
            value = made[name] = self.makers[name](self)
        if value is ABSENT:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        try:
            self[name]  # type: ignore[index]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.makers if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def task_node(self) -> Node:
        """The task run whose variables these are; asked for by names that only task runs have."""
        assert self.node is not None
        return self.node


ABSENT = object()


def with_all_outputs(variables: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """The variables of a job with the outputs that its templates do not name: what its execution has."""
    if not isinstance(variables, Variables) or variables.task is None:
        return variables
    return Variables(variables.live, variables.environment, variables.node, variables.load)


class LayeredVariables(Mapping[str, JsonValue]):
    """Variables over other variables."""

    __slots__ = ("_lower", "_upper")

    def __init__(self, upper: Mapping[str, JsonValue], lower: Mapping[str, JsonValue]) -> None:
        self._upper = upper
        self._lower = lower

    def __getitem__(self, name: str) -> JsonValue:
        return self._upper[name] if name in self._upper else self._lower[name]

    def __contains__(self, name: object) -> bool:
        return name in self._upper or name in self._lower

    def __iter__(self) -> Iterator[str]:
        yield from self._upper
        yield from (name for name in self._lower if name not in self._upper)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class HttpHeaders(dict[str, JsonValue]):
    """Headers of a request by their names, which mean the same in upper and lower case."""

    def __getitem__(self, name: str) -> JsonValue:
        return super().__getitem__(self._written(name))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(self._written(name))

    def _written(self, name: str) -> str:
        if super().__contains__(name):
            return name
        wanted = name.lower()
        return next((key for key in self if key.lower() == wanted), name)


def execution_variables(
    live: LiveExecution,
    environment: EngineEnvironment,
    node: Node | None = None,
    *,
    load: Load | None = None,
    task: TaskDefinition | None = None,
) -> Variables:
    """What an expression of this execution may read; with a task run, also what is known around it.

    With ``load``, outputs that are kept in the storage are read when an expression looks at them. With
    ``task``, ``outputs`` holds only what the templates of that task name.
    """
    return Variables(live, environment, node, load, task)


def revealed_inputs(live: LiveExecution, environment: EngineEnvironment) -> RevealedInputs:
    """The inputs with SECRET values readable; they are marked, so that logs can mask them."""
    if live.revealed is None:
        secrets: set[str] = set()
        values = _with_defaults(live, environment)
        if environment.decrypt is not None:
            values = _revealed(values, environment.decrypt, secrets)
        live.revealed = RevealedInputs(values, frozenset(secrets), holds_stored_values(values))
    return live.revealed


def _with_defaults(live: LiveExecution, environment: EngineEnvironment) -> Mapping[str, JsonValue]:
    """The inputs, and the defaults of those that were not given or are switched off."""
    flow, values = live.flow, live.record.inputs or {}
    if all(one.defaults is None or one.id in values for one in flow.inputs):
        return values
    record = live.record
    renderer = FlowInputRenderer(
        environment, flow, record.id, labels=record.labels, start=record.state.start_date
    )
    return add_defaults(flow.inputs, values, renderer, encrypt=environment.encrypt)


def _revealed(
    value: JsonValue, decrypt: Callable[[Mapping[str, JsonValue]], str], secrets: set[str]
) -> JsonValue:
    if is_encrypted(value):
        secret = Secret(decrypt(value))
        secrets.add(secret)
        return secret
    if isinstance(value, dict):
        return {name: _revealed(item, decrypt, secrets) for name, item in value.items()}
    return value


def _outputs(variables: Variables) -> JsonValue:
    outputs = variables.live.outputs
    rounds = () if variables.node is None else _rounds_around(variables.node)
    shown: JsonValue = RoundOutputs(variables.live, rounds) if rounds else outputs.root
    if variables.load is not None and outputs.holds_stored:
        return resolving(shown, variables.load)
    return shown if variables.task is None else _only_named(shown, variables, variables.task)


def _iterations(variables: Variables) -> JsonValue:
    live = variables.live
    return IterationOutputs(live, variables.load if live.outputs.holds_stored else None)


def _only_named(outputs: JsonValue, variables: Variables, task: TaskDefinition) -> JsonValue:
    """Those outputs that the templates of a task name; all of them where that is not certain."""
    if variables.environment.recursive_rendering or not isinstance(outputs, Mapping):
        return outputs
    names = outputs_read(task, variables)
    # A name that is missing is told of with the nearest one, which is among all the others.
    if names is None or not all(name in outputs for name in names):
        return outputs
    return {name: outputs[name] for name in names}


def _inputs(variables: Variables) -> JsonValue:
    inputs = revealed_inputs(variables.live, variables.environment)
    if not inputs.values:
        return ABSENT
    if variables.load is not None and inputs.holds_stored:
        return resolving(inputs.values, variables.load)
    return inputs.values


def _trigger(variables: Variables) -> JsonValue:
    trigger = variables.record.trigger
    if trigger is None:
        return ABSENT
    shown = dict(trigger.variables)
    if isinstance(shown.get("headers"), dict):
        shown["headers"] = HttpHeaders(shown["headers"])
    if variables.load is not None and holds_stored_values(shown):
        return resolving(shown, variables.load)
    return shown


def _flow(variables: Variables) -> JsonValue:
    record = variables.record
    return {
        "id": record.flow_id,
        "namespace": record.namespace,
        "revision": record.flow_revision,
        "tenantId": record.tenant_id,
    }


def _labels(variables: Variables) -> JsonValue:
    return nested_labels(variables.labels) if variables.labels else ABSENT


def _task(variables: Variables) -> JsonValue:
    task = variables.task_node.task
    return {"id": task.id, "type": task.type}


def _execution(variables: Variables) -> JsonValue:
    record = variables.record
    found: dict[str, JsonValue] = {
        "id": record.id,
        "state": record.state.current.value,
        "startDate": instant_text(record.state.start_date),
        "originalId": record.original_id,
    }
    if record.outputs is not None and record.state.current in TERMINATED:
        found["outputs"] = _loading(variables, record.outputs)
    return found


def _loading(variables: Variables, value: JsonValue) -> JsonValue:
    """The same, with values that are kept in the storage loaded when they are read."""
    return value if variables.load is None else resolving(value, variables.load)


def _task_run(node: Node, attempts: int) -> dict[str, JsonValue]:
    record = node.record
    found: dict[str, JsonValue] = {
        "id": record.id,
        "startDate": instant_text(record.state.start_date),
        "attemptsCount": attempts,
    }
    if record.parent_task_run_id is not None:
        found["parentId"] = record.parent_task_run_id
    owner = node.frame.owner
    value = owner.record.value if owner is not None and node.is_part else record.value
    if value is not None:
        found["value"] = value
    if record.iteration is not None:
        found["iteration"] = record.iteration
    return found


def task_run_variables(node: Node) -> dict[str, JsonValue]:
    """The variable ``taskrun`` of a task run as it is now."""
    return _task_run(node, len(node.record.attempts or ()))


def _previous(node: Node) -> JsonValue:
    """In a chained lane, the task run before this one."""
    frame, record = node.frame, node.record
    if record.phase is not Phase.TASKS or not node.position or not node.is_part:
        return ABSENT
    for other in reversed(frame.nodes):
        in_lane = other.record.phase is Phase.TASKS and other.record.lane == record.lane
        if in_lane and other.position == node.position - 1:
            return {"taskRunId": other.record.id, "outputs": other.record.outputs or {}}
    return ABSENT


def _parents(variables: Variables) -> list[JsonValue]:
    """The task runs around this one that have a value or outputs, nearest first."""
    found: list[JsonValue] = []
    for owner in ancestors(variables.task_node):
        shown: dict[str, JsonValue] = {}
        if owner.record.value is not None:
            shown["taskrun"] = {"value": owner.record.value}
        if owner.record.outputs:
            shown["outputs"] = owner.record.outputs
        if shown:
            found.append(_loading(variables, shown))
    return found


def _rounds_around(node: Node) -> list[Node]:
    """The rounds of loops that stand for themselves, around a task run or this one, the nearest first."""
    return [owner for owner in (node, *ancestors(node)) if isolates(owner)]


def _item(variables: Variables) -> JsonValue:
    """What the loop around a task goes over, with those of the loops around that one."""
    items = [_item_of(own) for own in _rounds_around(variables.task_node)]
    if not items:
        return ABSENT
    nearest, *outer = items
    return {**nearest, "parent": outer[0], "parents": outer} if outer else nearest


def _item_of(own: Node) -> dict[str, JsonValue]:
    item: dict[str, JsonValue] = {"value": own.record.value, "index": own.record.iteration}
    key = own.frame.body.lanes[own.record.lane].key
    return item if key is None else {**item, "key": key}


_Maker = Callable[[Variables], JsonValue]

_MAKERS: dict[str, _Maker] = {
    "outputs": _outputs,
    "iterations": _iterations,
    "inputs": _inputs,
    "vars": lambda variables: ABSENT if variables.variables is None else variables.variables,
    "trigger": _trigger,
    "execution": _execution,
    "flow": _flow,
    "labels": _labels,
    "tasks": lambda variables: TaskStates(variables.live, variables.node),
    "namespace": lambda variables: (
        variables.environment.namespace_variables(variables.record.namespace) or ABSENT
    ),
    "globals": lambda variables: variables.environment.globals,
    "envs": lambda variables: variables.environment.envs,
    "kestra": lambda variables: variables.environment.server,
}

_TASK_MAKERS: dict[str, _Maker] = {
    **_MAKERS,
    "task": _task,
    "taskrun": lambda variables: _task_run(variables.task_node, variables.attempts),
    "parent": lambda variables: next(iter(_parents(variables)), ABSENT),
    "parents": lambda variables: _parents(variables),
    "item": _item,
    "previous": lambda variables: _loading(variables, _previous(variables.task_node)),
}

#: The names that expressions of a task may find.
VARIABLE_NAMES = frozenset(_TASK_MAKERS)
