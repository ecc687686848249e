"""Waiting for a person, or for a time."""

from __future__ import annotations

from datetime import datetime, timedelta

from windhover.engine.agenda import PAUSE_TIMER, is_paused
from windhover.engine.events import Resume
from windhover.engine.frame import Frame, Node
from windhover.engine.subflows import Subflows
from windhover.model.execution import JsonValue, Phase, TaskRun
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.plugin.flowable import Decision, FlowableTask, PauseBehavior, soften
from windhover.util.instants import instant_text
from windhover.util.nulls import without_nulls

#: How a pause ends when its time is over.
_PAUSE_ENDS = {
    PauseBehavior.RESUME: StateType.SUCCESS,
    PauseBehavior.WARN: StateType.WARNING,
    PauseBehavior.FAIL: StateType.FAILED,
    PauseBehavior.TIMEOUT: StateType.FAILED,
    PauseBehavior.CANCEL: StateType.CANCELLED,
}


#: Ends that have a line of their own.
_TELL_THEMSELVES = frozenset({PauseBehavior.CANCEL, PauseBehavior.TIMEOUT})


class Pauses(Subflows):
    """The life of pauses."""

    def begin_pause(self, node: Node, task: FlowableTask) -> None:
        assert node.body_frame is not None, "a flow-control task that has begun has a frame"
        until = node.body_frame.body.pause
        assert until is not None, "only a body with a pause comes here"
        if self.live.record.ordered_end is not None:
            self.log(LogLevel.WARN, "Nobody is waited for: the execution is about to end.", node)
            self.later(self.end, node, StateType.SUCCESS)
            return
        node.record.state.become(StateType.PAUSED, self.now)
        self.changed(node)
        # What was created together with the pause begins beside it.
        self.later(self._rest, node)
        if node.body_frame.has(Phase.MEANWHILE):
            self.create(node.body_frame, Phase.MEANWHILE, 0, 0)
        waits = "to be resumed" if until.comment is None else "for a decision"
        if until.seconds is not None:
            due = self.now + timedelta(seconds=until.seconds)
            waits += f", until {instant_text(due)} at most"
            if until.comment is not None:
                shown: dict[str, JsonValue] = {"due": instant_text(due)}
                self.live.outputs_changed(node, {**(node.record.outputs or {}), **shown})
            self.effects.timers_set[PAUSE_TIMER + node.record.id] = due
        self.log(LogLevel.INFO, f"Execution paused: it waits {waits}.", node)

    def _rest(self, node: Node) -> None:
        """Let the execution wait with a task run that does, unless it stands at a breakpoint beside it."""
        header = self.live.record
        at_breakpoint = header.state.current is StateType.BREAKPOINT
        if _waits(node) and header.ordered_end is None and not at_breakpoint:
            self.header_state(StateType.PAUSED)

    def cut(self, frame: Frame, state: StateType, *, stop: bool = False, finalize: bool = False) -> None:
        """End a frame from outside; a pause waits for nobody then, though something in it may still run."""
        super().cut(frame, state, stop=stop, finalize=finalize)
        node = frame.owner
        if node is None or not is_paused(node):
            return
        self.clear_timer(PAUSE_TIMER + node.record.id)
        if frame.open or frame.finalizes:
            node.record.state.become(StateType.RUNNING, self.now)
        self.changed(node)

    def waits_for_somebody(self, but: Node | None = None) -> bool:
        """A pause, other than this one, waits for somebody or for its time."""
        return any(_waits(node) for node in self.open_leaves() if node is not but)

    def pause_is_over(self, task_run_id: str) -> None:
        node = self.live.nodes.get(task_run_id)
        if node is None or not is_paused(node) or node.body_frame is None:
            return
        until = node.body_frame.body.pause
        assert until is not None, "only a body with a pause is paused"
        if until.behavior is PauseBehavior.EXPIRE:
            self.decide(node, Decision.EXPIRED)
            return
        if until.behavior not in _TELL_THEMSELVES:
            self.log(LogLevel.INFO, f"The time of the pause is over: {until.behavior.value}.", node)
        self.end_pause(node, _PAUSE_ENDS[until.behavior], timeout=until.behavior is PauseBehavior.TIMEOUT)

    def end_pause(
        self, node: Node, state: StateType, *, by: str | None = None, timeout: bool = False
    ) -> None:
        record, frame = node.record, node.body_frame
        assert frame is not None, "a flow-control task that has begun has a frame"
        self.effects.timers_cleared.add(PAUSE_TIMER + record.id)
        if frame.body.lanes and state is StateType.FAILED:
            record.state.become(StateType.RUNNING, self.now)
        if timeout:
            # Only a limit can be missed; what a `behavior` says is wanted.
            state = soften(node.task, state)
        self.live.outputs_changed(node, self._resumed(record, state, by))
        if state is StateType.CANCELLED:
            self.log(LogLevel.INFO, "Execution cancelled: nobody resumed it in time.", node)
            self._count_attempt()
            if not frame.open:
                self.end(node, state)
            self.order_end(state)
            return
        if timeout:
            self.log(LogLevel.ERROR, "Nobody resumed the execution in time.", node)
        self._leave(node, state)

    def interrupt_pause(self) -> None:
        """A kill ends the pause that began first as a resume would, and nothing is run."""
        header = self.live.record
        paused = [node for node in self.open_leaves() if is_paused(node)]
        first = min(paused, key=lambda node: node.record.position, default=None)
        if header.state.current is not StateType.PAUSED or first is None or asks_for_decision(first):
            return
        header.metadata.attempt_number += 1
        self.live.outputs_changed(first, self._resumed(first.record, StateType.KILLING, None))
        self.changed(first)
        self.header_state(StateType.RESTARTED)

    def decide(self, node: Node, decision: Decision, answer: Resume | None = None) -> None:
        """End a pause that asks for a decision; ``answer`` is None when nobody gave one in time."""
        record, frame, task = node.record, node.body_frame, node.task
        assert frame is not None, "a flow-control task that has begun has a frame"
        assert isinstance(task, FlowableTask), "only flow-control tasks pause"
        self.clear_timer(PAUSE_TIMER + record.id)
        record.resolved, state = task.decided(record.resolved, decision)
        frame.body = task.body(record.resolved)
        by = answer.actor if answer is not None else None
        said: dict[str, JsonValue] = {
            "decision": decision.value,
            "auto": False,
            "by": by,
            "on": instant_text(self.now),
            "comment": answer.comment if answer is not None else None,
            "inputs": dict(answer.inputs) if answer is not None and answer.inputs else None,
        }
        self.live.outputs_changed(node, {**(record.outputs or {}), **without_nulls(said)})
        self.log(LogLevel.INFO, f"{decision.value.capitalize()}{f' by {by}' if by else ''}.", node)
        self._leave(node, state)

    def _count_attempt(self) -> None:
        """Each pause that ends begins another attempt of the execution."""
        self.live.record.metadata.attempt_number += 1
        self.header_changed()

    def _leave(self, node: Node, state: StateType) -> None:
        """Go on after a pause, whose task run ends in this state at best."""
        record, header, frame = node.record, self.live.record, node.body_frame
        assert frame is not None, "a flow-control task that has begun has a frame"
        self._count_attempt()
        others = self.waits_for_somebody(but=node)
        if not others and header.state.current is StateType.PAUSED:
            self.header_state(StateType.RESTARTED)
            self.run_again()
        if _goes_on(frame, state):
            record.outcome = None if state is StateType.SUCCESS else state
            record.state.become(StateType.RUNNING, self.now)
            self.changed(node)
            self.later(self.fill, frame)
        else:
            self.end(node, state)
        if not others:
            self.go_on()

    def run_again(self) -> None:
        """Let the execution show that it waits for nobody any more; perhaps it does for another try."""
        self.header_state(StateType.RUNNING)
        if self.live.retrying and self.live.record.ordered_end is None:
            self.header_state(StateType.RETRYING)

    def state_without_breakpoints(self) -> StateType:
        """What the execution is once nothing stands at a breakpoint any more: a pause may still wait."""
        if self.waits_for_somebody():
            return StateType.PAUSED
        return StateType.RETRYING if self.live.retrying else StateType.RUNNING

    def _resumed(self, record: TaskRun, state: StateType, by: str | None) -> dict[str, JsonValue]:
        resumed = resumed_at(self.now, state)
        if by is not None:
            resumed = {"by": by, **resumed}
        return {**(record.outputs or {}), "resumed": resumed}


def resumed_at(now: datetime, state: StateType) -> dict[str, JsonValue]:
    """What the outputs of a pause say of its end. One that has none was never answered."""
    return {"on": instant_text(now).removesuffix("Z"), "to": state.value}


def _waits(node: Node) -> bool:
    """It is paused, and has not been cut short meanwhile."""
    return is_paused(node) and node.body_frame is not None and node.body_frame.cut_state is None


def asks_for_decision(node: Node) -> bool:
    """A task run waits for more than to be resumed: for somebody to approve or to deny."""
    frame = node.body_frame
    return frame is not None and frame.body.pause is not None and frame.body.pause.comment is not None


def _goes_on(frame: Frame, state: StateType) -> bool:
    """A pause does not end at once when its wait has ended in this state: it has an inside.

    That may be tasks which do not run after a failure. The pause then ends as other flow control does.
    """
    handles = frame.has(Phase.ERRORS) and state is StateType.FAILED
    return bool(frame.open or frame.body.lanes or handles or frame.has(Phase.FINALLY))
