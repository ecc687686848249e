"""A slow, obvious model of flow control, to compare the engine with.

It keeps a plain list of task runs and, whenever something happened, looks at all of it again until
nothing more follows. No counters, no frames, nothing remembered: only the rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from windhover.core.flow.loop import Loop
from windhover.model.execution import Phase
from windhover.model.state import TERMINATED, StateType
from windhover.model.task import Task
from windhover.plugin.flowable import FlowableTask, OnFailure

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
    phase_now: Phase = Phase.TASKS
    cut: StateType | None = None
    finalizes: bool = False
    stops: bool = False
    expired: bool = False
    closing: bool = False
    resolved: object = None
    begun: bool = False
    passed: bool = False
    #: How often it has been tried, how many rounds are over, whether it waits for the next one, and what it
    #: comes to whatever its children do.
    tries: int = 0
    rounds: int = 0
    waits: bool = False
    outcome: StateType | None = None

    @property
    def ended(self) -> bool:
        return self.state in TERMINATED

    @property
    def is_cut(self) -> bool:
        """Nothing starts in it any more, but its ``finally`` branch if that is to run."""
        return self.cut is not None and not (self.finalizes and self.phase_now is Phase.FINALLY)


@dataclass
class Model:
    """The whole flow is the run ``top`` whose task is None."""

    flow: object
    runs: list[Run] = field(default_factory=list)
    state: StateType = StateType.CREATED
    over: bool = False
    #: The task before which the execution stops.
    breakpoint: str | None = None
    #: An end was ordered: nothing stops any more before that.
    ending: bool = False

    def __post_init__(self) -> None:
        self.top = Run((), None, None, Phase.TASKS, 0, 0, StateType.RUNNING)  # type: ignore[arg-type]

    # -- what a container holds

    def lanes(self, container: Run) -> list[list[Task]]:
        if container is self.top:
            return [active(self.flow.tasks)]
        lanes = [active(lane.tasks) for lane in container.task.body(container.resolved).lanes]
        if isinstance(container.task, Loop) and container.task.break_when == "true":
            # It is looked at when a round has ended: those that have not begun by then never do.
            children = self.children(container, Phase.TASKS)
            begun = max((r.lane for r in children), default=-1) + 1
            if any(self.lane_done(children, i, lane) for i, lane in enumerate(lanes)):
                return lanes[:begun]
        return lanes

    def branch(self, container: Run, phase: Phase) -> list[Task]:
        holder = self.flow if container is self.top else container.task
        return {
            Phase.ERRORS: active(holder.errors),
            Phase.FINALLY: active(holder.finally_),
            Phase.AFTER_EXECUTION: active(getattr(holder, "after_execution", ())),
        }[phase]

    def children(self, container: Run, phase: Phase | None = None) -> list[Run]:
        return [r for r in self.runs if r.parent is container and phase in (None, r.phase)]

    def failed(self, container: Run) -> bool:
        """What has not started in its normal branch never does."""
        if container.expired or container.outcome is StateType.FAILED:
            return True
        children = self.children(container, Phase.TASKS)
        on_failure = OnFailure.STOP
        if container is not self.top:
            on_failure = container.task.body(container.resolved).on_failure
        if on_failure is OnFailure.CARRY_ON:
            lanes = self.lanes(container)
            if not all(self.lane_done(children, i, lane) for i, lane in enumerate(lanes)):
                return False
        return on_failure is not OnFailure.IGNORE and any(r.state is StateType.FAILED for r in children)

    def outcome(self, container: Run) -> StateType:
        states = [r.state for r in self.children(container, Phase.TASKS)]
        for state in (StateType.KILLED, StateType.FAILED, StateType.WARNING):
            if state in states:
                break
        else:
            state = StateType.SUCCESS
        if container is self.top:
            return state
        counts = {s: states.count(s) for s in states}
        if container.expired:
            counts = {StateType.FAILED: 1}
        elif container.outcome is not None:
            counts[container.outcome] = 1
        return container.task.end_state(counts)

    # -- what happens

    def begin(self) -> None:
        self.settle()

    def leaf_ended(self, path: Path, state: StateType) -> None:
        run = next(r for r in self.runs if r.path == path)
        run.state = softened(run.task, state)
        self.settle()

    def kill(self) -> None:
        """End as KILLED, with the ``finally`` branches; killed again while one runs, without them."""
        again = self.state is StateType.KILLING
        if self.state in TERMINATED and not self.top.cut and any(not run.ended for run in self.runs):
            # What runs after the end is stopped, and the end state stays.
            self.ending = True
            self.cut(self.top, StateType.KILLED, stop=True)
            self.settle()
            return
        if self.state in TERMINATED or (again and not self.runs_finally()):
            return
        self.state = StateType.KILLING
        self.ending = True
        self.cut(self.top, StateType.KILLED, stop=True, finalize=not again)
        self.settle()

    def runs_finally(self) -> bool:
        containers = [run for run in [self.top, *self.runs] if self.is_container(run)]
        return any(run.finalizes and run.phase_now is Phase.FINALLY for run in containers)

    def breach(self, state: StateType) -> None:
        """An agreement is broken: end in this state, with the ``finally`` branches."""
        if self.ending or self.state in TERMINATED:
            return
        if self.rests:
            self.state = StateType.RUNNING
        self.ending = True
        self.cut(self.top, state, stop=True, finalize=True)
        self.settle()

    def leave_breakpoint(self) -> None:
        """Begin what stands at the breakpoint, and go on."""
        self.state = StateType.RUNNING
        for run in self.runs:
            if run.state is StateType.BREAKPOINT:
                run.state, run.passed = StateType.CREATED, True
        self.settle()

    @property
    def rests(self) -> bool:
        """Nothing new starts."""
        return self.state is StateType.BREAKPOINT

    def rests_in(self, container: Run) -> bool:
        """Nothing new starts in it. Tasks that share a directory are one piece of work, which goes on."""
        is_directory = container is not self.top and container.task.type == "directory"
        return self.rests and not (is_directory and container.phase_now is Phase.TASKS)

    def expire(self, path: Path) -> None:
        """The time of a flow-control task is over: its normal branch is killed, and it has failed."""
        run = next(r for r in self.runs if r.path == path)
        if run.ended or run.cut or run.closing or run.phase_now is not Phase.TASKS:
            return
        run.expired = True
        for child in self.children(run, Phase.TASKS):
            if self.is_container(child):
                self.cut(child, StateType.KILLED, stop=True, finalize=True)
        for child in self.runs:
            if (not child.begun or child.state is StateType.RETRYING) and self.told_to_stop(child):
                child.state, child.begun = StateType.KILLED, True
        if self.rests and all(child.state is not StateType.BREAKPOINT for child in self.runs):
            self.state = StateType.RUNNING
        # What the time limit was for comes first; only then the rest goes on.
        while self.is_container(run) and self.look_at(run):
            pass
        self.settle()

    def is_stopped(self, path: Path) -> bool:
        return self.told_to_stop(next(run for run in self.runs if run.path == path))

    def told_to_stop(self, run: Run) -> bool:
        """A worker that has it was told to stop."""
        around = run.parent
        goes_on = around.finalizes and run.phase is Phase.FINALLY
        ended = around.cut is not None and around.stops and not goes_on
        return ended or (around.expired and run.phase is Phase.TASKS)

    def crash(self) -> None:
        """All workers are gone, and with them the directories that tasks have shared: these begin again."""
        for run in self.runs:
            if run.path in self.open_leaves() and self.told_to_stop(run) and not self.lives_on(run):
                run.state = StateType.KILLED
        for container in list(self.runs):
            if not self.is_container(container) or container.task.type != "directory":
                continue
            if container.cut or container.expired:
                continue
            if container.phase_now is Phase.TASKS and not container.closing:
                self.runs = [run for run in self.runs if run.parent is not container]
        self.settle()

    def lives_on(self, run: Run) -> bool:
        """No worker has it."""
        return False

    def open_leaves(self) -> list[Path]:
        return [r.path for r in self.runs if not r.ended and not isinstance(r.task, FlowableTask)]

    def settle(self) -> None:
        while self.begin_created() or self.look_at_containers():
            pass

    def begin_created(self) -> bool:
        """What was created together begins together, before anything else follows from it."""
        began = False
        for run in [run for run in self.runs if not run.begun]:
            stands = self.rests and run.state is StateType.BREAKPOINT
            if run.parent.is_cut or not (stands or self.rests_in(run.parent)):
                self.begin_run(run)
                began = True
        return began

    def look_at_containers(self) -> bool:
        """Do one round of what there is to do, everywhere; True when there was something."""
        found = False
        for container in [self.top, *self.runs]:
            while self.is_container(container) and self.look_at(container):
                found = True
        return found

    def is_container(self, run: Run) -> bool:
        return run is self.top or (isinstance(run.task, FlowableTask) and run.state is StateType.RUNNING)

    def look_at(self, container: Run) -> bool:
        """Do one thing to a container, if there is one to do."""
        if container is self.top and self.state in TERMINATED:
            return self.after(container)
        if container.is_cut or container.closing:
            if not all(r.ended for r in self.children(container)):
                return False
            if container.finalizes and not container.closing:
                container.phase_now = Phase.FINALLY
                return self.go_on(container, Phase.FINALLY)
            return self.end(container, container.cut or self.outcome(container))
        if container.phase_now is not Phase.TASKS:
            return self.go_on(container, container.phase_now)
        if self.rests_in(container):
            return False
        if container.expired and any(not r.ended for r in self.children(container, Phase.TASKS)):
            return False
        if self.failed(container):
            wanted = Phase.ERRORS if self.branch(container, Phase.ERRORS) else Phase.FINALLY
            return self.turn_to(container, wanted)
        return self.start_lanes(container)

    def start_lanes(self, container: Run) -> bool:
        lanes = self.lanes(container)
        body = None if container is self.top else container.task.body(container.resolved)
        limit = 1 if body is None else body.limit
        children = self.children(container, Phase.TASKS)
        done = [self.lane_done(children, i, lane) for i, lane in enumerate(lanes)]
        under_way = [i for i, _ in enumerate(lanes) if not done[i] and any(r.lane == i for r in children)]
        for i in under_way:
            mine = [r for r in children if r.lane == i]
            if all(r.ended for r in mine):
                self.create(container, Phase.TASKS, i, len(mine), lanes[i])
                return True
        for i, lane in enumerate(lanes):
            if done[i] or i in under_way or (limit and len(under_way) >= limit):
                continue
            if body is not None and not all(done[j] for j in body.after.get(i, ())):
                continue
            self.create(container, Phase.TASKS, i, 0, lane)
            return True
        return all(done) and self.lanes_are_over(container)

    def lanes_are_over(self, container: Run) -> bool:
        return self.turn_to(container, Phase.FINALLY)

    @staticmethod
    def lane_done(children: list[Run], index: int, lane: list[Task]) -> bool:
        mine = [r for r in children if r.lane == index]
        return len(mine) == len(lane) and all(r.ended for r in mine)

    def ended_around(self, run: Run) -> bool:
        """A shared directory was left to finish in something that has been ended."""
        if run is self.top or run.task.type != "directory":
            return False
        while run.parent is not None and run.phase is not Phase.AFTER_EXECUTION:
            run = run.parent
            if run.is_cut or run.closing:
                return True
        return False

    def turn_to(self, container: Run, phase: Phase) -> bool:
        if self.branch(container, phase) and not self.ended_around(container):
            container.phase_now = phase
            return self.go_on(container, phase)
        container.closing = True
        for child in self.children(container):
            if self.is_container(child):
                self.cut(child, self.outcome(container))
        return True

    def go_on(self, container: Run, phase: Phase) -> bool:
        tasks = self.branch(container, phase)
        mine = self.children(container, phase)
        if any(not r.ended for r in mine):
            return False
        if len(mine) < len(tasks):
            self.create(container, phase, 0, len(mine), tasks)
            return True
        return self.turn_to(container, Phase.FINALLY) if phase is Phase.ERRORS else self.close(container)

    def close(self, container: Run) -> bool:
        container.closing = True
        for child in self.children(container):
            if self.is_container(child):
                self.cut(child, self.outcome(container))
        return True

    def cut(self, container: Run, state: StateType, *, stop: bool = False, finalize: bool = False) -> None:
        is_directory = container is not self.top and container.task.type == "directory"
        if is_directory and container.phase_now is Phase.TASKS and not container.closing and not stop:
            return
        has_begun = container is not self.top or bool(self.runs)
        may = has_begun and not container.closing and container.phase_now <= Phase.FINALLY
        container.finalizes = finalize and may and bool(self.branch(container, Phase.FINALLY))
        container.cut, container.stops = state, stop
        for child in self.children(container):
            stays = container.finalizes and child.phase is Phase.FINALLY
            if self.is_container(child) and not stays:
                self.cut(child, state, stop=stop, finalize=finalize)
            elif child.state is StateType.RETRYING and not stays:
                child.state = state

    def create(self, container: Run, phase: Phase, lane: int, index: int, tasks: list[Task]) -> None:
        task = tasks[index]
        place = [task.id]
        if phase is Phase.TASKS and container is not self.top and container.task.repeats:
            place.append(f"#{lane}")
        run = Run((*container.path, *place), task, container, phase, lane, index)
        self.runs.append(run)
        if self.state is StateType.CREATED:
            self.state = StateType.RUNNING

    def begin_run(self, run: Run) -> None:
        task = run.task
        if run.parent.is_cut:
            run.state = run.parent.cut
        elif self.breakpoint == task.id and not (run.passed or self.ending or self.state in TERMINATED):
            run.state = self.state = StateType.BREAKPOINT
            return
        run.begun = True
        if run.ended:
            return
        if task.run_if == "false":
            run.state = StateType.SKIPPED
        elif isinstance(task, FlowableTask):
            run.state = StateType.RUNNING
            run.resolved = task.resolve(Literal())
            if task.body(run.resolved).missing:
                run.state = softened(task, StateType.FAILED)

    def end(self, container: Run, state: StateType) -> bool:
        if container is self.top:
            self.state = state
            container.cut = None
            container.finalizes = False
        else:
            container.state = state
        return True

    def after(self, container: Run) -> bool:
        if self.over:
            return False
        if container.cut:
            self.over = all(run.ended for run in self.runs)
            return False
        tasks = self.branch(container, Phase.AFTER_EXECUTION)
        mine = self.children(container, Phase.AFTER_EXECUTION)
        if any(not r.ended for r in mine):
            return False
        if len(mine) < len(tasks):
            self.create(container, Phase.AFTER_EXECUTION, 0, len(mine), tasks)
            return True
        self.over = True
        return False


class Literal:
    """Renders nothing: the flows of this test hold no expressions."""

    def render(self, template: object) -> object:
        return template

    evaluate = render


def active(tasks: object) -> list[Task]:
    return [task for task in tasks if not task.disabled]  # type: ignore[attr-defined]


def softened(task: Task, state: StateType) -> StateType:
    if state is StateType.FAILED and task.allow_failure:
        state = StateType.WARNING
    if state is StateType.WARNING and task.allow_warning:
        state = StateType.SUCCESS
    return state
