"""Flows as objects: read, checked and saved in one place, and kept parsed.

Every way a flow comes in (API, command line, a folder at start) goes through :meth:`FlowDefinitions.save`,
so that no invalid flow is ever stored as valid.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from windhover.model.execution import JsonValue
from windhover.model.flow import Flow
from windhover.model.plugin_default import PluginDefault
from windhover.model.problem import FlowInvalid, Problem, ProblemCode
from windhover.model.task import Task
from windhover.model.yaml.limits import DEFAULT_LIMITS, SourceLimits
from windhover.plugin.flowable import FlowableTask
from windhover.plugin.parsing import ParsedFlow, parse_flow
from windhover.plugin.registry import Registry
from windhover.plugin.resolver import takes_in_itself
from windhover.plugin.trigger import TriggerKind
from windhover.repository.declared_triggers import declared_triggers, trigger_kind
from windhover.repository.flows import FlowDraft, FlowRecord, FlowRepository
from windhover.repository.namespaces import Namespaces
from windhover.repository.templates import Templates

logger = logging.getLogger(__name__)

_Key = tuple[str, str, str, int]

_TEMPLATE_PROPERTIES = ("id", "namespace", "tenantId", "description", "tasks", "errors", "finally", "deleted")


class FlowNotFound(Exception):
    """There is no such flow, or not in that revision."""

    def __init__(self, namespace: str, flow_id: str, revision: int | None) -> None:
        super().__init__(f"Unable to find flow '{namespace}'.'{flow_id}' with revision '{revision or 0}'")


class FlowUnreadable(Exception):
    """A stored flow is no longer valid: a plugin it uses is gone, or its rules have changed."""

    def __init__(self, record: FlowRecord, error: FlowInvalid) -> None:
        super().__init__(
            f"Flow '{record.namespace}.{record.id}' revision {record.revision} cannot be read: {error}"
        )


class FlowDefinitions:
    """The flows of a database, parsed. ``capacity`` is how many revisions are kept in memory.

    What a flow takes from outside its text, of its namespaces and of templates, is that of ``tenant_id``.
    """

    def __init__(
        self,
        repository: FlowRepository,
        registry: Registry,
        *,
        limits: SourceLimits = DEFAULT_LIMITS,
        plugin_defaults: Sequence[Sequence[PluginDefault]] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        capacity: int = 2000,
        tenant_id: str = "main",
        zone: str | None = None,
    ) -> None:
        """``zone`` is the time zone of schedules that name none, if it is known here."""
        self.repository = repository
        self.namespaces = Namespaces(repository.database, tenant_id)
        self.templates = Templates(repository.database, tenant_id)
        self.registry = registry
        self._limits = limits
        self._plugin_defaults = plugin_defaults
        self._clock = clock
        self._capacity = capacity
        self._zone = zone
        self._parsed: OrderedDict[_Key, Flow] = OrderedDict()

    async def load(self) -> None:
        """Read what is declared outside of flows; to be called before the first flow is read."""
        await self.namespaces.load()
        await self.templates.load()

    def forget(self) -> None:
        """Read all flows anew when they are next asked for: something that they take in has changed."""
        self._parsed.clear()

    def plugin_defaults(self, namespace: str) -> Sequence[Sequence[PluginDefault]]:
        """The plugin defaults that the namespaces around a flow declare."""
        return self.namespaces.plugin_defaults(namespace)

    def template(self, namespace: str, template_id: str) -> Mapping[str, JsonValue] | None:
        """A template as it is written."""
        record = self.templates.get(namespace, template_id)
        return None if record is None else record.written

    def parse(self, source: str | bytes) -> ParsedFlow:
        """Read and check a flow, its expressions included, without saving it.

        Raises:
            FlowInvalid: with everything that is wrong; what is to be said of expressions is among its notes.
        """
        from windhover.engine.expression_check import read_with_expressions

        return read_with_expressions(lambda: self._parse(source))

    def parse_template(self, source: str | bytes) -> ParsedFlow:
        """Read and check a template: a flow of nothing but tasks.

        Raises:
            FlowInvalid: with everything that is wrong.
        """
        parsed = self._parse(source)
        flow = parsed.flow
        problems = [
            Problem(f"A template has no `{name}`", ProblemCode.UNKNOWN_PROPERTY, path=name)
            for name in parsed.written
            if name not in _TEMPLATE_PROPERTIES
        ]
        # The tasks of the templates that it takes in are among its own here.
        if any(_includes(placed.task, flow.namespace, flow.id) for placed in flow.all_tasks()):
            problems.append(Problem(takes_in_itself(flow.namespace, flow.id), ProblemCode.FLOW_RULE))
        if problems:
            raise FlowInvalid(problems, namespace=flow.namespace, flow_id=flow.id)
        return parsed

    def _parse(self, source: str | bytes) -> ParsedFlow:
        return parse_flow(
            source,
            self.registry,
            self._limits,
            plugin_defaults=self._plugin_defaults,
            surroundings=self,
        )

    async def save(self, tenant_id: str, parsed: ParsedFlow, base_revision: int | None = None) -> Flow:
        """Store a checked flow and return it with the revision it has now.

        Raises:
            FlowConflict: the flow is at another revision than ``base_revision`` (0: it must be new).
        """
        flow, now = parsed.flow, self._clock()
        draft = FlowDraft(
            tenant_id=tenant_id,
            namespace=flow.namespace,
            id=flow.id,
            source=parsed.source,
            description=flow.description,
            labels=tuple(flow.labels),
            disabled=flow.disabled,
            triggers=declared_triggers(flow, now, self._zone),
            listens=any(trigger_kind(trigger) is TriggerKind.FLOW for trigger in flow.triggers),
        )
        record = await self.repository.save(draft, now, base_revision)
        return self._keep(record, flow)

    async def listening(self) -> list[Flow]:
        """The latest revision of every flow, of every tenant, that reacts to executions of other flows.

        One that is no longer valid is left out, with an error in the server's log.
        """
        flows = []
        for record in await self.repository.listening():
            try:
                flows.append(self.read(record))
            except FlowUnreadable as error:
                logger.error("Its Flow triggers do not fire: %s", error)
        return flows

    async def get(self, tenant_id: str, namespace: str, flow_id: str, revision: int | None = None) -> Flow:
        """A flow by its revision, or the latest one.

        Raises:
            FlowNotFound: there is none, or its latest revision deleted it.
            FlowUnreadable: it is stored but no longer valid.
        """
        if revision is not None:
            flow = self._parsed.get((tenant_id, namespace, flow_id, revision))
            if flow is not None:
                return flow
        record = await self.repository.get(tenant_id, namespace, flow_id, revision)
        if record is None:
            raise FlowNotFound(namespace, flow_id, revision)
        return self.read(record)

    def read(self, record: FlowRecord) -> Flow:
        """The flow of a stored revision.

        Raises:
            FlowUnreadable: it is no longer valid.
        """
        key = (record.tenant_id, record.namespace, record.id, record.revision)
        flow = self._parsed.get(key)
        if flow is not None:
            self._parsed.move_to_end(key)
            return flow
        try:
            flow = self._parse(record.source).flow
        except FlowInvalid as error:
            raise FlowUnreadable(record, error) from error
        return self._keep(record, flow)

    def _keep(self, record: FlowRecord, flow: Flow) -> Flow:
        flow = flow.with_revision(
            record.revision, tenant_id=record.tenant_id, updated=record.updated, deleted=record.deleted
        )
        self._parsed[record.tenant_id, record.namespace, record.id, record.revision] = flow
        if len(self._parsed) > self._capacity:
            self._parsed.popitem(last=False)
        return flow


def _includes(task: Task, namespace: str, template_id: str) -> bool:
    named = (getattr(task, "namespace", None), getattr(task, "template_id", None))
    return isinstance(task, FlowableTask) and task.includes_template and named == (namespace, template_id)
