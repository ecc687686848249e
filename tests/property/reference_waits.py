"""The slow model of flow control, with what waits for another try, another round or another execution."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from flow_trees import NO_FLOW
from reference_model import Model
from reference_runs import Path, Run, softened

from windhover.core.flow.loop_until import LoopUntil
from windhover.core.flow.subflow import Subflow
from windhover.model.execution import Phase
from windhover.model.retry import Retry
from windhover.model.state import TERMINATED, StateType


@dataclass
class WaitingModel(Model):
    #: The loop for whose next round the execution is PAUSED, while nothing else runs.
    held: Run | None = None
    #: The last loop that began to wait in this step.
    began_waiting: Run | None = None
    #: How often the execution was begun, or resumed: as often as that it may be replaced by new ones.
    attempts: int = 1
    #: Task runs that have asked for an execution, which is begun when all else is done.
    asking: deque[Run] = field(default_factory=deque)

    # -- another try

    def attempt_ended(self, run: Run, state: StateType, *, covered: bool = True) -> None:
        """``covered``: it may fail, if its task may. A flow that is wrong may not."""
        if state is not StateType.KILLED or self.lives_on(run):
            run.tries += 1  # what no worker has begun was not tried
        run.last_try = state
        retry = self.retry_of(run)
        may_retry = state is StateType.FAILED and not self.told_to_stop(run) and not run.parent.is_cut  # type: ignore[union-attr]
        if may_retry and retry is not None and self.is_tried_again(run, retry):
            return
        own = run.task.retry
        if state is StateType.SUCCESS and own is not None and own.warning_on_retry and run.tries > 1:
            state = StateType.WARNING
        self.end(run, softened(run.task, state) if covered else state)

    def is_tried_again(self, run: Run, retry: Retry) -> bool:
        most = retry.max_attempts or 0
        if retry.behavior == "CREATE_NEW_EXECUTION":
            is_over = self.state in TERMINATED or self.top.phase_now is Phase.AFTER_EXECUTION
            if self.ordered is not None or is_over or self.attempts >= most:
                return False
            self.end(run, StateType.RETRIED)
            self.order_end(StateType.RETRIED, stop=True)
            return True
        if run.tries >= most:
            return False
        run.state = StateType.RETRYING
        if not self.rests and self.ordered is None and self.state not in TERMINATED:
            self.state = StateType.RETRYING
        return True

    def retry_of(self, run: Run) -> Retry | None:
        """That of the task, else of the nearest around it."""
        if run.task.allow_failure:
            return run.task.retry  # those around never see its failure
        retries = (around.task.retry for around in (run, *self.around(run)))
        return next((retry for retry in retries if retry is not None), self.flow.retry)  # type: ignore[attr-defined]

    def try_again(self, path: Path) -> None:
        run = self.at(path)
        run.state, run.begun = StateType.CREATED, False
        self.retried()
        self.later(self.begin_run, run)
        self.settle()

    def retried(self) -> None:
        """Nothing may wait for another try any more."""
        if self.state is StateType.RETRYING and not self.retrying():
            self.state = StateType.RUNNING

    def retrying(self) -> bool:
        return any(run.state is StateType.RETRYING for run in self.runs)

    def cut_child(self, child: Run, state: StateType, *, stop: bool, finalize: bool) -> None:
        if child.state is StateType.RETRYING:
            self.end_unrun(child, state)
            if self.runs_on():
                self.retried()
        else:
            super().cut_child(child, state, stop=stop, finalize=finalize)

    def state_without_breakpoints(self) -> StateType:
        return StateType.RETRYING if self.retrying() else StateType.RUNNING

    # -- another round

    def lanes_are_over(self, container: Run) -> None:
        task = container.task
        if container is self.top or not isinstance(task, LoopUntil):
            super().lanes_are_over(container)
            return
        container.rounds += 1
        if container.rounds < int(task.check_frequency.max_iterations or 0):
            container.waits = True
            self.began_waiting = container
            return
        if task.fail_on_max_reached:
            container.outcome = StateType.FAILED
        super().lanes_are_over(container)

    def next_round(self, path: Path) -> None:
        run = self.at(path)
        self.let_go()
        run.waits = False
        self.runs = [each for each in self.runs if run not in self.around(each)]
        self.later(self.fill, run)
        self.settle()

    def let_go(self) -> None:
        """What the execution was PAUSED for goes on, or is over."""
        if self.held is not None and self.state is StateType.PAUSED:
            self.state = StateType.RUNNING
        self.held = None

    def stop_normal_branch(self, run: Run) -> None:
        if run.waits:
            run.waits = False
            self.let_go()
        super().stop_normal_branch(run)

    def cut(self, container: Run, state: StateType, *, stop: bool = False, finalize: bool = False) -> None:
        super().cut(container, state, stop=stop, finalize=finalize)
        if container.waits:
            container.waits = False
            if container is self.held and self.runs_on():
                self.let_go()
            elif container is self.held:
                self.held = None

    def go_on_with(self, container: Run, children: list[Run]) -> None:
        if not container.waits:
            super().go_on_with(container, children)

    # -- what follows

    @property
    def rests(self) -> bool:
        return super().rests or (self.state is StateType.PAUSED and self.held is None)

    def settle(self) -> None:
        """Do all that follows, then let those executions begin that were asked for."""
        self.step()
        while self.asking:
            run = self.asking.popleft()
            if not run.ended:
                self.has_begun_another(run)
                self.step()

    def step(self) -> None:
        super().settle()
        loop = self.began_waiting
        if self.state is StateType.RUNNING and loop is not None and loop.waits and not self.open_leaves():
            self.held, self.state = loop, StateType.PAUSED
        self.began_waiting = None

    # -- another execution

    def begin_leaf(self, run: Run) -> None:
        if self.lives_on(run):
            run.outcome = None
            self.asking.append(run)

    def has_begun_another(self, run: Run) -> None:
        """The execution that it asked for was created, or cannot be."""
        if self.is_refused(run):
            self.attempt_ended(run, StateType.FAILED, covered=False)
        elif not run.task.properties["wait"]:  # type: ignore[attr-defined]
            self.end(run, StateType.SUCCESS)

    @staticmethod
    def is_refused(run: Run) -> bool:
        """There is no such flow."""
        return run.task.properties["flowId"] == NO_FLOW  # type: ignore[attr-defined, no-any-return]

    def lives_on(self, run: Run) -> bool:
        return self.plugin(run) is Subflow

    def child_ended(self, path: Path, state: StateType) -> None:
        """An execution that a task run waits for has ended."""
        self.take_over_end(self.at(path), state)
        self.settle()

    def take_over_end(self, run: Run, state: StateType) -> None:
        told = run.task.properties["transmitFailed"] or state is StateType.SUCCESS  # type: ignore[attr-defined]
        took_too_long = run.outcome is StateType.FAILED and not self.told_to_stop(run)
        state = state if told else StateType.SUCCESS
        self.attempt_ended(run, StateType.FAILED if took_too_long else state)

    def expire_attempt(self, path: Path) -> None:
        """An execution has taken too long: it is killed, and when it has ended the attempt has failed."""
        run = self.at(path)
        if not run.ended and not self.told_to_stop(run):
            run.outcome = StateType.FAILED

    def crash(self) -> None:
        super().crash()
        self.retried()
