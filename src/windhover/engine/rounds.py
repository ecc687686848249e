"""Loops that run their tasks again: the end of a round, the wait, the next round."""

from __future__ import annotations

from datetime import timedelta

from windhover.engine.agenda import LOOP_TIMER
from windhover.engine.cutting import Cutting
from windhover.engine.effects import Effects
from windhover.engine.frame import Frame, Node
from windhover.engine.live import flowable_frame
from windhover.expression import ExpressionError
from windhover.model.execution import Stage
from windhover.model.log import LogLevel
from windhover.model.state import State, StateType
from windhover.plugin.flowable import Again, Enough, FlowableTask, Round


class Rounds(Cutting):
    """What happens between two rounds of a loop.

    The execution is PAUSED while it only waits for a round, and runs on when something else does. Who resumes
    it then does not want to wait: the next round begins at once.
    """

    def finish(self) -> Effects:
        """Do all that follows; then let the execution rest if only loops are left, which wait."""
        effects = super().finish()
        record = self.live.record
        if (
            record.state.current is StateType.RUNNING
            and self.began_waiting is not None
            and self.began_waiting.waits_for_round
            and not self.open_leaves()
        ):
            self._hold(self.began_waiting)
        return effects

    def end_round(self, frame: Frame) -> None:
        """All tasks of a round have ended, and none failed: ask the loop what follows."""
        node = frame.owner
        assert node is not None, "a flow has no rounds"
        task, record = node.task, node.record
        assert isinstance(task, FlowableTask), "only flow-control tasks have frames"
        outputs, rounds = record.outputs or {}, record.rounds
        elapsed = self.now - record.state.start_date
        try:
            # Asked with the count as the round saw it, then with the one raised: what ends the loop stays.
            decision = task.after_round(self.renderer(node), Round(rounds, elapsed))
            if isinstance(decision, Again):
                record.rounds += 1
                self.live.outputs_changed(node, task.round_outputs(record.rounds))
                decision = task.after_round(self.renderer(node), Round(record.rounds, elapsed))
        except (ExpressionError, ValueError) as error:
            record.rounds = rounds
            self.live.outputs_changed(node, outputs)
            self.log(LogLevel.ERROR, f"Unable to resolve state from the Flowable task: {error}", node)
            decision = Enough(failed=True)
        self.changed(node)
        if isinstance(decision, Enough):
            if decision.warning is not None:
                self.log(LogLevel.WARN, decision.warning, node)
            if decision.failed:
                record.outcome = StateType.FAILED
            self.end_normal_branch(frame)
        else:
            record.stage = Stage.WAITING
            record.state.become(StateType.PAUSED, self.now)
            _forget_earlier_wait(record.state)
            self.effects.timers_set[LOOP_TIMER + record.id] = self.now + timedelta(seconds=decision.seconds)
            self.began_waiting = node

    def next_round(self, task_run_id: str) -> None:
        """Begin the round whose time has come."""
        node = self.live.nodes.get(task_run_id)
        if node is None or not node.waits_for_round or node.body_frame is None or node.body_frame.is_cut:
            return
        record, task = node.record, node.task
        assert isinstance(task, FlowableTask), "only flow-control tasks have rounds"
        self.let_go()
        record.stage = Stage.BODY
        self.drop_children(node)
        node.body_frame = flowable_frame(node, task.body(record.resolved))
        record.state.become(StateType.RUNNING, self.now)
        if not node.in_loop:
            record.iteration = record.rounds
        self.changed(node)
        self.later(self.fill, node.body_frame)

    def wait_no_longer_for_a_round(self) -> None:
        """Begin a round before its time, of several loops that wait the first."""
        waiting = [node for node in self.live.nodes.values() if node.waits_for_round and not node.ended]
        first = min(waiting, key=lambda node: node.record.position)
        self.live.record.metadata.attempt_number += 1
        self.clear_timer(LOOP_TIMER + first.record.id)
        self.header_state(StateType.RESTARTED)
        self.next_round(first.record.id)

    def cut(self, frame: Frame, state: StateType, *, stop: bool = False, finalize: bool = False) -> None:
        """End a frame from outside; a loop between two rounds has no other one, though `finally` may run."""
        super().cut(frame, state, stop=stop, finalize=finalize)
        node = frame.owner
        if node is None or not node.waits_for_round:
            return
        self.clear_timer(LOOP_TIMER + node.record.id)
        if self.live.held_by == node.record.id:
            self.live.held_by = None
            if self.live.record.state.current is StateType.PAUSED and self.runs_on():
                # What follows is to start, and nobody would resume it.
                self.header_state(StateType.RUNNING)
        node.record.stage = Stage.BODY
        if frame.finalizes:
            node.record.state.become(StateType.RUNNING, self.now)
        self.changed(node)

    def _hold(self, node: Node) -> None:
        node.record.stage = Stage.HOLDING
        self.changed(node)
        self.live.held_by = node.record.id
        self.header_state(StateType.PAUSED)
        if node.record.rounds > 1:
            _forget_earlier_wait(self.live.record.state)

    def let_go(self) -> None:
        """Something runs again: the execution is no longer PAUSED for the sake of a loop."""
        holder = self.live.nodes.get(self.live.held_by or "")
        if holder is None:
            return
        self.live.held_by = None
        holder.record.stage = Stage.WAITING
        self.changed(holder)
        if self.live.record.state.current is StateType.PAUSED:
            self.header_state(StateType.RUNNING)


def _forget_earlier_wait(state: State) -> None:
    """Keep the history of a loop short, however often it goes round: only its last wait stays."""
    last = [change.state for change in state.histories[-3:]]
    if last == [StateType.PAUSED, StateType.RUNNING, StateType.PAUSED]:
        del state.histories[-3:-1]
