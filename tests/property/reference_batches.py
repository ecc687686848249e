"""The slow model of flow control, with tasks that start an execution for each of many batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from reference_pauses import PausingModel
from reference_runs import Path, Run, worst

from windhover.core.item_batches import StartBatches
from windhover.model.state import StateType


@dataclass
class Batches:
    """The executions of one task run: those yet to begin, and the states of those that have begun."""

    left: int
    states: list[StateType] = field(default_factory=list)
    #: It ends as this, and starts no more.
    outcome: StateType | None = None


@dataclass
class EveryConstruct(PausingModel, ABC):
    """All that the engine knows. ``most``: how many executions of a task run begin in one step."""

    batches: dict[Run, Batches] = field(default_factory=dict)
    most: int = 100

    def begin_leaf(self, run: Run) -> None:
        if self.plugin(run) is not StartBatches:
            super().begin_leaf(run)
            return
        self.begin_all(run)

    def begin_all(self, run: Run) -> None:
        if not self.knows_batches(run):
            self.attempt_ended(run, StateType.FAILED)
            return
        self.batches[run] = Batches(self.count(run))
        self.begin_more(run)

    def knows_batches(self, run: Run) -> bool:
        """The task before it has said into how many batches the file is split."""
        assert run.parent is not None
        before = [each for each in self.children(run.parent, run.phase) if each.index < run.index]
        return all(each.reported not in (None, StateType.FAILED) for each in before)

    @abstractmethod
    def count(self, run: Run) -> int:
        """Into how many batches the task before it has split the file."""

    def more_batches(self, path: Path) -> None:
        self.begin_more(self.at(path))
        self.settle()

    def begin_more(self, run: Run) -> None:
        batches = self.batches[run]
        for _ in range(min(self.most, batches.left)):
            batches.left -= 1
            batches.states.append(StateType.RUNNING)
            self.asking.append(run)
        self.end_if_done(run)

    def has_begun_another(self, run: Run) -> None:
        if run not in self.batches:
            super().has_begun_another(run)
        elif self.is_refused(run):
            self.take_back(run)
        elif not run.task.properties["wait"]:  # type: ignore[attr-defined]
            self.one_ends(run, StateType.SUCCESS)

    def take_back(self, run: Run) -> None:
        """One cannot be started, and no more are; it is as if it had not been tried."""
        batches = self.batches[run]
        batches.states.remove(StateType.RUNNING)
        batches.left += 1
        if batches.states:
            batches.outcome = batches.outcome or StateType.FAILED
            self.end_if_done(run)
        else:
            del self.batches[run]
            self.attempt_ended(run, StateType.FAILED, covered=False)

    def one_ends(self, run: Run, state: StateType) -> None:
        states = self.batches[run].states
        states[states.index(StateType.RUNNING)] = state
        self.end_if_done(run)

    def end_if_done(self, run: Run) -> None:
        batches = self.batches[run]
        if StateType.RUNNING in batches.states or (batches.left and batches.outcome is None):
            return
        told = run.task.properties["transmitFailed"]  # type: ignore[attr-defined]
        outcome = self.transmitted(batches.states) if told else StateType.SUCCESS
        self.attempt_ended(run, batches.outcome or outcome)

    @staticmethod
    def transmitted(states: list[StateType]) -> StateType:
        """A failure counts more than a kill here."""
        return StateType.FAILED if StateType.FAILED in states else worst(states)

    def child_ended(self, path: Path, state: StateType) -> None:
        run = self.at(path)
        if run in self.batches:
            self.one_ends(run, state)
            self.settle()
        else:
            super().child_ended(path, state)

    def awaits(self, path: Path, state: StateType) -> bool:
        """Executions of it run, and one that has ended so would be waited for if it ran again."""
        run = self.at(path)
        return run in self.batches and run.state is StateType.RUNNING and state in self.batches[run].states

    def child_restarted(self, path: Path, was: StateType) -> None:
        """One that has ended runs again, while others are waited for."""
        states = self.batches[self.at(path)].states
        states[states.index(was)] = StateType.RUNNING

    def stop_leaf(self, run: Run) -> None:
        if run in self.batches:
            self.batches[run].outcome = StateType.KILLED
            self.end_if_done(run)
        else:
            super().stop_leaf(run)

    def lives_on(self, run: Run) -> bool:
        return run in self.batches or super().lives_on(run)
