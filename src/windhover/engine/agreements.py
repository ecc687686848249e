"""Service-level agreements (``sla``): what must hold while an execution runs.

Documentation page: ``docs/limits.md``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from windhover.engine.deadlines import Deadlines
from windhover.engine.environment import EngineEnvironment
from windhover.engine.live import LiveExecution
from windhover.expression import ExpressionError, truthy
from windhover.model.execution import Label, Phase
from windhover.model.log import LogLevel
from windhover.model.sla import ExecutionAssertionSla, MaxDurationSla, Sla, SlaBehavior
from windhover.model.state import StateType
from windhover.util.durations import format_duration, parse_duration

#: The timers of the longest durations; the id of the agreement follows.
SLA_TIMER = "sla:"

_ENDS = {SlaBehavior.FAIL: StateType.FAILED, SlaBehavior.CANCEL: StateType.CANCELLED}


class Agreements(Deadlines):
    """Watches over the agreements of a flow.

    A breach ends the work itself, and the execution when that has ended: task runs under way are killed,
    ``finally`` branches run. Each agreement is broken once.
    """

    def __init__(self, live: LiveExecution, now: datetime, environment: EngineEnvironment) -> None:
        super().__init__(live, now, environment)
        self._assertions = [sla for sla in live.flow.sla if isinstance(sla, ExecutionAssertionSla)]
        self.watches_assertions = bool(self._assertions)

    def watch_durations(self, since: datetime) -> None:
        """Let the longest durations run from an instant on."""
        for sla in self._durations():
            if sla.id not in self.live.record.broken_slas:
                self.effects.timers_set[SLA_TIMER + sla.id] = since + parse_duration(sla.duration)

    def duration_is_over(self, sla_id: str) -> None:
        sla = next((sla for sla in self._durations() if sla.id == sla_id), None)
        if sla is None or not self._is_under_way:
            return
        took = timedelta(milliseconds=self._elapsed() // timedelta(milliseconds=1))
        self._break(
            sla,
            f"execution duration of {format_duration(took)} exceed the maximum duration of {sla.duration}.",
        )

    def look_at_assertions(self) -> None:
        """See whether what is asserted still holds. What cannot be rendered (yet) holds."""
        for sla in self._assertions:
            if not self._is_under_way:
                return
            if sla.id in self.live.record.broken_slas:
                continue
            try:
                holds = truthy(self.renderer().render(sla.assert_))
            except ExpressionError as error:
                if sla.id not in self.live.ignored_slas:
                    self.live.ignored_slas.add(sla.id)
                    self.log(LogLevel.ERROR, f"Ignoring SLA '{sla.id}' because of the error: {error}")
                continue
            if not holds:
                self._break(sla, f"assertion is false: {sla.assert_}.")

    def execution_ends(self) -> None:
        super().execution_ends()
        for sla in self._durations():
            self.clear_timer(SLA_TIMER + sla.id)

    def _durations(self) -> list[MaxDurationSla]:
        return [sla for sla in self.live.flow.sla if isinstance(sla, MaxDurationSla)]

    @property
    def _is_under_way(self) -> bool:
        record = self.live.record
        if self.live.root.phase is Phase.AFTER_EXECUTION:
            return False
        return not record.state.current.is_terminated and record.ordered_end is None

    def _elapsed(self) -> timedelta:
        """How long the execution has taken: since its creation, or since it was last restarted."""
        record = self.live.record
        since = max(record.state.start_date, record.schedule_date or record.state.start_date)
        for before, change in pairwise(record.state.histories):
            # A pause that is over shows as RESTARTED, too.
            if change.state is StateType.RESTARTED and before.state.is_terminated:
                since = change.date
        return self.now - since

    def _break(self, sla: Sla, reason: str) -> None:
        record = self.live.record
        record.broken_slas = (*record.broken_slas, sla.id)
        merged = {label.key: label.value for label in (*record.labels, *sla.labels)}
        record.labels = [Label(key, value) for key, value in merged.items()]
        self.header_changed()
        self.log(LogLevel.WARN, f"SLA '{sla.id}' violated: {reason}")
        state = _ENDS.get(sla.behavior)
        if state is None:
            return
        level, verb = (
            (LogLevel.ERROR, "failed") if state is StateType.FAILED else (LogLevel.WARN, "cancelled")
        )
        self.log(level, f"Execution {verb} due to SLA '{sla.id}' violated: {reason}")
        self.effects.kills_descendants = True
        self.order_end(state, stop=True, finalize=True)
