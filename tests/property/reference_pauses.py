"""The slow model of flow control, with what waits for a person or a time, and with ends by `Exit`."""

from __future__ import annotations

from dataclasses import dataclass

from reference_runs import Path, Run, softened
from reference_waits import WaitingModel

from windhover.core.execution.exit import Exit
from windhover.model.execution import Phase
from windhover.model.state import StateType
from windhover.plugin.flowable import Decision, PauseBehavior, PauseUntil

#: In what a pause ends when its time is over.
ENDS = {
    PauseBehavior.RESUME: StateType.SUCCESS,
    PauseBehavior.WARN: StateType.WARNING,
    PauseBehavior.FAIL: StateType.FAILED,
    PauseBehavior.CANCEL: StateType.CANCELLED,
    PauseBehavior.TIMEOUT: StateType.FAILED,
}


@dataclass
class PausingModel(WaitingModel):
    # -- pauses

    def pause_of(self, run: Run) -> PauseUntil:
        pause = self.body(run).pause
        assert pause is not None
        return pause

    def begin_inside(self, run: Run) -> None:
        if self.body(run).pause is None:
            super().begin_inside(run)
        elif self.ordered is not None:
            # An execution that is about to end waits for nobody.
            self.later(self.end, run, StateType.SUCCESS)
        else:
            run.paused = True
            self.later(self.rest, run)
            if self.pause_of(run).meanwhile and self.branch(run, Phase.MEANWHILE):
                self.create(run, Phase.MEANWHILE, 0, 0)

    def rest(self, run: Run) -> None:
        """What was created together with a pause has begun; then the execution waits with it."""
        if run.paused and self.ordered is None and self.state is not StateType.BREAKPOINT:
            self.state = StateType.PAUSED

    def rests_in(self, container: Run) -> bool:
        """What runs while a pause waits does not wait itself."""
        within = () if container is self.top else (container, *self.around(container))
        return super().rests_in(container) and all(run.phase is not Phase.MEANWHILE for run in within)

    def close_if_over(self, container: Run) -> None:
        if not container.paused:
            super().close_if_over(container)

    def go_on_with(self, container: Run, children: list[Run]) -> None:
        if not container.paused:
            super().go_on_with(container, children)

    def cut(self, container: Run, state: StateType, *, stop: bool = False, finalize: bool = False) -> None:
        container.cut_in_wait = container.cut_in_wait or container.paused
        container.paused = False
        super().cut(container, state, stop=stop, finalize=finalize)

    def stop_normal_branch(self, run: Run) -> None:
        waited = self.pauses()
        super().stop_normal_branch(run)
        if waited and not self.pauses() and self.state is StateType.PAUSED:
            self.state = self.state_without_breakpoints()
            self.wakes = True

    def state_without_breakpoints(self) -> StateType:
        return StateType.PAUSED if self.pauses() else super().state_without_breakpoints()

    def pauses(self) -> list[Run]:
        return [run for run in self.runs if run.paused]

    def time_is_over(self, path: Path) -> None:
        """That of a pause."""
        run = self.at(path)
        behavior = self.pause_of(run).behavior
        if behavior is PauseBehavior.EXPIRE:
            self.decide(run, Decision.EXPIRED)
        else:
            state = ENDS[behavior]
            if behavior is PauseBehavior.TIMEOUT:
                state = softened(run.task, state)
            self.end_pause(run, state)
        self.settle()

    def resume(self, path: Path | None, decision: Decision) -> None:
        """Somebody lets a pause end: this one, or that which began first. Without one, all goes on."""
        pauses = self.pauses()
        if not pauses:
            self.state = self.state_without_breakpoints()
            self.wakes = True
        else:
            run = pauses[0] if path is None else self.at(path)
            if self.pause_of(run).comment is not None:
                self.decide(run, decision)
            else:
                self.end_pause(run, StateType.SUCCESS)
        self.settle()

    def kill(self, *, cascade: bool = True) -> None:
        """A kill is counted as what ends a pause."""
        pauses = self.pauses()
        if self.state is StateType.PAUSED and pauses and self.pause_of(pauses[0]).comment is None:
            self.attempts += 1
        super().kill(cascade=cascade)

    def pause(self) -> None:
        """Somebody wants nothing new to start."""
        if self.state is StateType.RUNNING and self.ordered is None:
            self.state = StateType.PAUSED
        self.settle()

    def decide(self, run: Run, decision: Decision) -> None:
        run.resolved, state = run.task.decided(run.resolved, decision)  # type: ignore[attr-defined]
        self.end_pause(run, state)

    def end_pause(self, run: Run, state: StateType) -> None:
        run.paused = False
        self.attempts += 1
        inside = bool(self.open(run))
        if state is StateType.CANCELLED:
            if not inside:
                self.end(run, state)
            self.order_end(state)
            return
        if not self.pauses() and self.state is StateType.PAUSED:
            self.state = self.state_without_breakpoints()
        failed = state is StateType.FAILED
        handles = failed and self.branch(run, Phase.ERRORS)
        if inside or self.lanes(run) or handles or self.branch(run, Phase.FINALLY):
            run.outcome = None if state is StateType.SUCCESS else state
            self.later(self.fill, run)
        else:
            self.end(run, state)
        self.wakes = self.wakes or not self.pauses()

    def wait_no_longer(self, run: Run) -> None:
        if run.paused:
            self.end_pause(run, StateType.SUCCESS)
        super().wait_no_longer(run)

    # -- ends that a task orders

    def begin_leaf(self, run: Run) -> None:
        if self.plugin(run) is Exit:
            self.later(self.exit, run)
        else:
            super().begin_leaf(run)

    def exit(self, run: Run) -> None:
        state = StateType(run.task.properties["state"])  # type: ignore[attr-defined]
        self.end(run, state)
        if self.ordered is None or state is StateType.KILLED:
            self.leaving = run
        self.order_end(state, stop=state is StateType.KILLED)
