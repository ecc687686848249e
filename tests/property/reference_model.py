"""A slow, obvious model of the engine, to compare it with: what workers, people and time do to a flow."""

from __future__ import annotations

from dataclasses import dataclass, field

from reference_flow import FlowControl
from reference_runs import Path, Run, softened

from windhover.model.execution import Phase
from windhover.model.state import TERMINATED, StateType


@dataclass
class Model(FlowControl):
    """What happens to a flow of which nothing waits."""

    #: What it asserts: the agreement, the task that must not be done, how it ends otherwise.
    asserted: tuple[str, str, StateType | None] | None = None
    #: The agreements that it has broken.
    broken: set[str] = field(default_factory=set)

    def queue(self) -> None:
        """It waits for its turn."""
        self.state = StateType.QUEUED

    def release(self) -> None:
        """It is its turn, or somebody does not let it wait for its date."""
        self.state = StateType.RUNNING
        self.wakes = True
        self.settle()

    def end_unstarted(self, state: StateType) -> None:
        """It may not run: only what comes after the end does."""
        self.end_execution(state)
        self.settle()

    def leaf_ended(self, path: Path, state: StateType) -> None:
        run = self.at(path)
        run.reported = state
        self.attempt_ended(run, state)
        self.settle()

    def attempt_ended(self, run: Run, state: StateType) -> None:
        self.end(run, softened(run.task, state))

    def kill(self, *, cascade: bool = True) -> None:
        """End as KILLED, with the ``finally`` branches; killed again while one runs, without them."""
        again = self.state is StateType.KILLING
        stood_still = False
        if self.top.phase_now is Phase.AFTER_EXECUTION:
            stood_still, self.state = self.state not in TERMINATED, self.end_state
        if self.state in TERMINATED:
            if (self.open(self.top) or stood_still) and not (self.ordered and self.ordered[1]):
                # What runs after the end is stopped, and the end state stays.
                self.order_end(StateType.KILLED, stop=True)
        elif not again or self.runs_finally():
            self.state = StateType.KILLING
            self.order_end(StateType.KILLED, stop=True, finalize=not again)
            for run in self.open_leaves():
                # Nobody stops the executions that are waited for, so they are waited for no longer.
                if not cascade and self.lives_on(run) and self.told_to_stop(run):
                    self.end(run, StateType.KILLED)
        self.settle()

    def runs_finally(self) -> bool:
        holders = [run for run in [self.top, *self.runs] if run.holds]
        return any(run.finalizes and run.phase_now is Phase.FINALLY for run in holders)

    @property
    def keeps_agreements(self) -> bool:
        """It is under way, and not already about to end."""
        after = self.top.phase_now is Phase.AFTER_EXECUTION
        return self.ordered is None and self.state not in TERMINATED and not after

    def breach(self, sla_id: str, state: StateType | None) -> None:
        """The time of an agreement is over: end in this state, with the ``finally`` branches, if in any."""
        if self.keeps_agreements:
            self.break_agreement(sla_id, state)
        self.settle()

    def break_agreement(self, sla_id: str, state: StateType | None) -> None:
        self.broken.add(sla_id)
        if state is not None:
            self.order_end(state, stop=True, finalize=True)

    def look_at_assertion(self) -> None:
        """The only assertion that there is: that a task is not done."""
        if self.asserted is None or not self.keeps_agreements:
            return
        sla_id, task_id, state = self.asserted
        done = any(run.task.id == task_id and run.reported for run in self.runs)
        if done and sla_id not in self.broken:
            self.break_agreement(sla_id, state)

    def order_end(self, state: StateType, *, stop: bool = False, finalize: bool = False) -> None:
        """Of several ends the first counts, unless a kill comes."""
        # What waits for its turn has nothing to clean up.
        finalize = finalize and self.state is not StateType.QUEUED
        if self.ordered is not None and state is not StateType.KILLED:
            state, stop = self.ordered[0], stop or self.ordered[1]
        self.ordered = state, stop, finalize
        if self.rests and self.runs_on():
            self.state = StateType.RUNNING
        self.cut(self.top, state, stop=stop, finalize=finalize)
        self.wakes = True
        if stop:
            for run in self.open_leaves():
                if not self.told_to_stop(run):
                    self.wait_no_longer(run)

    def runs_on(self) -> bool:
        """Something is to start in spite of the end that was ordered."""
        if self.ordered is None:
            return True
        holders = [run for run in [self.top, *self.runs] if run.holds]
        return self.ordered[2] and any(self.branch(run, Phase.FINALLY) for run in holders)

    def wait_no_longer(self, run: Run) -> None:
        """It is to go on though the execution ends."""
        self.pass_breakpoint(run)

    def pass_breakpoint(self, run: Run) -> None:
        if run.state is StateType.BREAKPOINT:
            run.state, run.passed = StateType.CREATED, True

    def leave_breakpoint(self) -> None:
        """Begin what stands at a breakpoint, and go on."""
        for run in self.open_leaves():
            self.pass_breakpoint(run)
        self.state = self.state_without_breakpoints()
        self.wakes = True
        self.settle()

    def state_without_breakpoints(self) -> StateType:
        return StateType.RUNNING

    def expire(self, path: Path) -> None:
        """The time of a flow-control task is over: its normal branch is killed, and it has failed."""
        run = self.at(path)
        runs_on = run.holds and run.cut is None and not (run.closing or self.told_to_stop(run))
        if runs_on and run.phase_now is Phase.TASKS:
            self.stop_normal_branch(run)
        self.settle()

    def stop_normal_branch(self, run: Run) -> None:
        run.expired = True
        for child in self.open(run):
            if child.phase is Phase.TASKS:
                self.cut_child(child, StateType.KILLED, stop=True, finalize=True)
        self.wake()
        self.later(self.close_if_over, run)

    def wake(self) -> None:
        """Go on if what the execution waited for is gone."""
        at_breakpoint = any(run.state is StateType.BREAKPOINT for run in self.runs)
        if self.state is StateType.BREAKPOINT and not at_breakpoint:
            self.state = self.state_without_breakpoints()
            self.wakes = True

    def is_stopped(self, path: Path) -> bool:
        return self.told_to_stop(self.at(path))

    def open_leaves(self) -> list[Run]:
        """What is under way and waits for more than others inside it."""
        found, holders = [], [self.top]
        while holders:
            for run in self.open(holders.pop()):
                if run.holds:
                    holders.append(run)
                if not run.holds or run.paused:
                    found.append(run)
        return found

    def crash(self) -> None:
        """All workers are gone, and with them the directories that tasks have shared: these begin again."""
        if self.over or self.state is StateType.CREATED:
            return
        for run in self.open_leaves():
            if self.told_to_stop(run) and not (run.holds or self.lives_on(run)):
                self.end(run, StateType.KILLED)
        opened = []
        for run in list(self.runs):
            is_stopped = run.closing or run.expired or run.cut is not None
            if self.shares(run) and run.holds and not is_stopped:
                self.runs = [each for each in self.runs if each.parent is not run]
                opened.append(run)
        self.wakes = not self.rests
        if self.rests and self.ordered is None:
            self.look_at_ends_later()
        self.settle()
        for run in opened:
            self.later(self.fill, run)
        self.settle()

    def look_at_ends_later(self) -> None:
        """That a last branch is over is only found again when the execution goes on."""
        for run in [self.top, *self.runs]:
            run.closing = False
            if not run.stops:
                run.cut = None

    def lives_on(self, run: Run) -> bool:
        """No worker has it."""
        return False
