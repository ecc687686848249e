"""The rules of flow control for the slow model: what begins when, and how it ends.

There is a plain list of task runs. What happens to one of them leaves things to do, which are done in the
order in which they came up; each looks at the whole list again. No counters, no frames: only the rules.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from reference_runs import Literal, Path, Run, active, softened, worst

from windhover.core.flow.loop import Loop
from windhover.model.execution import Phase
from windhover.model.state import TERMINATED, StateType
from windhover.model.task import Task
from windhover.plugin.flowable import Body, FlowableTask, OnFailure


@dataclass
class FlowControl:
    """The whole flow is the run ``top`` whose task is None."""

    flow: object
    runs: list[Run] = field(default_factory=list)
    state: StateType = StateType.CREATED
    #: The state in which it ended, if it has; what runs after the end does not change it.
    end_state: StateType = StateType.CREATED
    over: bool = False
    #: The tasks before which the execution stops.
    breakpoints: Collection[str] = ()
    #: The end that was ordered: as what, whether what runs was told to stop, whether `finally` branches run.
    ordered: tuple[StateType, bool, bool] | None = None
    #: The task run that ordered it, if one did.
    leaving: Run | None = None

    def __post_init__(self) -> None:
        self.top = Run((), None, None, Phase.TASKS, 0, 0, StateType.RUNNING, begun=True)  # type: ignore[arg-type]
        self.agenda: deque[tuple[Callable[..., None], tuple[object, ...]]] = deque()
        self.wakes = False

    # -- what a container holds

    def body(self, container: Run) -> Body:
        assert isinstance(container.task, FlowableTask)
        return container.task.body(container.resolved)

    def lanes(self, container: Run) -> list[list[Task]]:
        if container is self.top:
            return [active(self.flow.tasks)]  # type: ignore[attr-defined]
        return [active(lane.tasks) for lane in self.body(container).lanes][: container.most_lanes]

    def branch(self, container: Run, phase: Phase) -> list[Task]:
        holder = self.flow if container is self.top else container.task
        if phase is Phase.ERRORS:
            return active(holder.errors)  # type: ignore[attr-defined]
        if phase is Phase.FINALLY:
            return active(holder.finally_)  # type: ignore[attr-defined]
        if phase is Phase.MEANWHILE:
            return active([self.body(container).pause.meanwhile])  # type: ignore[union-attr]
        if container is not self.top:
            return []
        listening = [one for one in self.flow.listeners if not one.conditions]  # type: ignore[attr-defined]
        tasks = [task for listener in listening for task in listener.tasks]
        return active([*tasks, *self.flow.after_execution])  # type: ignore[attr-defined]

    def children(self, container: Run, phase: Phase | None = None) -> list[Run]:
        return [r for r in self.runs if r.parent is container and phase in (None, r.phase)]

    def open(self, container: Run) -> list[Run]:
        return [r for r in self.children(container) if not r.ended]

    def around(self, run: Run) -> Iterator[Run]:
        """The task runs that it is inside of, nearest first."""
        while run.parent is not None and run.parent is not self.top:
            run = run.parent
            yield run

    def lane_done(self, container: Run, lane: int) -> bool:
        mine = self.in_lane(container, Phase.TASKS, lane)
        return not self.missing(container, Phase.TASKS, lane) and all(r.followed for r in mine)

    def in_lane(self, container: Run, phase: Phase, lane: int) -> list[Run]:
        return [r for r in self.children(container, phase) if r.lane == lane]

    def missing(self, container: Run, phase: Phase, lane: int) -> list[int]:
        """The places in a lane that have yet to be run; after a restart some behind them may have been."""
        mine = self.in_lane(container, phase, lane)
        over = max((r.index for r in mine if r.past), default=-1)
        ran = {r.index for r in mine}
        places = range(over + 1, len(self.lane_tasks(container, phase, lane)))
        return [index for index in places if index not in ran]

    def exhausted(self, container: Run) -> bool:
        return all(self.lane_done(container, lane) for lane, _ in enumerate(self.lanes(container)))

    def failed(self, container: Run) -> bool:
        """What has not started in its normal branch never does."""
        if container.expired or container.outcome is StateType.FAILED:
            return True
        on_failure = OnFailure.STOP if container is self.top else self.body(container).on_failure
        if on_failure is OnFailure.CARRY_ON and not self.exhausted(container):
            return False
        children = self.children(container, Phase.TASKS)
        return on_failure is not OnFailure.IGNORE and any(r.state is StateType.FAILED for r in children)

    def outcome(self, container: Run) -> StateType:
        states = [r.state for r in self.children(container, Phase.TASKS)]
        if container is self.top:
            return worst(states)
        counts = {s: states.count(s) for s in states}
        if container.expired:
            counts = {StateType.FAILED: 1}
        elif container.outcome is not None:
            counts[container.outcome] = 1
        return container.task.end_state(counts)  # type: ignore[attr-defined, no-any-return]

    def is_directory(self, container: Run) -> bool:
        """Tasks that share a directory are one piece of work, as long as they run."""
        return container.parent is not None and container.task.type == "directory"

    def shares(self, container: Run) -> bool:
        return self.is_directory(container) and container.phase_now is Phase.TASKS

    # -- doing what follows

    def later(self, action: Callable[..., None], *arguments: object) -> None:
        self.agenda.append((action, arguments))

    def settle(self) -> None:
        """Do all that follows, one thing after the other."""
        while self.agenda or self.wakes:
            if self.agenda:
                self.look_at_assertion()
                action, arguments = self.agenda.popleft()
                action(*arguments)
                continue
            self.wakes = False
            if not self.over and (
                self.state not in TERMINATED or self.top.phase_now is Phase.AFTER_EXECUTION
            ):
                self.go_on(self.top)

    def look_at_assertion(self) -> None:
        """See whether what the flow asserts still holds."""

    def go_on(self, container: Run) -> None:
        """Start what may start in it, after a rest."""
        children = self.open(container)
        self.go_on_with(container, children)
        for child in children:
            if child.holds:
                self.go_on(child)
            elif not child.begun and not child.ended:
                self.later(self.begin_run, child)

    def go_on_with(self, container: Run, children: list[Run]) -> None:
        busy = {(r.phase, r.lane) for r in children}
        phase = container.phase_now
        if container.is_cut or container.closing:
            self.close_if_over(container)
        elif phase is Phase.TASKS:
            for lane, _ in enumerate(self.lanes(container)):
                missing = self.missing(container, phase, lane)
                stands_still = self.in_lane(container, phase, lane) and missing and (phase, lane) not in busy
                if stands_still and not self.failed(container):
                    self.create(container, phase, lane, missing[0])
            self.fill(container)
        elif (phase, 0) not in busy:
            done = len(self.children(container, phase))
            if done < len(self.branch(container, phase)):
                self.create(container, phase, 0, done)
            else:
                self.end_phase(container)

    def begin(self) -> None:
        self.later(self.fill, self.top)
        self.settle()

    def fill(self, container: Run) -> None:
        """Start as many lanes as may be under way."""
        while (
            container.phase_now is Phase.TASKS
            and not self.failed(container)
            and not container.is_cut
            and not self.rests_in(container)
        ):
            lane = self.next_lane(container)
            if lane is None:
                break
            self.create(container, Phase.TASKS, lane, 0)
        self.close_if_over(container)

    def next_lane(self, container: Run) -> int | None:
        lanes = self.lanes(container)
        body = None if container is self.top else self.body(container)
        begun = {r.lane for r in self.children(container, Phase.TASKS)}
        done = {lane for lane, _ in enumerate(lanes) if self.lane_done(container, lane)}
        limit = 1 if body is None else body.limit
        if limit and len(begun - done) >= limit:
            return None
        for lane, _ in enumerate(lanes):
            free = body is None or done.issuperset(body.after.get(lane, ()))
            if lane not in begun | done and free:
                return lane
        return None

    def create(self, container: Run, phase: Phase, lane: int, index: int) -> None:
        task = (self.lanes(container)[lane] if phase is Phase.TASKS else self.branch(container, phase))[index]
        place = [task.id]
        if phase is Phase.TASKS and container is not self.top and container.task.repeats:  # type: ignore[attr-defined]
            place.append(f"#{lane}")
        run = Run((*container.path, *place), task, container, phase, lane, index)
        self.runs.append(run)
        if self.state is StateType.CREATED:
            self.state = StateType.RUNNING
        self.later(self.begin_run, run)

    def begin_run(self, run: Run) -> None:
        if run.begun or run.ended or (run.state is StateType.BREAKPOINT and not self.holds_tasks(run)):
            return
        container, task = run.parent, run.task
        assert container is not None
        if container.is_cut:
            self.end_unrun(run, container.cut)  # type: ignore[arg-type]
        elif run.phase is not Phase.MEANWHILE and self.rests_in(container):
            return
        elif self.stops_before(run):
            run.state = self.state = StateType.BREAKPOINT
        elif task.run_if == "false":
            self.end(run, StateType.SKIPPED)
        elif task.run_if != "true":
            self.refuse(run)
        elif isinstance(task, FlowableTask):
            run.begun, run.state = True, StateType.RUNNING
            run.resolved = task.resolve(Literal())
            self.begin_inside(run)
        else:
            run.begun, run.state = True, StateType.RUNNING
            self.begin_leaf(run)

    def refuse(self, run: Run) -> None:
        """Its ``runIf`` cannot be rendered; in a shared directory there is no task run then."""
        container = run.parent
        assert container is not None
        if self.shares(container):
            self.runs.remove(run)
            container.outcome = StateType.FAILED
            self.close_if_over(container)
        else:
            self.end(run, StateType.FAILED)

    def holds_tasks(self, run: Run) -> bool:
        return isinstance(run.task, FlowableTask)

    def stops_before(self, run: Run) -> bool:
        passed, run.passed = run.passed, False
        may = self.ordered is None and self.state not in TERMINATED and not passed
        return may and run.task.id in self.breakpoints

    def begin_inside(self, run: Run) -> None:
        if self.body(run).missing:
            self.end(run, softened(run.task, StateType.FAILED))
        else:
            self.later(self.fill, run)

    def begin_leaf(self, run: Run) -> None:
        """A worker gets it."""

    @staticmethod
    def plugin(run: Run) -> object:
        return getattr(run.task, "plugin", None)

    # -- how things end

    def end(self, run: Run, state: StateType) -> None:
        run.state = state
        self.later(self.follow, run)

    def follow(self, run: Run) -> None:
        """Something has ended: begin what comes after it."""
        container = run.parent
        assert container is not None
        run.followed = True
        following = self.next_index(container, run)
        is_last = following is None
        normal = run.phase is Phase.TASKS
        if normal and is_last and isinstance(container.task, Loop) and container.task.break_when == "true":
            container.most_lanes = max(r.lane for r in self.children(container, Phase.TASKS)) + 1
        if container.is_cut or run.phase is Phase.MEANWHILE or self.rests_in(container):
            self.close_if_over(container)
        elif normal and (is_last or self.failed(container) or container.phase_now is not Phase.TASKS):
            self.fill(container)
        elif following is not None:
            self.create(container, run.phase, run.lane, following)
        else:
            self.end_phase(container)

    def next_index(self, container: Run, run: Run) -> int | None:
        """The next task of its lane that has not run."""
        missing = self.missing(container, run.phase, run.lane)
        return next((index for index in missing if index > run.index), None)

    def lane_tasks(self, container: Run, phase: Phase, lane: int) -> list[Task]:
        return self.lanes(container)[lane] if phase is Phase.TASKS else self.branch(container, phase)

    def close_if_over(self, container: Run) -> None:
        """See whether the branch that runs is over, or the whole."""
        is_open = bool(self.open(container))
        if container.is_cut or container.closing:
            if not is_open and container.finalizes and not container.closing:
                self.enter(container, Phase.FINALLY)
            elif not is_open:
                self.close(container)
            elif container.closing and not container.is_cut:
                self.end_beside(container)
        elif container.waits or (container.expired and container.phase_now is Phase.TASKS and is_open):
            return
        elif container.phase_now is Phase.TASKS and not self.rests_in(container):
            if self.failed(container):
                self.end_normal_branch(container)
            elif self.exhausted(container):
                self.lanes_are_over(container)

    def lanes_are_over(self, container: Run) -> None:
        self.end_normal_branch(container)

    def end_normal_branch(self, container: Run) -> None:
        if self.is_directory(container) and self.ended_around(container):
            if self.ordered is None and self.branch(container, Phase.FINALLY):
                self.enter(container, Phase.FINALLY)
                return
            container.closing = True
            self.close_if_over(container)
        elif self.failed(container) and self.branch(container, Phase.ERRORS):
            self.enter(container, Phase.ERRORS)
        else:
            self.end_phase(container)

    def ended_around(self, run: Run) -> bool:
        """It was left to finish in something that has been ended."""
        while run.parent is not None:
            over = run.parent.closing and run.phase is not Phase.AFTER_EXECUTION
            if run.parent.is_cut or over:
                return True
            run = run.parent
        return False

    def end_phase(self, container: Run) -> None:
        if container.phase_now in (Phase.TASKS, Phase.ERRORS) and self.branch(container, Phase.FINALLY):
            self.enter(container, Phase.FINALLY)
            return
        if container.phase_now is Phase.AFTER_EXECUTION:
            self.all_is_over()
            return
        container.closing = True
        if not self.open(container):
            self.close(container)
        self.end_beside(container)

    def end_beside(self, container: Run) -> None:
        """Branches of their own still run beside the failure: they only clean up."""
        for child in self.open(container):
            if child.holds and child.phase is not Phase.MEANWHILE:
                self.cut(child, self.outcome(container), finalize=True)

    def enter(self, container: Run, phase: Phase) -> None:
        container.phase_now = phase
        self.create(container, phase, 0, 0)

    def close(self, container: Run) -> None:
        state = container.cut or self.outcome(container)
        if container.cut in (StateType.SUCCESS, StateType.WARNING) and self.failed_beside_the_end(container):
            state = self.outcome(container)
        if container is not self.top:
            if not container.ended:
                self.end(container, state)
        elif self.state in TERMINATED or self.top.phase_now is Phase.AFTER_EXECUTION:
            if self.top.cut:
                self.all_is_over()
        else:
            self.end_execution(state)

    def failed_beside_the_end(self, container: Run) -> bool:
        """Something in it failed, and it was ended by something else."""
        by = [] if self.ordered is None or self.leaving is None else self.around(self.leaving)
        return container is not self.top and self.failed(container) and container not in by

    def end_execution(self, state: StateType) -> None:
        self.state = self.end_state = state
        self.top.closing = True
        self.forget_order()
        if self.branch(self.top, Phase.AFTER_EXECUTION):
            self.top.closing = False
            self.enter(self.top, Phase.AFTER_EXECUTION)
        else:
            self.over = True

    def forget_order(self) -> None:
        self.ordered, self.top.cut = None, None
        self.top.finalizes = self.top.stops = False

    def all_is_over(self) -> None:
        self.state = self.end_state
        self.forget_order()
        self.over = True

    # -- ends from outside

    def at(self, path: Path) -> Run:
        return next(run for run in self.runs if run.path == path)

    def cut(self, container: Run, state: StateType, *, stop: bool = False, finalize: bool = False) -> None:
        """End it from outside."""
        if self.shares(container) and not stop:
            return
        may = (container is not self.top or bool(self.runs)) and not container.closing
        may = may and container.phase_now <= Phase.FINALLY
        container.finalizes = finalize and may and bool(self.branch(container, Phase.FINALLY))
        if stop or not container.stops:
            container.cut, container.stops = state, stop
        for child in self.open(container):
            if not (container.finalizes and child.phase is Phase.FINALLY):
                self.cut_child(child, state, stop=stop, finalize=finalize)
        if not self.open(container):
            self.later(self.close_if_over, container)

    def cut_child(self, child: Run, state: StateType, *, stop: bool, finalize: bool) -> None:
        if child.holds:
            self.cut(child, state, stop=stop, finalize=finalize)
        elif not child.begun:
            self.end_unrun(child, state)
        elif stop:
            self.stop_leaf(child)

    def end_unrun(self, run: Run, state: StateType) -> None:
        """It does not begin, or not again, and so it has not succeeded."""
        if state in (StateType.SUCCESS, StateType.WARNING):
            state = StateType.FAILED if run.last_try is StateType.FAILED else StateType.SKIPPED
        self.end(run, state)

    def stop_leaf(self, run: Run) -> None:
        """A worker is told to stop it, and says when it has."""

    @property
    def rests(self) -> bool:
        """Nothing new starts."""
        return self.state in (StateType.BREAKPOINT, StateType.QUEUED)

    def rests_in(self, container: Run) -> bool:
        """Nothing new starts in it."""
        return self.rests and not self.shares(container)

    def told_to_stop(self, run: Run) -> bool:
        """A worker that has it was told to stop."""
        around = run.parent
        assert around is not None
        goes_on = around.finalizes and run.phase is Phase.FINALLY
        ended = around.cut is not None and around.stops and not goes_on
        return ended or (around.expired and run.phase is Phase.TASKS)
