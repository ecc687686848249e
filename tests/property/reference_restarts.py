"""The slow model of going back: what restarts, replays and other states of task runs leave of what ran."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from reference_batches import Batches, EveryConstruct
from reference_runs import Path, Run

from windhover.core.flow.loop_until import LoopUntil
from windhover.core.flow.subflow import Subflow
from windhover.model.execution import Phase
from windhover.model.state import StateType
from windhover.plugin.flowable import FlowableTask

#: Ends that are not good ones.
UNSUCCESSFUL = frozenset({StateType.FAILED, StateType.KILLED, StateType.CANCELLED, StateType.RETRIED})

#: Those of executions that one that waits for them may restart.
RESTARTABLE = (StateType.FAILED, StateType.KILLED)


@dataclass
class GoingBack(EveryConstruct, ABC):
    """All that the engine knows, and an execution may be taken up again when it has ended."""

    #: Task runs that are to begin again, and those that ask which of their executions can do so, too.
    again: set[Run] = field(default_factory=set)
    asking_again: list[Run] = field(default_factory=list)

    # -- what people ask for

    def restart(self) -> bool:
        """Take up what did not end well; False if there is nothing to take up."""
        normal = [run for run in self.runs if self.is_normal(run)]
        todo = [run for run in normal if self.is_to_do(run)]
        if self.state is StateType.RETRIED or (not todo and not self.goes_on_behind(normal)):
            return False
        self.runs = normal
        self.take_up(todo, self.runs)
        self.begin_again(Phase.TASKS)
        return True

    def replay(self, path: Path) -> None:
        """Begin anew with this task run, or with what can only run as a whole around it."""
        chosen = self.at(path)
        for around in self.around(chosen):
            chosen = around if self.is_whole(around) else chosen
        line = self.line(chosen)
        for at in line:
            at.past = True
        self.runs = [run for run in self.runs if self.is_taken_over(run, line)]
        beside = [run for at in line for run in self.runs if self.failed_beside(run, at)]
        behind = self.behind_others(beside)
        self.drop(behind)
        for run in beside:
            if run not in behind:
                self.take_up_within(run)
        for inner, around in pairwise(line):
            # What ran while a pause waited stands beside the branches.
            self.reopen(around, Phase.TASKS if inner.phase is Phase.MEANWHILE else inner.phase)
        self.begin_anew(chosen)
        self.batches.clear()  # what had been started belongs to another execution
        self.begin_again(line[-1].phase)

    def change_state(self, path: Path, state: StateType) -> None:
        """Say that a task run ended so."""
        changed = self.at(path)
        self.runs = [run for run in self.runs if self.is_normal(run)]
        changed.state = changed.last_try = state
        changed.outcome, changed.expired = None, False
        for around in self.around(changed):
            self.reopen(around)
            around.past = True
        self.begin_again(Phase.TASKS)

    # -- what there is to do

    def line(self, run: Run) -> list[Run]:
        """The task run, and those it is inside of."""
        return [run, *self.around(run)]

    def is_normal(self, run: Run) -> bool:
        """It ran in no branch that follows a failure or an end."""
        return all(at.phase in (Phase.TASKS, Phase.MEANWHILE) for at in self.line(run))

    def is_to_do(self, run: Run) -> bool:
        if any(at.phase is Phase.MEANWHILE for at in self.line(run)):
            return False  # how it ended does not count
        failed = run.expired or StateType.FAILED in (run.last_try, run.outcome)
        was_allowed_to_fail = failed and run.state is StateType.WARNING
        return run.state in UNSUCCESSFUL or (self.state is StateType.WARNING and was_allowed_to_fail)

    def goes_on_behind(self, normal: Collection[Run]) -> bool:
        """All that ran ended well, and the execution did not."""
        return self.state in UNSUCCESSFUL and (bool(normal) or self.state is not StateType.FAILED)

    @staticmethod
    def is_whole(run: Run) -> bool:
        """It cannot be gone into again."""
        return run.begun and (run.task.type == "directory" or isinstance(run.task, LoopUntil))

    def has_inside(self, run: Run) -> bool:
        """It has begun, and there is something to go into."""
        if not (run.begun and isinstance(run.task, FlowableTask)):
            return False
        body = self.body(run)
        return bool(self.children(run)) or (not body.missing and bool(body.lanes or body.pause))

    # -- taking up

    def take_up(self, todo: Collection[Run], within: Collection[Run]) -> None:
        """Let these task runs be run again, with what they are inside of."""
        again = {at for run in todo for at in self.line(run) if at in within}
        anew = {run for run in again if self.is_whole(run)} | {run for run in todo if run.cut_in_wait}
        behind = self.behind_others(again)
        self.drop(behind)
        for run in anew:
            self.empty(run)
        for run in again.intersection(self.runs):
            if run in anew or not self.has_inside(run):
                self.begin_anew(run)
            else:
                self.reopen(run)

    def take_up_within(self, top: Run) -> None:
        """Let what did not end well be run again, where its failure has reached ``top``."""
        inside = [run for run in self.runs if top in self.around(run)]
        for run in inside:
            below = self.line(run)[: self.line(run).index(top)]
            if any(at.phase not in (Phase.TASKS, Phase.MEANWHILE) for at in below):
                self.runs.remove(run)
        self.take_up(list(self.reaching(top)), {top, *inside})

    def reaching(self, run: Run) -> Iterator[Run]:
        yield run
        for child in self.children(run, Phase.TASKS):
            if child.state in UNSUCCESSFUL:
                yield from self.reaching(child)

    def behind_others(self, runs: Collection[Run]) -> set[Run]:
        """Their turn comes after that of another one in their lane, or of what is missing there."""

        def is_before(one: Run, other: Run) -> bool:
            return (one.parent, one.lane) == (other.parent, other.lane) and one.index < other.index

        normal = [run for run in runs if run.phase is Phase.TASKS]
        return {run for run in normal if any(is_before(one, run) for one in normal) or self.is_ahead(run)}

    def is_ahead(self, run: Run) -> bool:
        assert run.parent is not None
        return any(index < run.index for index in self.missing(run.parent, run.phase, run.lane))

    def drop(self, runs: Collection[Run]) -> None:
        self.runs = [run for run in self.runs if not any(at in runs for at in self.line(run))]

    def empty(self, run: Run) -> None:
        self.runs = [each for each in self.runs if run not in self.around(each)]

    def begin_anew(self, run: Run) -> None:
        """It begins as one that has never run, but for the tries that it has had."""
        self.empty(run)
        self.reopen(run)
        run.state, run.begun, run.resolved = StateType.RESTARTED, False, None
        run.cut_in_wait = False
        run.rounds, run.most_lanes = 0, None
        self.again.add(run)

    @staticmethod
    def reopen(run: Run, phase: Phase = Phase.TASKS) -> None:
        """It goes on in this branch."""
        run.state, run.phase_now, run.outcome = StateType.RUNNING, phase, None
        run.cut, run.stops, run.finalizes, run.expired, run.closing = None, False, False, False, False
        run.followed = run.passed = run.waits = run.paused = False

    def begin_again(self, phase: Phase) -> None:
        """All of this is there when the execution goes on; somebody has asked for it."""
        for run in self.runs:
            run.followed = run.ended
            if run.phase is Phase.TASKS and not run.ended:
                for other in self.in_lane(run.parent, run.phase, run.lane):  # type: ignore[arg-type]
                    other.past = other.past and other.index <= run.index
        self.reopen(self.top, phase)
        self.held = self.began_waiting = self.ordered = None
        self.asking.clear()
        self.attempts += 1
        self.over = False
        self.broken.clear()
        self.state = StateType.RUNNING
        self.wakes = True
        self.settle()

    # -- what a replay takes over

    def is_taken_over(self, run: Run, line: list[Run]) -> bool:
        """It ran before what is replayed, beside it or around it, or is it; ``line`` is that, and what is
        around it."""
        if line[0] in self.around(run):
            return False
        return not any(
            at.parent is mine.parent and at is not mine and self.comes_after(mine, at)
            for at in line
            for mine in self.line(run)
        )

    def comes_after(self, run: Run, other: Run) -> bool:
        """Of two in the same container, it runs after the other one has ended."""
        if run.phase is Phase.MEANWHILE or other.phase is Phase.MEANWHILE:
            return other.phase is Phase.MEANWHILE
        if run.phase is not other.phase:
            return run.phase > other.phase
        if run.lane == other.lane:
            return run.index > other.index
        assert run.parent is not None
        body = self.body(run.parent)
        if not body.after:
            return body.limit == 1 and run.lane > other.lane
        waits_for, found = set(body.after.get(run.lane, ())), 0
        while len(waits_for) > found:
            found = len(waits_for)
            waits_for |= {before for lane in waits_for for before in body.after.get(lane, ())}
        return other.lane in waits_for

    def failed_beside(self, run: Run, at: Run) -> bool:
        """It did not end well, in another lane than what is replayed."""
        in_tasks = run.phase is Phase.TASKS and at.phase is Phase.TASKS
        return in_tasks and run.parent is at.parent and run.lane != at.lane and run.state in UNSUCCESSFUL

    # -- executions that are restarted with what waits for them

    def begin_leaf(self, run: Run) -> None:
        known = self.batches.get(run)
        if run in self.again and known is not None and self.has_more_to_do(known):
            self.asking_again.append(run)
        else:
            super().begin_leaf(run)
        self.again.discard(run)

    @staticmethod
    def has_more_to_do(known: Batches) -> bool:
        failed = any(state in RESTARTABLE for state in known.states)
        return (known.left > 0 or failed) and StateType.RUNNING not in known.states

    def step(self) -> None:
        super().step()
        self.asking.extend(self.asking_again)

    def has_begun_another(self, run: Run) -> None:
        if run in self.asking_again:
            self.asking_again.remove(run)
            self.restart_failed_ones(run)
        elif self.plugin(run) is Subflow and (state := self.found_ended(run)) is not None:
            self.take_over_end(run, state)
        else:
            super().has_begun_another(run)

    @abstractmethod
    def found_failed(self, run: Run) -> int:
        """How many of the executions that it had started have failed and can be restarted."""

    @abstractmethod
    def found_ended(self, run: Run) -> StateType | None:
        """The end of the execution that it had started, if that is no reason to start another one."""

    def restart_failed_ones(self, run: Run) -> None:
        known = self.batches[run]
        if self.found_failed(run) != sum(state in RESTARTABLE for state in known.states):
            self.begin_all(run)  # some are gone, or there are those of an earlier try
            return
        states = [StateType.RUNNING if state in RESTARTABLE else state for state in known.states]
        self.batches[run] = Batches(known.left, states)
        self.begin_more(run)
