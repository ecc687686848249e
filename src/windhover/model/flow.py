"""A flow: one revision of a workflow's definition, immutable.

Flows are read from YAML by :func:`windhover.plugin.parsing.parse_flow`, which knows the classes of their
tasks and triggers.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, PrivateAttr, SerializeAsAny

from windhover.model.check import Check
from windhover.model.concurrency import Concurrency
from windhover.model.definition import Definition, DurationText, Text, identifier, unset_as_empty
from windhover.model.execution import JsonValue
from windhover.model.inputs import FlowOutput, Input
from windhover.model.labels import Labels
from windhover.model.plugin_default import PluginDefault
from windhover.model.retry import Retry
from windhover.model.sla import Sla
from windhover.model.task import Task
from windhover.model.trigger import Trigger
from windhover.model.worker_selection import WorkerGroup, WorkerSelector

FLOW_ID_PATTERN = "^[a-zA-Z0-9][a-zA-Z0-9._-]*"
NAMESPACE_PATTERN = "^[a-z0-9][a-z0-9._-]*"
TENANT_PATTERN = "^[a-z0-9][a-z0-9_-]*"

FlowId = Annotated[Text, AfterValidator(identifier(FLOW_ID_PATTERN, 100, "size must be between 1 and 100"))]
Namespace = Annotated[
    Text, AfterValidator(identifier(NAMESPACE_PATTERN, 150, "size must be between 1 and 150"))
]
TenantId = Annotated[Text, AfterValidator(identifier(TENANT_PATTERN, 150, "size must be between 1 and 150"))]

#: The properties that hold tasks, in the order in which they run.
TASK_LISTS = ("tasks", "errors", "finally", "afterExecution")


#: The properties that hold plugins of any type, which are shown as they are written.
_HOLDS_PLUGINS = (*TASK_LISTS, "listeners", "triggers")
_FIELDS = {"finally": "finally_", "afterExecution": "after_execution"}


class Listener(Definition):
    """Tasks to run once an execution has ended, if all conditions hold. Superseded by Flow triggers."""

    description: Text | None = None
    conditions: tuple[SerializeAsAny[BaseModel], ...] = ()
    tasks: tuple[Task, ...] = ()


class QuotaBehavior(StrEnum):
    """What becomes of an execution beyond a quota."""

    FAIL = "FAIL"
    CANCEL = "CANCEL"


class Quota(Definition):
    """At most ``limit`` executions within ``duration``."""

    duration: DurationText
    limit: Annotated[int, Field(ge=0)]
    behavior: QuotaBehavior


class PlacedTask(NamedTuple):
    """A task of a flow and the flow-control task it is in, None at the top."""

    task: Task
    parent: Task | None


class Flow(Definition):
    """One revision of a flow.

    Two flows are equal when they are the same revision with the same definition; the hash is that of
    :attr:`uid`, so flows can be keys.
    """

    id: FlowId
    namespace: Namespace
    revision: Annotated[int, Field(ge=1)] | None = None
    description: Text | None = None
    inputs: tuple[Input, ...] = ()
    outputs: tuple[FlowOutput, ...] = ()
    disabled: bool = False
    deleted: bool = False
    draft: bool = False
    tenant_id: TenantId | None = None
    updated: datetime | None = None
    labels: Labels = ()
    variables: Annotated[dict[str, JsonValue], BeforeValidator(unset_as_empty)] = Field(default_factory=dict)
    worker_group: WorkerGroup | None = None
    worker_selector: WorkerSelector | None = None
    tasks: Annotated[tuple[SerializeAsAny[Task], ...], Field(min_length=1)]
    errors: tuple[SerializeAsAny[Task], ...] = ()
    finally_: Annotated[tuple[SerializeAsAny[Task], ...], Field(alias="finally")] = ()
    after_execution: tuple[SerializeAsAny[Task], ...] = ()
    listeners: tuple[Listener, ...] = ()
    triggers: tuple[SerializeAsAny[Trigger], ...] = ()
    plugin_defaults: tuple[PluginDefault, ...] = ()
    task_defaults: tuple[PluginDefault, ...] = ()
    concurrency: Concurrency | None = None
    retry: Retry | None = None
    sla: tuple[Sla, ...] = ()
    checks: tuple[Check, ...] = ()
    quotas: tuple[Quota, ...] = ()
    policy_refs: tuple[str, ...] = ()

    #: The document as its author wrote it, before plugin defaults were put in.
    _written: Mapping[str, JsonValue] | None = PrivateAttr(default=None)

    def model_post_init(self, context: object, /) -> None:
        if isinstance(context, Mapping):
            self._written = context.get("written")

    @property
    def uid(self) -> str:
        """The identity of this revision: tenant, namespace, id and revision, joined by ``_``."""
        return _join(self.tenant_id, self.namespace, self.id, self.revision)

    @property
    def uid_without_revision(self) -> str:
        """The identity of the flow over all its revisions."""
        return _join(self.tenant_id, self.namespace, self.id)

    def all_tasks(self) -> tuple[PlacedTask, ...]:
        """Every task at every depth with its parent, each before those in it, as they are written."""
        return self._placed

    def task_by_id(self, task_id: str) -> Task | None:
        """The task of this id at any depth, or None."""
        placed = self._by_id.get(task_id)
        return placed.task if placed is not None else None

    def parent_of(self, task_id: str) -> Task | None:
        """The flow-control task that a task is in, or None at the top."""
        placed = self._by_id.get(task_id)
        return placed.parent if placed is not None else None

    def trigger_by_id(self, trigger_id: str) -> Trigger | None:
        """The trigger of this id, or None."""
        return next((trigger for trigger in self.triggers if trigger.id == trigger_id), None)

    def with_revision(self, revision: int, **stamps: JsonValue) -> Self:
        """The same definition under another revision; ``stamps`` are fields such as ``updated``."""
        return self.model_copy(update={"revision": revision, **stamps})

    def to_json(self) -> dict[str, JsonValue]:
        """The flow as the REST API shows it: what is written, in JSON, with the defaults clients rely on."""
        written = self._written or {}
        as_written = {
            _FIELDS.get(name, name): name for name in _HOLDS_PLUGINS if written.get(name) is not None
        }
        shown = self.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude=set(as_written))
        shown |= {name: written[name] for name in as_written.values()}
        if "inputs" in shown:
            shown["inputs"] = [{"required": True, **entry} for entry in shown["inputs"]]
        for name, default in (("disabled", False), ("deleted", False), ("triggers", [])):
            shown.setdefault(name, default)
        return shown

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Flow) and self.uid == other.uid and super().__eq__(other)

    def __hash__(self) -> int:
        return hash(self.uid)

    @cached_property
    def _placed(self) -> tuple[PlacedTask, ...]:
        listened = (task for listener in self.listeners for task in listener.tasks)
        roots = (*self.tasks, *self.errors, *self.finally_, *self.after_execution, *listened)
        return tuple(_walk(roots, None))

    @cached_property
    def _by_id(self) -> dict[str, PlacedTask]:
        return {placed.task.id: placed for placed in self._placed}


def _walk(tasks: Iterable[Task], parent: Task | None) -> Iterator[PlacedTask]:
    for task in tasks:
        yield PlacedTask(task, parent)
        yield from _walk(task.nested(), task)


def _join(*parts: str | int | None) -> str:
    return "_".join(str(part) for part in parts if part is not None)
