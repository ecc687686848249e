"""Flow triggers: what executions of other flows start, in the very commit in which their state changes.

Since the new execution is written together with the state that it follows from, there is exactly one for
each, whenever the server dies. Executions cost nothing while no flow listens to them: those that do are
found by the executions that they listen to.

Documentation page: ``docs/flow-triggers.md``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import msgspec

from windhover.engine.conditions import conditions_hold
from windhover.engine.creation import CORRELATION_ID
from windhover.engine.environment import EngineEnvironment
from windhover.engine.firing import Firing, Occasion, failed_firing, fire
from windhover.engine.gathering import after_firing, current, gathered_outputs, is_complete, span_of, with_met
from windhover.engine.upstream import Upstream
from windhover.executor.change import Change
from windhover.expression.moments import zone_of
from windhover.model.execution import Execution
from windhover.model.flow import Flow
from windhover.model.gathered import Gathered, GatheringKey, KeptGathering
from windhover.model.log import LogEntry, LogLevel
from windhover.model.state import StateType
from windhover.model.trigger_state import TriggerKey
from windhover.plugin.condition import ConditionError
from windhover.plugin.gathering import Gathering, Interest
from windhover.plugin.trigger import FlowTrigger
from windhover.repository.flow_definitions import FlowDefinitions
from windhover.repository.gatherings import GatheringRepository
from windhover.repository.trigger_logs import TriggerJournal

logger = logging.getLogger(__name__)

#: How many reasons why a trigger does not fire are told, each once, until it fires.
_MOST_COMPLAINTS = 20


class Listener(msgspec.Struct, frozen=True):
    """A Flow trigger that is enabled, and the latest revision of its flow."""

    flow: Flow
    trigger: FlowTrigger

    @property
    def key(self) -> TriggerKey:
        return TriggerKey(self.flow.tenant_id or "", self.flow.namespace, self.flow.id, self.trigger.id)


class Reaction(msgspec.Struct, frozen=True):
    """What a Flow trigger has made of an execution: a new one, or a line in the log of the old one."""

    flow: Flow
    firing: Firing | None = None
    warning: LogEntry | None = None


class FlowTriggers:
    """Knows the Flow triggers of all tenants, and evaluates them."""

    def __init__(
        self,
        definitions: FlowDefinitions,
        gatherings: GatheringRepository,
        environment: EngineEnvironment,
        clock: Callable[[], datetime],
    ) -> None:
        self._definitions = definitions
        self._repository = gatherings
        self._environment = environment
        self._clock = clock
        self._most_repeats = environment.flow_trigger_repeats
        self._zone = zone_of(environment.zone)
        self._of_flow: dict[tuple[str, str, str], list[Listener]] = {}
        self._by_interest: dict[tuple[str, Interest], dict[TriggerKey, Listener]] = {}
        self._gathered: dict[GatheringKey, Gathered] = {}
        self._deadlines: dict[GatheringKey, datetime] = {}
        #: Why triggers do not fire that have not fired since.
        self._complaints: dict[TriggerKey, set[str]] = {}
        self._journal = TriggerJournal()

    # ---------------------------------------------------------------- which flows listen

    @property
    def is_empty(self) -> bool:
        """No flow listens to any execution."""
        return not self._by_interest

    async def load(self) -> tuple[list[KeptGathering], list[GatheringKey]]:
        """Read the flows that listen, and what was gathered.

        Returns what is to be written first: the windows whose miss will be told, and what no flow asks for.
        """
        for flow in await self._definitions.listening():
            self._add(flow)
        kept = await self._repository.all()
        wanted = {key for key, _, _ in self._all_gatherings()}
        for each in kept:
            if each.key in wanted:
                self._gathered[each.key] = each.gathered
                if each.due is not None:
                    self._deadlines[each.key] = each.due
        return self._watch_deadlines(), [each.key for each in kept if each.key not in wanted]

    def flow_changed(self, flow: Flow) -> tuple[list[KeptGathering], list[GatheringKey]]:
        """A revision was saved. Returns what is to be written, as :meth:`load` does."""
        key = (flow.tenant_id or "", flow.namespace, flow.id)
        had = key in self._of_flow
        self._remove(key)
        self._add(flow)
        if not had and key not in self._of_flow:
            return [], []
        wanted = {each for each, _, _ in self._all_gatherings()}
        return self._watch_deadlines(), self._forget(key, wanted)

    def flow_gone(self, key: tuple[str, str, str]) -> list[GatheringKey]:
        """A flow was deleted, or cannot be read. Returns what of it is to be forgotten."""
        if key not in self._of_flow:
            return []
        self._remove(key)
        return self._forget(key, set())

    def _add(self, flow: Flow) -> None:
        if flow.disabled:
            return
        for trigger in flow.triggers:
            if not isinstance(trigger, FlowTrigger) or trigger.disabled:
                continue
            listener = Listener(flow, trigger)
            tenant, namespace, flow_id, _ = listener.key
            try:
                interests = trigger.interests()
                trigger.gatherings()
            except Exception:
                # A defect of one trigger type must cost this trigger and not the executor.
                logger.exception("Flow trigger %s does not fire", listener.key)
                continue
            self._of_flow.setdefault((tenant, namespace, flow_id), []).append(listener)
            for interest in interests:
                self._by_interest.setdefault((tenant, interest), {})[listener.key] = listener

    def _remove(self, key: tuple[str, str, str]) -> None:
        for listener in self._of_flow.pop(key, ()):
            self._complaints.pop(listener.key, None)
            for interest in listener.trigger.interests():
                listeners = self._by_interest.get((key[0], interest), {})
                listeners.pop(listener.key, None)
                if not listeners:
                    self._by_interest.pop((key[0], interest), None)

    def _forget(self, flow: tuple[str, str, str], wanted: set[GatheringKey]) -> list[GatheringKey]:
        known = {*self._gathered, *self._deadlines}
        gone = [key for key in known if key[:3] == flow and key not in wanted]
        for key in gone:
            self._gathered.pop(key, None)
            self._deadlines.pop(key, None)
        return gone

    def _listeners(self, record: Execution, state: StateType) -> Iterator[Listener]:
        """The triggers that may react to an execution, in the order of their flows."""
        tenant, own = record.tenant_id, (record.tenant_id, record.namespace, record.flow_id)
        found: dict[TriggerKey, Listener] = {}
        for interest in (
            Interest(record.namespace, record.flow_id),
            Interest(record.namespace),
            Interest(flow_id=record.flow_id),
            Interest(),
        ):
            found.update(self._by_interest.get((tenant, interest), {}))
        for key in sorted(found):
            if key[:3] != own and found[key].trigger.reacts_to(state):
                yield found[key]

    # ---------------------------------------------------------------- what an execution starts

    async def react(self, change: Change) -> list[Reaction]:
        """What follows from the states that an execution has taken since this was last asked.

        What is gathered on the way is added to the change, to be written with it.
        """
        record = change.live.record
        first, change.known_states = change.known_states, len(record.state.histories)
        if record.kind is not None or change.deleted:
            return []
        reactions: list[Reaction] = []
        for position in range(first, len(record.state.histories)):
            state = record.state.histories[position].state
            for listener in self._listeners(record, state):
                upstream = Upstream(change.live, position, listener.flow, self._environment)
                reaction = await self._evaluate(listener, upstream, change)
                if reaction is not None:
                    reactions.append(reaction)
        return reactions

    async def _evaluate(self, listener: Listener, upstream: Upstream, change: Change) -> Reaction | None:
        gatherings = listener.trigger.gatherings()
        before: list[Gathered] = []
        try:
            if not conditions_hold(listener.trigger, upstream.context):
                return None
            if gatherings:
                gathered = await self._gather(listener, gatherings, upstream, change)
                if gathered is None:
                    return None
                before = gathered
        except ConditionError as error:
            self._say_once(listener, str(error), change)
            return None
        except Exception:
            # A defect of one trigger type must cost this trigger and not the executor.
            logger.exception("Flow trigger %s cannot be evaluated", listener.key)
            self._say_once(listener, "an internal error; the server's log has the details", change)
            return None
        if (upstream.record.flow_triggers or {}).get(str(listener.key), 0) >= self._most_repeats:
            return Reaction(listener.flow, warning=self._loop(listener, upstream.record))
        return self._fire(listener, upstream, before)

    def _fire(self, listener: Listener, upstream: Upstream, gathered: list[Gathered]) -> Reaction:
        flow, trigger, record, now = listener.flow, listener.trigger, upstream.record, self._clock()
        outputs = gathered_outputs(gathered, record) if gathered else record.outputs
        occasion = Occasion(
            trigger,
            upstream.trigger_variables(outputs),
            inputs=trigger.inputs,
            labels=[label for label in record.labels if label.key == CORRELATION_ID],
            context=upstream.input_variables(),
            may_lack_inputs=True,
        )
        firing = fire(flow, occasion, self._environment, now)
        self._complaints.pop(listener.key, None)
        chain = dict(record.flow_triggers or {})
        chain[str(listener.key)] = chain.get(str(listener.key), 0) + 1
        firing.execution.flow_triggers = chain
        warning = None
        if firing.execution.refusals:
            name = f"{flow.namespace}.{flow.id}"
            message = f"Failed to trigger flow {name} for trigger {trigger.id}, invalid inputs"
            warning = _line(record, LogLevel.WARN, message, now)
        return Reaction(flow, firing, warning)

    def _loop(self, listener: Listener, record: Execution) -> LogEntry:
        correlation = next((each.value for each in record.labels if each.key == CORRELATION_ID), record.id)
        message = (
            f"Flow trigger {listener.key} is not fired: it has fired {self._most_repeats} times in the chain "
            f"of executions with the correlation id {correlation}. Flows that trigger one another endlessly "
            "are stopped there; narrow their conditions, or raise `windhover.flow-triggers.most-repeats`."
        )
        logger.error(message)
        return _line(record, LogLevel.ERROR, message, self._clock())

    def _say_once(self, listener: Listener, reason: str, change: Change) -> None:
        """Tell why a trigger does not fire, in its log and in that of the server; again once it has fired."""
        message = f"Flow trigger {listener.key} of revision {listener.flow.revision} does not fire: {reason}"
        told = self._complaints.setdefault(listener.key, set())
        if message not in told and len(told) < _MOST_COMPLAINTS:
            told.add(message)
            logger.warning(message)
            line = self._journal.line(listener.key, LogLevel.WARN, f"Not fired: {reason}", self._clock())
            change.trigger_logs.append(line)

    # ---------------------------------------------------------------- what several executions start

    async def _gather(
        self, listener: Listener, gatherings: Sequence[Gathering], upstream: Upstream, change: Change
    ) -> list[Gathered] | None:
        """Note what an execution meets; returns all that was gathered if that is complete now.

        Raises:
            ConditionError: a requirement cannot be evaluated, and no other is met.
        """
        now = self._clock()
        complete: list[tuple[GatheringKey, Gathering, Gathered]] = []
        progress = False
        for gathering in gatherings:
            key = GatheringKey(*listener.key, gathering.id)
            gathered = current(gathering, self._gathered.get(key), now, self._zone)
            if gathered is None:
                continue
            met = _met_by(gathering, upstream)
            if met:
                progress = True
                gathered = with_met(gathered, gathering, met, upstream.record, now)
                self._keep(key, gathering, gathered, change)
            if is_complete(gathering, gathered):
                complete.append((key, gathering, gathered))
        if not progress or len(complete) < len(gatherings):
            return None
        for key, gathering, gathered in complete:
            self._keep(key, gathering, after_firing(gathering, gathered), change)
        return [gathered for _, _, gathered in complete]

    def _keep(
        self, key: GatheringKey, gathering: Gathering, gathered: Gathered | None, change: Change
    ) -> None:
        change.gatherings.pop(key, None)
        if gathered is None:
            self._gathered.pop(key, None)
            change.gatherings[key] = None
            return
        self._gathered[key] = gathered
        due = gathered.end if gathering.miss_labels is not None else None
        change.gatherings[key] = KeptGathering(key, gathered, due)

    async def forget_unwritten(self, change: Change) -> None:
        """The database refused a change: what it gathered is what it was before."""
        for key in change.gatherings:
            stored = await self._repository.get(key)
            if stored is None:
                self._gathered.pop(key, None)
            else:
                self._gathered[key] = stored

    # ---------------------------------------------------------------- windows that were missed

    @property
    def next_deadline(self) -> datetime | None:
        """When the next window ends whose miss is to be told."""
        return min(self._deadlines.values(), default=None)

    def missed(self) -> list[tuple[Reaction | None, KeptGathering]]:
        """Windows that have ended: what follows from each that was missed, and the window after it."""
        now = self._clock()
        if self.next_deadline is None or self.next_deadline > now:
            return []
        found: list[tuple[Reaction | None, KeptGathering]] = []
        for key, listener, gathering in list(self._all_gatherings()):
            due = self._deadlines.get(key)
            if due is None or due > now:
                continue
            gathered = self._gathered.get(key)
            reaction = None
            if gathered is None or not gathered.fired:
                reaction = self._missed(listener, gathering, gathered, due)
            found.append((reaction, self._open(key, gathering, now)))
        return found

    def _missed(
        self, listener: Listener, gathering: Gathering, gathered: Gathered | None, due: datetime
    ) -> Reaction:
        met = len(gathered.met.keys() & gathering.requirements.keys()) if gathered is not None else 0
        reason = (
            f"Flow trigger {listener.trigger.id} was not satisfied by {due.isoformat()}: "
            f"{met} of {gathering.needed} dependencies were met."
        )
        occasion = Occasion(listener.trigger, {}, labels=gathering.miss_labels or ())
        firing = failed_firing(listener.flow, occasion, reason, self._environment, self._clock())
        return Reaction(listener.flow, firing)

    def _watch_deadlines(self) -> list[KeptGathering]:
        """Open a window for each gathering whose miss is to be told and which has none."""
        now = self._clock()
        watched = {
            key: gathering
            for key, _, gathering in self._all_gatherings()
            if gathering.miss_labels is not None
        }
        for key in [key for key in self._deadlines if key not in watched]:
            del self._deadlines[key]
        return [
            self._open(key, gathering, now)
            for key, gathering in watched.items()
            if key not in self._deadlines or key not in self._gathered
        ]

    def _open(self, key: GatheringKey, gathering: Gathering, now: datetime) -> KeptGathering:
        span = span_of(gathering, now, self._zone)
        assert span is not None, "checked when the flow was read"
        opened = Gathered(span.start, span.end)
        self._gathered[key] = opened
        self._deadlines[key] = span.end
        return KeptGathering(key, opened, span.end)

    def _all_gatherings(self) -> Iterator[tuple[GatheringKey, Listener, Gathering]]:
        for listeners in self._of_flow.values():
            for listener in listeners:
                for gathering in listener.trigger.gatherings():
                    yield GatheringKey(*listener.key, gathering.id), listener, gathering


def _met_by(gathering: Gathering, upstream: Upstream) -> list[str]:
    """The requirements that an execution meets; one that cannot be told is not met."""
    met = []
    failure: ConditionError | None = None
    for key, holds in gathering.requirements.items():
        try:
            if holds(upstream.context):
                met.append(key)
        except ConditionError as error:
            failure = error
        except Exception as error:  # Whatever a requirement raises, the executions must go on.
            failure = ConditionError(gathering.id, str(error))
    if failure is not None and not met:
        raise failure
    return met


def _line(record: Execution, level: LogLevel, message: str, now: datetime) -> LogEntry:
    return LogEntry(
        tenant_id=record.tenant_id,
        namespace=record.namespace,
        flow_id=record.flow_id,
        execution_id=record.id,
        timestamp=now,
        level=level,
        message=message,
    )
