"""Flows that are tried again as new executions, one level below: what waits for one follows it to its end.

The parent and each of its executions are compared with the slow model after every event. The events that
pass between them are those of the executor, made by its own functions.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path as FilePath

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windhover.engine.events import KillRequested
from windhover.engine.replay import REPLAY_LABEL, replay
from windhover.executor.children import child_ended
from windhover.model.execution import AwaitedBy, Execution
from windhover.model.retry import ConstantRetry
from windhover.model.state import StateType

sys.path.insert(0, str(FilePath(__file__).parent))
from flow_trees import KINDS, FlowTree, flows
from harness import Child
from side_by_side import SideBySide
from test_engine import check_ended

RELAXED = settings(
    max_examples=int(os.environ.get("WINDHOVER_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

MOST = 3
ANEW = ConstantRetry(type="constant", interval="PT5S", max_attempts=MOST, behavior="CREATE_NEW_EXECUTION")


class Line:
    """An execution that a task run waits for, and those that have taken its place one after the other."""

    def __init__(self, flow: FlowTree, child: Child, data: st.DataObject) -> None:
        self.child, self.data, self.killed = child, data, False
        self.executions = [SideBySide(replace(flow, retry=ANEW), data)]
        record = self.last.harness.live.record
        record.id = record.original_id = child.id
        record.awaited_by = AwaitedBy("execution", child.task_run_id)
        self.last.begin_at_once()

    @property
    def last(self) -> SideBySide:
        return self.executions[-1]

    @property
    def record(self) -> Execution:
        return self.last.harness.live.record

    @property
    def is_over(self) -> bool:
        return self.last.harness.ended and self.record.state.current is not StateType.RETRIED

    def one_thing(self) -> None:
        if self.child.killed and not self.killed:
            self.kill()
        elif self.last.harness.ended:
            self.take_its_place()
        else:
            self.last.one_thing(rough=False)
            self.last.compare()

    def kill(self) -> None:
        self.killed = True
        waits = "replay" in self.last.harness.timers
        assert waits == (self.record.state.current is StateType.RETRIED)
        self.last.harness.apply(KillRequested("the execution that started it", to_be_replaced=waits))
        if waits:
            assert self.record.state.current is StateType.KILLED
            assert "replay" not in self.last.harness.timers
            self.last.model.end_state = self.last.model.state = StateType.KILLED
        self.last.model.kill()
        self.last.compare()

    def take_its_place(self) -> None:
        """Let a new execution take the place of that which was retried."""
        before = self.last
        assert len(self.executions) < MOST, "it is tried more often than it may be"
        assert "replay" in before.harness.timers
        before.harness.fire("replay")
        assert before.harness.replays
        check_ended(before.harness)
        environment = before.harness.environment
        new = replay(
            self.record, (), before.harness.flow, before.harness.at(), environment.new_id, in_its_place=True  # type: ignore[arg-type]
        ).execution  # fmt: skip
        assert (new.parent_id, new.original_id) == (self.record.id, self.child.id)
        assert new.awaited_by == self.record.awaited_by
        assert REPLAY_LABEL in new.labels
        self.executions.append(SideBySide(before.harness.flow, self.data, record=new))
        self.last.model.attempts = len(self.executions)
        self.last.begin_at_once()


class Family(SideBySide):
    """An execution whose executions are there, too."""

    def __init__(self, flow: FlowTree, of_children: FlowTree, data: st.DataObject) -> None:
        super().__init__(flow, data)
        self.of_children = of_children
        self.lines: dict[str, Line] = {}

    def child_ends(self) -> None:
        """Something happens to one of the executions that it waits for: perhaps its end."""
        child = self.data.draw(st.sampled_from(self.awaited_children()))
        line = self.lines.get(child.id)
        if line is None:
            line = self.lines[child.id] = Line(self.of_children, child, self.data)
        else:
            line.one_thing()
        if line.last.harness.ended:
            self.told_of_the_end(line)

    def told_of_the_end(self, line: Line) -> None:
        harness, child = self.harness, line.child
        event = child_ended(
            line.last.harness.live,
            AwaitedBy("execution", child.task_run_id, child.generation),
            harness.environment,
        )
        path, before = harness.path(child.task_run_id), harness.states()
        if not line.is_over:
            harness.apply(event)
            assert harness.states() == before, "it does not wait for the execution that comes in its place"
            return
        awaited, batch = not self.model.at(path).ended, self.model.at(path) in self.model.batches
        child.state = event.state
        harness.apply(event)
        if awaited:
            self.model.child_ended(path, event.state)
            outputs = harness.live.nodes[child.task_run_id].record.outputs or {}
            assert batch or outputs["executionId"] == line.record.id

    def child_is_restarted(self) -> None:
        """Not here: what is restarted by hand is no link of the line."""


@RELAXED
@given(
    flow=flows([*KINDS, *["subflow"] * 8, *["for_each_item"] * 3, "loop_until"]),
    of_children=flows(["sequential", "parallel", "if"]),
    data=st.data(),
    rough=st.booleans(),
)
def test_what_waits_for_an_execution_follows_those_in_its_place_to_the_last(
    flow: FlowTree, of_children: FlowTree, data: st.DataObject, rough: bool
) -> None:
    family = Family(flow, of_children, data)
    family.begin()
    family.play(rough=rough)
    check_ended(family.harness)
    for line in family.lines.values():
        states = [one.harness.live.record.state.current for one in line.executions]
        assert all(state is StateType.RETRIED for state in states[:-1])
        if line.child.state is not None:
            assert line.is_over
            assert line.child.state is states[-1]
