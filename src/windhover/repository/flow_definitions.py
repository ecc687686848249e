"""Flows as objects: read, checked and saved in one place, and kept parsed.

Every way a flow comes in (API, command line, a folder at start) goes through :meth:`FlowDefinitions.save`,
so that no invalid flow is ever stored as valid.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from windhover.model.flow import Flow
from windhover.model.plugin_default import PluginDefault
from windhover.model.problem import FlowInvalid
from windhover.model.yaml.limits import DEFAULT_LIMITS, SourceLimits
from windhover.plugin.parsing import FlowRefused, ParsedFlow, parse_flow
from windhover.plugin.registry import Registry
from windhover.plugin.trigger import TriggerKind
from windhover.repository.declared_triggers import declared_triggers, trigger_kind
from windhover.repository.flows import FlowDraft, FlowRecord, FlowRepository

logger = logging.getLogger(__name__)

_Key = tuple[str, str, str, int]


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
    """The flows of a database, parsed. ``capacity`` is how many revisions are kept in memory."""

    def __init__(
        self,
        repository: FlowRepository,
        registry: Registry,
        *,
        limits: SourceLimits = DEFAULT_LIMITS,
        plugin_defaults: Sequence[Sequence[PluginDefault]] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        capacity: int = 2000,
    ) -> None:
        self.repository = repository
        self.registry = registry
        self._limits = limits
        self._plugin_defaults = plugin_defaults
        self._clock = clock
        self._capacity = capacity
        self._parsed: OrderedDict[_Key, Flow] = OrderedDict()

    def parse(self, source: str | bytes) -> ParsedFlow:
        """Read and check a flow, its expressions included, without saving it.

        Raises:
            FlowInvalid: with everything that is wrong; what is to be said of expressions is among its notes.
        """
        from windhover.engine.expression_check import expression_warnings, with_expression_warnings

        try:
            return with_expression_warnings(self._parse(source))
        except FlowRefused as refused:
            refused.notes = (*refused.notes, *expression_warnings(refused.partial))
            raise

    def _parse(self, source: str | bytes) -> ParsedFlow:
        return parse_flow(source, self.registry, self._limits, plugin_defaults=self._plugin_defaults)

    async def save(self, tenant_id: str, parsed: ParsedFlow, base_revision: int | None = None) -> Flow:
        """Store a checked flow and return it with the revision it has now.

        Raises:
            FlowConflict: the flow is at another revision than ``base_revision`` (0: it must be new).
        """
        flow = parsed.flow
        draft = FlowDraft(
            tenant_id=tenant_id,
            namespace=flow.namespace,
            id=flow.id,
            source=parsed.source,
            description=flow.description,
            labels=tuple(flow.labels),
            disabled=flow.disabled,
            triggers=declared_triggers(flow),
            listens=any(trigger_kind(trigger) is TriggerKind.FLOW for trigger in flow.triggers),
        )
        record = await self.repository.save(draft, self._clock(), base_revision)
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
