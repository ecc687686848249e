"""How task runs and frames end: what a child's end means, when a branch or a whole is over."""

from __future__ import annotations

from datetime import datetime

from windhover.engine.agenda import DEADLINE_TIMER, PAUSE_TIMER, is_paused, owners
from windhover.engine.flow_outputs import FlowOutputError, resolve_outputs
from windhover.engine.frame import Frame, Node
from windhover.engine.listeners import choose_listeners
from windhover.engine.loop_rounds import conclude, look_at_lane
from windhover.engine.starting import Starting
from windhover.engine.variables import execution_variables
from windhover.model.execution import JsonValue, Phase, Stage
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.plugin.flowable import FlowableTask, guess_state

#: The phase that follows when one is over.
_NEXT_PHASE = {Phase.TASKS: Phase.FINALLY, Phase.ERRORS: Phase.FINALLY}


class Ending(Starting):
    """Ends task runs, branches, frames and the flow as a whole."""

    def end(self, node: Node, state: StateType, at: datetime | None = None) -> None:
        """End a task run; what follows from that comes later."""
        record = node.record
        if isinstance(node.task, FlowableTask) and node.task.concludes:
            state = conclude(self, node, node.task, state)
        record.state.become(state, at or self.now)
        if isinstance(node.task, FlowableTask):
            self._end_flowable(node, state, at or self.now)
        if record.outputs is not None:
            self.live.keep_outputs(node)
        self.changed(node)
        node.frame.child_ended(node)
        self.later(self._after_child, node)

    def _end_flowable(self, node: Node, state: StateType, at: datetime) -> None:
        record = node.record
        if record.attempts:
            record.attempts[-1].state.become(state, at)
        if node.body_frame is not None and node.body_frame.body.pause is not None:
            self.clear_timer(PAUSE_TIMER + record.id)
        if node.directory is node:
            self.release_directory(node)
        if node.task.timeout is not None:
            self.clear_timer(DEADLINE_TIMER + record.id)

    def _after_child(self, node: Node) -> None:
        """Decide what the end of a child lets begin."""
        frame, record = node.frame, node.record
        following = frame.next_position(record.phase, record.lane, node.position)
        if record.phase is Phase.TASKS and following is None:
            self.go_past(frame, record.lane, None)
            frame.lane_done(record.lane)
            if frame.body.watched:
                look_at_lane(self, frame, node)
        if frame.is_cut or record.phase is Phase.MEANWHILE or self.rests_in(frame):
            self.settle(frame)
        elif record.phase is Phase.TASKS:
            if following is None or frame.failed or frame.phase is not Phase.TASKS:
                self.fill(frame)
            else:
                self.create(frame, Phase.TASKS, record.lane, following)
        elif following is not None:
            self.create(frame, record.phase, record.lane, following)
        else:
            self.end_phase(frame)

    def settle(self, frame: Frame) -> None:
        """See whether the branch that runs is over, or the frame as a whole."""
        owner = frame.owner
        if owner is not None and owner.at_work:
            return
        if frame.is_cut or frame.closing:
            if not frame.open and frame.finalizes and not frame.closing:
                self._enter(frame, Phase.FINALLY)
            elif not frame.open:
                self._close(frame)
            elif frame.closing and not frame.is_cut:
                self._end_beside(frame)
        elif owner is not None and (owner.waits_for_round or is_paused(owner) or frame.waits_for_the_stopped):
            return
        elif frame.phase is Phase.TASKS and not self.rests_in(frame) and (frame.failed or frame.exhausted):
            if owner is not None and frame.body.directory and owner.record.stage is Stage.BODY:
                self.close_directory(owner)
            elif frame.body.rounds and not frame.failed:
                self.end_round(frame)
            else:
                self.end_normal_branch(frame)

    def end_normal_branch(self, frame: Frame) -> None:
        """Go over to what follows the normal branch."""
        if frame.body.directory and is_ended_around(frame):
            # It came to its own end in something that had already been ended.
            if self.live.record.ordered_end is None and frame.has(Phase.FINALLY):
                self._enter(frame, Phase.FINALLY)
                return
            frame.closing = True
            self.settle(frame)
        elif frame.failed and frame.has(Phase.ERRORS):
            self._enter(frame, Phase.ERRORS)
        else:
            self.end_phase(frame)

    def end_phase(self, frame: Frame) -> None:
        phase = _NEXT_PHASE.get(frame.phase)
        if phase is not None and frame.has(phase):
            self._enter(frame, phase)
            return
        if frame.phase is Phase.AFTER_EXECUTION:
            self.end_again()
            self.effects.ended = True
            return
        frame.closing = True
        if frame.open:
            self._end_beside(frame)
        else:
            self._close(frame)

    def _end_beside(self, frame: Frame) -> None:
        """Branches that still run somewhere beside a failure only clean up, and end as what is around them.

        That may become worse meanwhile. How it stood at first is not stored: a crash must not change it.
        """
        state = self._end_state(frame)
        if state is frame.state_beside:
            return
        frame.state_beside = state
        for child in list(frame.open.values()):
            if child.body_frame is not None and child.record.phase is not Phase.MEANWHILE:
                self.cut(child.body_frame, state, finalize=True)

    def _enter(self, frame: Frame, phase: Phase) -> None:
        frame.phase = phase
        self.create(frame, phase, 0, 0)

    def _close(self, frame: Frame) -> None:
        """The last child has ended: so does what is around."""
        state = frame.cut_state or self._end_state(frame)
        if state in (StateType.SUCCESS, StateType.WARNING) and frame.failed and self._ends_beside(frame):
            # What failed there is no better for what is around it.
            state = self._end_state(frame)
        if frame.owner is None:
            self._end_flow(state)
        elif not frame.owner.ended:
            self.end(frame.owner, state)

    def _ends_beside(self, frame: Frame) -> bool:
        """It was ended from outside, and not by what runs in it."""
        end = self.live.record.ordered_end
        by = self.live.nodes.get(end.by) if end is not None and end.by is not None else None
        around = () if by is None else owners(by.frame)
        return frame.owner is not None and frame.cut_state is not None and frame.owner not in around

    def _end_state(self, frame: Frame) -> StateType:
        if frame.owner is None:
            return guess_state(frame.end_counts)
        task = frame.owner.task
        assert isinstance(task, FlowableTask)
        counts = frame.end_counts
        if frame.is_expired:
            counts = {StateType.FAILED: 1}
        elif frame.owner.record.outcome is not None:
            counts = {**counts, frame.owner.record.outcome: 1}
        return task.end_state(counts)

    def _end_flow(self, state: StateType) -> None:
        root = self.live.root
        if self.live.record.state.current.is_terminated or root.phase is Phase.AFTER_EXECUTION:
            if root.cut_state is not None:
                # What ran after the end was stopped.
                self.end_again()
                self.execution_ends()
                self.effects.ended = True
            return
        root.closing = True
        self.header_state(state)
        # Outputs belong to an end that was reached, not to one that was ordered.
        if root.cut_state is None and not self._render_outputs():
            self.header_state(StateType.FAILED)
        self.execution_ends()
        self._follow_end()

    def end_again(self) -> None:
        """Take the end state again that tasks after the end have let the execution leave.

        They pause it, or let it wait for another try; or it was replayed from one of them.
        """
        state = self.live.record.state
        if not state.current.is_terminated:
            reached = (change.state for change in reversed(state.histories) if change.state.is_terminated)
            self.header_state(next(reached, self._end_state(self.live.root)))
            self.execution_ends()

    def end_unstarted(self, state: StateType) -> None:
        """End an execution of which nothing has run."""
        root = self.live.root
        self.header_state(state)
        self.execution_ends()
        root.closing = True
        self._follow_end()

    def _follow_end(self) -> None:
        """Run what comes after the end, if there is anything."""
        choose_listeners(self)
        if self.live.root.has(Phase.AFTER_EXECUTION):
            self.live.root.closing = False
            self._enter(self.live.root, Phase.AFTER_EXECUTION)
        else:
            self.effects.ended = True

    def _render_outputs(self) -> bool:
        flow, record = self.live.flow, self.live.record
        if not flow.outputs:
            return True
        try:
            resolved = resolve_outputs(
                flow.outputs,
                self.renderer(extra={"execution": self._before_its_end()}),
                encrypt=self.environment.encrypt,
                maximum=self.environment.max_flow_outputs,
            )
        except FlowOutputError as error:
            # After a failure outputs are often missing; the line must not hide what really went wrong.
            failed = record.state.current is StateType.FAILED
            self.log(LogLevel.WARN if failed else LogLevel.ERROR, str(error))
            return False
        for warning in resolved.warnings:
            self.log(LogLevel.WARN, warning)
        record.outputs = resolved.values
        self.effects.has_outputs = True
        return True

    def _before_its_end(self) -> JsonValue:
        """The execution as its outputs see it: on its way, and without the outputs of an earlier end."""
        shown = dict(execution_variables(self.live, self.environment)["execution"])
        shown.pop("outputs", None)
        return {**shown, "state": self.live.record.state.histories[-2].state.value}

    def outputs_not_kept(self, reason: str) -> None:
        """End the execution as FAILED, without the outputs that it has just been given."""
        self.live.record.outputs = None
        self.log(LogLevel.ERROR, str(FlowOutputError(reason)))
        self.header_state(StateType.FAILED)


def is_ended_around(frame: Frame) -> bool:
    """Something that a frame is inside of is ended already, and only waits for what still runs."""
    return any(
        node.frame.is_cut or (node.frame.closing and node.record.phase is not Phase.AFTER_EXECUTION)
        for node in owners(frame)
    )
