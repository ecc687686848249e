"""The rules of flow control as a whole: doing all that follows, and going on after a rest."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from windhover.engine.agenda import is_paused, may_start
from windhover.engine.effects import Effects
from windhover.engine.ending import Ending
from windhover.engine.environment import EngineEnvironment
from windhover.engine.frame import Frame
from windhover.engine.live import LiveExecution
from windhover.model.execution import Phase


class FlowControl(Ending):
    """Moves the frames of an execution until nothing more follows."""

    def __init__(self, live: LiveExecution, now: datetime, environment: EngineEnvironment) -> None:
        super().__init__(live, now, environment)
        self._goes_on = False

    def finish(self) -> Effects:
        """Do all that follows, and return what came of it."""
        todo = self.todo
        while todo or self._goes_on:
            if todo:
                if self.watches_assertions:
                    self.look_at_assertions()
                action, arguments = todo.popleft()
                action(*arguments)
            else:
                self._goes_on = False
                root, state = self.live.root, self.live.record.state.current
                if not self.effects.ended and (
                    not state.is_terminated or root.phase is Phase.AFTER_EXECUTION
                ):
                    self._go_on(root)
        return self.effects

    def go_on(self) -> None:
        """Start what may start anywhere, after a rest or a restart of the server.

        It is done when nothing else is left to do: a child whose end has not been followed up yet would
        look like a lane that stands still.
        """
        self._goes_on = True

    def _go_on(self, frame: Frame) -> None:
        # The children of now: the frame may start others, which need no push. It comes first itself,
        # because it may cut short what they would go on with.
        children = list(frame.open.values())
        self._go_on_with(frame, {(child.record.phase, child.record.lane) for child in children})
        for child in children:
            if child.body_frame is not None:
                if not child.ended:
                    self._go_on(child.body_frame)
            elif may_start(child):
                self.later(self.start, child)

    def _go_on_with(self, frame: Frame, busy: Collection[tuple[Phase, int]]) -> None:
        """Let the lanes that stand still, of all but the busy ones, take their next step."""
        owner = frame.owner
        if owner is not None and (owner.at_work or owner.waits_for_round):
            return
        if frame.is_cut or frame.closing:
            self.settle(frame)
        elif owner is not None and is_paused(owner):
            return
        elif frame.phase is Phase.TASKS:
            for lane, position in list(frame.lanes.items()):
                following = frame.next_position(Phase.TASKS, lane, position)
                if (Phase.TASKS, lane) not in busy and not frame.failed and following is not None:
                    self.create(frame, Phase.TASKS, lane, following)
            self.fill(frame)
        elif (frame.phase, 0) not in busy:
            if frame.phase_position + 1 < len(frame.tasks(frame.phase, 0)):
                self.create(frame, frame.phase, 0, frame.phase_position + 1)
            else:
                self.end_phase(frame)
