"""Lanes in which something has run ahead of others after a restart, against the slow model.

Seldom met by flows of every construct: several tasks of a lane must have ended badly without stopping it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path as FilePath

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windhover.core.flow.parallel import Parallel
from windhover.core.flow.sequential import Sequential
from windhover.model.state import StateType
from windhover.model.task import Task
from windhover.plugin.task import TaskDefinition

sys.path.insert(0, str(FilePath(__file__).parent))
from flow_trees import FlowTree, Work
from side_by_side import SideBySide
from test_engine import check_ended

RELAXED = settings(
    max_examples=int(os.environ.get("WINDHOVER_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

#: What of a lane does not end well, and does not stop it, is taken up again; what comes after it stays.
ENDS = st.sampled_from(
    [StateType.KILLED, StateType.KILLED, StateType.SUCCESS, StateType.SUCCESS, StateType.FAILED]
)


def draw_row(draw: st.DrawFn, name: str) -> tuple[Task, ...]:
    return tuple(
        TaskDefinition(id=f"{name}{i}", type="work", plugin=Work, allow_failure=draw(st.booleans()))
        for i in range(draw(st.integers(2, 5)))
    )


@st.composite
def rows(draw: st.DrawFn) -> FlowTree:
    """A row of tasks; or two side by side, and one after them."""
    if draw(st.booleans()):
        return FlowTree(tasks=draw_row(draw, "a"))
    lanes = tuple(Sequential(id=name, type="sequential", tasks=draw_row(draw, name)) for name in "bc")
    return FlowTree(tasks=(Parallel(id="beside", type="parallel", tasks=lanes), *draw_row(draw, "d")))


class Gaps(SideBySide):
    """An execution that stands still now and then, since somebody has paused it."""

    def job_ends(self) -> None:
        run_id = self.data.draw(st.sampled_from(sorted(self.harness.jobs)))
        path, state = self.harness.path(run_id), self.data.draw(ENDS)
        self.harness.end(self.harness.jobs[run_id], state)
        self.model.leaf_ended(path, state)

    def stand_still(self) -> None:
        """Pause it by hand, let some jobs end meanwhile, and perhaps crash."""
        self.pause()
        things = [self.job_ends, self.job_ends, self.crash, self.kill]
        for thing in self.data.draw(st.lists(st.sampled_from(things), max_size=4)):
            if self.harness.ended:
                return
            if thing != self.job_ends or self.harness.jobs:
                thing()
                self.compare()


@RELAXED
@given(flow=rows(), data=st.data(), rough=st.booleans())
def test_what_others_have_run_ahead_of_runs_in_its_turn(
    flow: FlowTree, data: st.DataObject, rough: bool
) -> None:
    both = Gaps(flow, data)
    both.begin_at_once()
    both.play(rough=rough)
    for _ in range(3):
        again = data.draw(st.sampled_from([both.restart, both.restart, both.replay, both.change_state]))
        if again():
            for _ in range(data.draw(st.integers(0, 3))):
                if not both.harness.ended:
                    both.stand_still()
            both.play(rough=rough)
    check_ended(both.harness)
    assert not both.timers(), "a timer is left"
