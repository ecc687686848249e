"""A task run as the slow model has it, and what states mean for one another."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from windhover.model.execution import Phase
from windhover.model.state import TERMINATED, StateType
from windhover.model.task import Task
from windhover.plugin.flowable import FlowableTask

Path = tuple[str, ...]


@dataclass(eq=False)
class Run:
    """A task run: where it stands, and its state."""

    path: Path
    task: Task
    parent: Run | None
    phase: Phase
    lane: int
    index: int
    state: StateType = StateType.CREATED
    #: The branch that runs in it.
    phase_now: Phase = Phase.TASKS
    #: It was ended from outside, as this; what runs in it was told to stop; its `finally` branch runs all
    #: the same.
    cut: StateType | None = None
    stops: bool = False
    finalizes: bool = False
    #: Its time limit is over.
    expired: bool = False
    #: Its last branch is over.
    closing: bool = False
    resolved: object = None
    begun: bool = False
    #: What its end lets begin has been looked at.
    followed: bool = False
    #: The turn of all that stands before it in its lane is over: somebody has chosen to go on from it.
    past: bool = False
    #: It stood at a breakpoint, and was let go on.
    passed: bool = False
    #: How many lanes of a loop there are, when its `breakWhen` has said that there are no more.
    most_lanes: int | None = None
    #: How often it has been tried, how many rounds are over, whether it waits for the next one, and what it
    #: comes to whatever its children do.
    tries: int = 0
    rounds: int = 0
    waits: bool = False
    outcome: StateType | None = None
    #: How a worker has said that it ended, with its outputs.
    reported: StateType | None = None
    #: How its last try ended, which its task may have been allowed.
    last_try: StateType | None = None
    #: It waits to be resumed, or it was ended from outside while it did.
    paused: bool = False
    cut_in_wait: bool = False

    @property
    def ended(self) -> bool:
        return self.state in TERMINATED

    @property
    def is_cut(self) -> bool:
        """Nothing starts in it any more, but its ``finally`` branch if that is to run."""
        return self.cut is not None and not (self.finalizes and self.phase_now is Phase.FINALLY)

    @property
    def holds(self) -> bool:
        """It is under way by way of others inside."""
        return self.parent is None or (self.begun and not self.ended and isinstance(self.task, FlowableTask))


class Literal:
    """Renders nothing: the flows of this test hold no expressions."""

    def render(self, template: object) -> object:
        return template

    evaluate = render


def active(tasks: object) -> list[Task]:
    return [task for task in tasks if not task.disabled]  # type: ignore[attr-defined]


def worst(states: Collection[StateType]) -> StateType:
    for state in (StateType.KILLED, StateType.FAILED, StateType.WARNING):
        if state in states:
            return state
    return StateType.SUCCESS


def softened(task: Task, state: StateType) -> StateType:
    if state is StateType.FAILED and task.allow_failure:
        state = StateType.WARNING
    if state is StateType.WARNING and task.allow_warning:
        state = StateType.SUCCESS
    return state
