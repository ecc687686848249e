"""The engine and the slow model side by side: the same things happen to both, and they are compared."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta

from flow_trees import MISSED, FlowTree
from harness import START, WINDOW, Child, Harness, batches_of
from hypothesis import strategies as st
from reference_restarts import GoingBack
from reference_runs import Path, Run

from windhover.engine.events import (
    Begin,
    KillRequested,
    LeaveBreakpoint,
    PauseRequested,
    Queued,
    Refused,
    Released,
    Resume,
)
from windhover.engine.messages import CommandRefused, NothingToRestart
from windhover.engine.replay import replay
from windhover.engine.restart import change_state, restart
from windhover.model.execution import Breakpoint, Execution, Phase, Stage
from windhover.model.sla import ExecutionAssertionSla
from windhover.model.state import TERMINATED, StateType
from windhover.plugin.flowable import Decision, FlowableTask

#: What was told to stop may just have come to its end.
STOPPED = st.sampled_from([StateType.KILLED] * 3 + [StateType.SUCCESS, StateType.FAILED])
ENDS = st.sampled_from([StateType.SUCCESS] * 4 + [StateType.FAILED, StateType.WARNING, StateType.KILLED])
CHILD_ENDS = st.sampled_from([StateType.SUCCESS, StateType.FAILED, StateType.WARNING, StateType.KILLED])

DAY = timedelta(days=1)

#: How an execution ends that breaks an agreement.
BREACHES = {"FAIL": StateType.FAILED, "CANCEL": StateType.CANCELLED}


@dataclass
class SlowModel(GoingBack):
    """The model, with files that are split as the harness does it."""

    harness: Harness | None = None

    def count(self, run: Run) -> int:
        return batches_of(run.task.id)

    def found_failed(self, run: Run) -> int:
        assert self.harness is not None
        found = self.harness.found_failed
        return next(count for run_id, count in found.items() if self.harness.path_or_none(run_id) == run.path)

    def found_ended(self, run: Run) -> StateType | None:
        assert self.harness is not None
        children = self.harness.children.values()
        mine = [child for child in children if self.harness.path_or_none(child.task_run_id) == run.path]
        return mine[-1].found_as if mine else None


class SideBySide:
    """One execution, in the engine and in the model.

    Timers of the kinds in ``ringing`` may ring: of tries, rounds, pauses, batches, time limits.
    """

    def __init__(
        self,
        flow: FlowTree,
        data: st.DataObject,
        stops: Collection[str] = (),
        *,
        record: Execution | None = None,
    ) -> None:
        self.data = data
        self.harness = Harness(flow, [Breakpoint(task_id) for task_id in stops], record=record)
        self.model = SlowModel(flow, breakpoints=frozenset(stops), most=WINDOW, harness=self.harness)

        self.slas = {sla.id: sla for sla in flow.sla}
        for sla in flow.sla:
            if isinstance(sla, ExecutionAssertionSla):
                self.model.asserted = (sla.id, sla.id.removeprefix("not_"), BREACHES.get(sla.behavior))
        #: It has broken an agreement, in this life or in an earlier one.
        self.missed = False
        #: Somebody has killed it, and not what it waits for.
        self.leaves_children = False

    def begin(self) -> None:
        """Begin it: usually at once, else on its date, or when it is its turn. Perhaps it may not run."""
        record = self.harness.live.record
        how = self.data.draw(st.sampled_from(["at once"] * 12 + ["checks", "no room", "queue", "date"]))
        if how == "checks":
            record.refusals = ("A check has failed.",)
            self.harness.apply(Begin())
            self.model.end_unstarted(StateType.FAILED)
        elif how == "no room":
            self.refuse()
        elif how == "queue":
            self.wait_for_its_turn()
        elif how == "date":
            self.wait_for_its_date()
        else:
            self.begin_at_once()
        self.compare()

    def begin_at_once(self) -> None:
        self.harness.apply(Begin())
        self.model.begin()
        self.compare()

    def refuse(self) -> None:
        state = self.data.draw(st.sampled_from([StateType.CANCELLED, StateType.FAILED]))
        self.harness.apply(Refused(state))
        self.model.end_unstarted(state)

    def wait_for_its_turn(self) -> None:
        self.harness.apply(Queued(1))
        self.model.queue()
        while self.model.state is StateType.QUEUED:
            self.compare()
            turns = [self.release] * 3 + [self.refuse, self.waits_too_long, self.crash, self.kill, self.pause]
            turns += [self.timer_rings] * bool(self.timers())
            self.data.draw(st.sampled_from(turns))()

    def wait_for_its_date(self) -> None:
        self.harness.live.record.schedule_date = START + DAY
        self.harness.apply(Begin())
        while self.model.state is StateType.CREATED:
            assert self.harness.timers == {"schedule"}
            self.compare()
            dates = [self.its_date_comes] * 3 + [self.force, self.no_room_on_its_date]
            dates += [self.crash, self.kill, self.pause]
            self.data.draw(st.sampled_from(dates))()
        assert "schedule" not in self.harness.timers

    def its_date_comes(self) -> None:
        self.harness.waited = DAY
        self.harness.fire("schedule")
        self.model.begin()

    def no_room_on_its_date(self) -> None:
        self.harness.waited = DAY
        self.harness.timers.discard("schedule")
        self.wait_for_its_turn()

    def force(self) -> None:
        """Somebody does not let it wait for its date."""
        self.harness.live.record.schedule_date = None
        self.harness.timers.discard("schedule")
        self.release()

    def release(self) -> None:
        self.harness.apply(Released())
        self.model.release()

    def waits_too_long(self) -> None:
        self.harness.fire("queue")
        self.model.end_unstarted(StateType.FAILED)

    def play(self, *, rough: bool, most: int = 2000) -> None:
        """Let things happen until it is over; if it is ``rough``, crashes, kills and pauses, too."""
        for _ in range(most):
            if self.harness.ended:
                assert self.model.over
                return
            self.one_thing(rough=rough)
            self.compare()
        raise AssertionError("the execution never ended")

    def compare(self) -> None:
        harness, model = self.harness, self.model
        assert harness.live.record.state.current is model.state
        expected = {run.path: run.state for run in model.runs}
        found = harness.states()
        assert found.keys() == expected.keys()
        ended = {path: state for path, state in expected.items() if state in TERMINATED}
        assert {path: state for path, state in found.items() if state in TERMINATED} == ended
        paused = {run.path for run in model.pauses()}
        loops = {run.path for run in model.runs if run.waits}
        assert {path for path, state in found.items() if state is StateType.PAUSED} == paused | loops
        self.missed = self.missed or bool(model.broken)
        assert (MISSED in harness.live.record.labels) == self.missed
        begun = model.state is not StateType.CREATED
        if "soon" in self.slas and begun and model.keeps_agreements:
            assert ("sla:soon" in harness.timers) == ("soon" not in model.broken)
        for child in self.awaited_children():
            kills = self.is_to_be_killed(child)
            assert child.killed == kills or (kills and self.leaves_children)

    def awaited_children(self) -> list[Child]:
        return [child for child in self.harness.running_children() if not child.left]

    def is_to_be_killed(self, child: Child) -> bool:
        run = self.model.at(self.harness.path(child.task_run_id))
        if run.ended:
            return child.killed
        batches = self.model.batches.get(run)
        stopped = run.outcome is not None if batches is None else batches.outcome is StateType.KILLED
        return self.model.told_to_stop(run) or stopped

    def one_thing(self, *, rough: bool) -> None:
        """Let one thing happen, to the engine and to the model."""
        harness, model = self.harness, self.model
        possible: list[tuple[int, Callable[[], None]]] = [
            (5 * bool(harness.jobs), self.job_ends),
            (4 * bool(self.awaited_children()) or bool(harness.running_children()), self.child_ends),
            (4 * bool(self.timers()), self.timer_rings),
            (4 * (model.state is StateType.PAUSED and model.held is None), self.resume),
            (4 * (model.state is StateType.BREAKPOINT), self.leave_breakpoint),
        ]
        assert any(weight for weight, _ in possible), "nothing can happen any more, and it has not ended"
        if rough:
            possible += [(1, self.crash), (1, self.kill), (1, self.pause), (1, self.child_is_restarted)]
        self.data.draw(st.sampled_from([thing for weight, thing in possible for _ in range(weight)]))()

    def job_ends(self) -> None:
        run_id = self.data.draw(st.sampled_from(sorted(self.harness.jobs)))
        path = self.harness.path(run_id)
        state = self.data.draw(STOPPED if self.model.is_stopped(path) else ENDS)
        self.harness.end(self.harness.jobs[run_id], state)
        self.model.leaf_ended(path, state)

    def child_ends(self) -> None:
        child = self.data.draw(st.sampled_from(self.harness.running_children()))
        path = () if child.left else self.harness.path(child.task_run_id)
        state = StateType.KILLED if child.killed else self.data.draw(CHILD_ENDS)
        awaited = not child.left and not self.model.at(path).ended
        self.harness.end_child(child, state)
        if awaited:
            self.model.child_ended(path, state)

    def child_is_restarted(self) -> None:
        """Somebody restarts one of many executions by itself, while others are waited for."""
        waiting = [
            child
            for child in self.harness.children.values()
            if child.state in (StateType.FAILED, StateType.KILLED)
            and self.harness.is_current(child)
            and self.model.awaits(self.harness.path(child.task_run_id), child.state)
        ]
        if waiting:
            child = self.data.draw(st.sampled_from(waiting))
            path = self.harness.path(child.task_run_id)
            assert child.state is not None
            self.model.child_restarted(path, child.state)
            self.harness.restart_child(child)

    def timers(self) -> list[str]:
        """The timers that may ring."""
        found = []
        for key in sorted(self.harness.timers):
            kind, _, owner = key.partition(":")
            node = self.harness.live.nodes.get(owner)
            again = kind == "timeout" and node is not None and node.record.stage is Stage.EXPIRED
            if owner and not again:
                found.append(key)
        return found

    def timer_rings(self) -> None:
        key = self.data.draw(st.sampled_from(self.timers()))
        kind, _, owner = key.partition(":")
        model = self.model
        if kind == "sla":
            self.harness.fire(key)
            model.breach(owner, BREACHES.get(self.slas[owner].behavior))
            return
        path = self.harness.path(owner)
        holds = isinstance(self.harness.live.nodes[owner].task, FlowableTask)
        self.harness.fire(key)
        rings: dict[str, Callable[[Path], None]] = {
            "retry": model.try_again,
            "loop": model.next_round,
            "pause": model.time_is_over,
            "batches": model.more_batches,
            "timeout": model.expire if holds else model.expire_attempt,
        }
        rings[kind](path)

    def resume(self) -> None:
        pauses = [run.path for run in self.model.pauses()]
        path = self.data.draw(st.sampled_from([None, *pauses]))
        decision = self.data.draw(st.sampled_from([Decision.APPROVED, Decision.DENIED]))
        ids = {self.harness.path(run_id): run_id for run_id in self.harness.live.nodes}
        self.harness.apply(Resume(task_run_id=ids[path] if path else None, decision=decision))
        self.model.resume(path, decision)

    def leave_breakpoint(self) -> None:
        self.harness.apply(LeaveBreakpoint())
        self.model.leave_breakpoint()

    def crash(self) -> None:
        self.harness.crash()
        self.model.crash()

    def kill(self) -> None:
        cascade = self.data.draw(st.booleans())
        self.leaves_children = self.leaves_children or not cascade
        self.harness.apply(KillRequested(cascade=cascade))
        self.model.kill(cascade=cascade)

    def pause(self) -> None:
        self.harness.apply(PauseRequested())
        self.model.pause()

    # -- after the end

    def restart(self) -> bool:
        """Take up what did not end well; False if there is nothing to take up."""
        harness = self.harness
        execution, runs = harness.records()
        try:
            new = restart(execution, runs, harness.flow, harness.at())  # type: ignore[arg-type]
        except NothingToRestart:
            assert not self.model.restart()
            return False
        self.leave_children()
        harness.take_up(new)
        assert self.model.restart()
        self.compare()
        return True

    def leave_children(self) -> None:
        """What runs after the end was left alone by a kill; a task that takes it up waits for it again."""
        for child in self.harness.running_children():
            child.left = True

    def replay(self) -> bool:
        """Go on from any task run, as a new execution; False if there is none."""
        harness = self.harness
        execution, runs = harness.records()
        if not runs:
            return False
        chosen = self.data.draw(st.sampled_from(runs))
        path = harness.path(chosen.id)
        new = replay(
            execution, runs, harness.flow, harness.at(), harness.environment.new_id,  # type: ignore[arg-type]
            task_run_id=chosen.id, execution_id="execution",
        )  # fmt: skip
        harness.children.clear()
        harness.take_up(new)
        self.model.replay(path)
        self.compare()
        return True

    def change_state(self) -> bool:
        """Say that some task run ended otherwise; False if there is none of which that can be said."""
        harness, model = self.harness, self.model
        execution, runs = harness.records()
        normal = [run.path for run in model.runs if run.phase is Phase.TASKS and model.is_normal(run)]
        if not normal:
            return False
        path = self.data.draw(st.sampled_from(normal))
        state = self.data.draw(st.sampled_from([StateType.SUCCESS, StateType.WARNING, StateType.FAILED]))
        ids = {harness.path(run.id): run.id for run in runs}
        shares = any(model.is_directory(around) for around in model.around(model.at(path)))
        try:
            new = change_state(execution, runs, harness.flow, ids[path], state, harness.at())  # type: ignore[arg-type]
        except CommandRefused:
            assert shares
            return False
        assert not shares
        self.leave_children()
        harness.take_up(new)
        model.change_state(path, state)
        self.compare()
        return True
