"""The slow model of flow control, with what waits for another try, another round or another execution."""

from __future__ import annotations

from dataclasses import dataclass

from reference_model import Model, Path, Run, softened

from windhover.core.flow.loop_until import LoopUntil
from windhover.core.flow.subflow import Subflow
from windhover.model.retry import Retry
from windhover.model.state import TERMINATED, StateType


@dataclass
class WaitingModel(Model):
    #: The loop for whose next round the execution is PAUSED, while nothing else runs.
    held: Run | None = None
    #: The last loop that began to wait in this step.
    began_waiting: Run | None = None

    # -- another try

    def leaf_ended(self, path: Path, state: StateType) -> None:
        run = self.at(path)
        run.tries += 1
        retry = self.retry_of(run)
        may_retry = retry is not None and not self.told_to_stop(run) and not run.parent.is_cut
        if state is StateType.FAILED and may_retry and run.tries < retry.max_attempts:
            run.state = StateType.RETRYING
            if not (self.rests or self.ending or self.state in TERMINATED):
                self.state = StateType.RETRYING
            return
        own = run.task.retry
        if state is StateType.SUCCESS and own is not None and own.warning_on_retry and run.tries > 1:
            state = StateType.WARNING
        run.state = softened(run.task, state)
        self.settle()

    def retry_of(self, run: Run) -> Retry | None:
        """That of the task, else of the nearest around it."""
        around: Run | None = run
        while around is not None and around is not self.top:
            if around.task.retry is not None:
                return around.task.retry
            around = around.parent
        return self.flow.retry  # type: ignore[attr-defined, no-any-return]

    def try_again(self, path: Path) -> None:
        run = self.at(path)
        run.state, run.begun = StateType.CREATED, False
        self.settle()

    # -- another round

    def lanes_are_over(self, container: Run) -> bool:
        task = container.task
        if container is self.top or not isinstance(task, LoopUntil):
            return super().lanes_are_over(container)
        container.rounds += 1
        if container.rounds < int(task.check_frequency.max_iterations or 0):
            container.waits = True
            self.began_waiting = container
            return True
        if task.fail_on_max_reached:
            container.outcome = StateType.FAILED
            return True
        return super().lanes_are_over(container)

    def next_round(self, path: Path) -> None:
        run = self.at(path)
        self.let_go()
        run.waits = False
        self.runs = [each for each in self.runs if not self.is_inside(each, run)]
        self.settle()

    @staticmethod
    def is_inside(run: Run, other: Run) -> bool:
        around = run.parent
        while around is not None and around is not other:
            around = around.parent
        return around is other

    def let_go(self) -> None:
        """What the execution was PAUSED for goes on, or is over."""
        if self.held is not None and self.state is StateType.PAUSED:
            self.state = StateType.RUNNING
        self.held = None

    def expire(self, path: Path) -> None:
        run = self.at(path)
        if run.waits:
            run.waits = False
            self.let_go()
        super().expire(path)

    # -- what follows

    @property
    def rests(self) -> bool:
        return super().rests or (self.state is StateType.PAUSED and self.held is None)

    def look_at(self, container: Run) -> bool:
        if container.waits and (container.cut is not None or container.closing):
            container.waits = False
            if container is self.held:
                self.let_go()
        return not container.waits and super().look_at(container)

    def settle(self) -> None:
        self.began_waiting = None
        if self.state is StateType.RETRYING and not self.retrying():
            self.state = StateType.RUNNING
        super().settle()
        loop = self.began_waiting
        if self.state is StateType.RUNNING and loop is not None and loop.waits and not self.open_leaves():
            self.held, self.state = loop, StateType.PAUSED

    def retrying(self) -> bool:
        return any(run.state is StateType.RETRYING for run in self.runs)

    # -- another execution

    def lives_on(self, run: Run) -> bool:
        return getattr(run.task, "plugin", None) is Subflow

    def child_ended(self, path: Path, state: StateType) -> None:
        """An execution that a task run waits for has ended."""
        told = self.at(path).task.properties["transmitFailed"] or state is StateType.SUCCESS
        self.leaf_ended(path, state if told else StateType.SUCCESS)

    def at(self, path: Path) -> Run:
        return next(run for run in self.runs if run.path == path)
