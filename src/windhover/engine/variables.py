"""The variables of expressions: built when a template asks for them, and not before.

Documentation page: ``docs/expressions.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from windhover.engine.encryption import is_encrypted
from windhover.engine.environment import EngineEnvironment
from windhover.engine.frame import Node
from windhover.engine.live import LiveExecution, RevealedInputs, ancestors, loop_values
from windhover.engine.spill import Load, resolving
from windhover.expression import Secret
from windhover.model.execution import JsonValue, Label
from windhover.model.state import TERMINATED
from windhover.util.instants import instant_text


class Variables(Mapping[str, JsonValue]):
    """A mapping whose values are made at the first look and then kept.

    A name whose maker returns :data:`ABSENT` is not there at all: ``inputs`` of a flow without inputs
    is undefined, not empty.
    """

    __slots__ = ("_makers", "_values")

    def __init__(self, makers: Mapping[str, Callable[[], JsonValue]]) -> None:
        self._makers = makers
        self._values: dict[str, JsonValue] = {}

    def __getitem__(self, name: str) -> JsonValue:
        try:
            value = self._values[name]
        except KeyError:
            value = self._values[name] = self._makers[name]()
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
        return (name for name in self._makers if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


ABSENT = object()


class TaskStates(Mapping[str, JsonValue]):
    """``tasks.<id>.state``, inside loops ``tasks.<id>.<value>.state``; looked up task by task."""

    __slots__ = ("_live",)

    def __init__(self, live: LiveExecution) -> None:
        self._live = live

    def __getitem__(self, task_id: str) -> JsonValue:
        found: dict[str, JsonValue] = {}
        for node in self._live.runs_of_task[task_id]:
            place = found
            for value in loop_values(node):
                place = place.setdefault(value, {})
            place["state"] = node.record.state.current.value
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._live.runs_of_task)

    def __len__(self) -> int:
        return len(self._live.runs_of_task)


def execution_variables(
    live: LiveExecution,
    environment: EngineEnvironment,
    node: Node | None = None,
    *,
    load: Load | None = None,
) -> Variables:
    """What an expression of this execution may read; with a task run, also what is known around it.

    With ``load``, outputs that are kept in the storage are read when an expression looks at them.
    """
    record = live.record

    def outputs() -> JsonValue:
        if load is not None and live.outputs.holds_stored:
            return resolving(live.outputs.root, load)
        return live.outputs.root

    makers: dict[str, Callable[[], JsonValue]] = {
        "outputs": outputs,
        "inputs": lambda: revealed_inputs(live, environment).values if record.inputs else ABSENT,
        "vars": lambda: record.variables if record.variables else ABSENT,
        "trigger": lambda: dict(record.trigger.variables) if record.trigger else ABSENT,
        "execution": lambda: _execution(live),
        "flow": lambda: {
            "id": record.flow_id,
            "namespace": record.namespace,
            "revision": record.flow_revision,
            "tenantId": record.tenant_id,
        },
        "labels": lambda: nested_labels(record.labels) if record.labels else ABSENT,
        "tasks": lambda: TaskStates(live),
        "globals": lambda: environment.globals,
        "envs": lambda: environment.envs,
        "kestra": lambda: environment.server,
    }
    if node is not None:
        makers["task"] = lambda: {"id": node.task.id, "type": node.task.type}
        # Counted now: when a worker renders, the attempt it renders for may be recorded already.
        attempts = len(node.record.attempts or ())
        makers["taskrun"] = lambda: _task_run(node, attempts)
        makers["parent"] = lambda: next(iter(_parents(node)), ABSENT)
        makers["parents"] = lambda: _parents(node) or ABSENT
    return Variables(makers)


def revealed_inputs(live: LiveExecution, environment: EngineEnvironment) -> RevealedInputs:
    """The inputs with SECRET values readable; they are marked, so that logs can mask them."""
    if live.revealed is None:
        secrets: set[str] = set()
        values = live.record.inputs or {}
        if environment.decrypt is not None:
            values = _revealed(values, environment.decrypt, secrets)
        live.revealed = RevealedInputs(values, frozenset(secrets))
    return live.revealed


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


def _execution(live: LiveExecution) -> JsonValue:
    record = live.record
    found: dict[str, JsonValue] = {
        "id": record.id,
        "state": record.state.current.value,
        "startDate": instant_text(record.state.start_date),
        "originalId": record.original_id,
    }
    if record.outputs is not None and record.state.current in TERMINATED:
        found["outputs"] = record.outputs
    return found


def _task_run(node: Node, attempts: int) -> JsonValue:
    record = node.record
    found: dict[str, JsonValue] = {
        "id": record.id,
        "startDate": instant_text(record.state.start_date),
        "attemptsCount": attempts,
    }
    if record.parent_task_run_id is not None:
        found["parentId"] = record.parent_task_run_id
    if record.value is not None:
        found["value"] = record.value
    if record.iteration is not None:
        found["iteration"] = record.iteration
    return found


def _parents(node: Node) -> list[JsonValue]:
    """The task runs around this one that have a value or outputs, nearest first."""
    found: list[JsonValue] = []
    for owner in ancestors(node):
        shown: dict[str, JsonValue] = {}
        if owner.record.value is not None:
            shown["taskrun"] = {"value": owner.record.value}
        if owner.record.outputs:
            shown["outputs"] = owner.record.outputs
        if shown:
            found.append(shown)
    return found


def nested_labels(labels: list[Label]) -> dict[str, JsonValue]:
    """Labels as a map in which dots in keys open a level: ``{"system": {"correlationId": ...}}``."""
    found: dict[str, JsonValue] = {}
    for label in labels:
        *folders, name = label.key.split(".")
        place = found
        for folder in folders:
            below = place.get(folder)
            if not isinstance(below, dict):
                below = place[folder] = {}
            place = below
        place[name] = label.value
    return found
