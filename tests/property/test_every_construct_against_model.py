"""Random flows of every construct, and what may happen to them, against the slow model: state by state.

Which test has what in its random flows, or lets it happen to them. "Exact": compared here with the slow model
after every event. "Ends": whatever happens, everything ends, and nothing is left behind.

=====================================================  ======  =====  ======================================
construct                                              exact   ends   besides
=====================================================  ======  =====  ======================================
Sequential, Parallel, Dag, If, Switch, ForEach, Loop,  yes     yes    alone in `test_engine`
EachSequential, EachParallel, AllowFailure, Template,
WorkingDirectory; limits, `breakWhen`
LoopUntil                                              yes     yes
Pause: resumed, every `behavior`, `timeout`,           yes     yes
`onPause`, tasks inside, several side by side
Approval: every behavior and branch, expired, auto     yes     yes
Subflow: `wait`, `transmitFailed`, `timeout`, refused  yes     yes
ForEachItem: the same, errors of its parts, batches    yes     yes
in several steps, restarted by themselves
Exit in every state                                    yes     yes
`errors`, `finally`, `afterExecution`, listeners       yes     yes    `test_engine`
`disabled`, `runIf` (also wrong), `allowFailure`,      yes     yes    `test_engine`
`allowWarning`
`timeout` of flow control, of what starts executions   yes     yes    `test_guards_of_random_flows`
retries: of tasks, around them, of the flow; as new    yes     yes    delays: `tests/unit/engine/test_retries`
executions, which what waits for one follows                          `test_retries_as_new_executions`
SLA: longest duration, assertion; labels               yes     yes    `test_guards_of_random_flows`
breakpoints, also at what is skipped                   yes     yes    `test_guards_of_random_flows`
a date to begin on; forced before                      yes     no     `test_small_cases_of_random_flows`
a queue; its end by a turn, a refusal, a limit         yes     yes    slots: `test_concurrency_limits`
no room: QUEUE, CANCEL, FAIL; a change of the limit    yes     no     `test_concurrency_limits`
checks                                                 yes     no     `test_checks_of_random_flows`
kill, again, without cascade; pause and resume by hand yes     yes    workers: `test_worker_kills`
crash, late results                                    yes     yes    `test_engine`
restart, replay, another state of a task run           yes     yes    `test_restart_and_replay`
                                                                       `test_gaps_in_lanes`
restart and replay in another revision                 no      no     `test_other_revisions`
another status                                         no      no     `test_concurrency_limits`
=====================================================  ======  =====  ======================================

"Ends" is `test_waiting_flows`.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path as FilePath

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windhover.model.sla import Sla

sys.path.insert(0, str(FilePath(__file__).parent))
from flow_trees import KINDS, WAITING, FlowTree, flows, is_not_done, lasts_an_hour
from side_by_side import SideBySide
from test_engine import check_ended

RELAXED = settings(
    max_examples=int(os.environ.get("WINDHOVER_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@st.composite
def agreements(draw: st.DrawFn, flow: FlowTree) -> tuple[Sla, ...]:
    """Agreements of both kinds; usually one at most."""
    behaviors = st.sampled_from(["FAIL", "CANCEL", "NONE"])
    works = sorted(task.id for task in flow.all_tasks() if task.type == "work")
    found: list[Sla] = [lasts_an_hour(draw(behaviors))] if draw(st.booleans()) else []
    if works and draw(st.integers(0, 2)) == 0:
        found.append(is_not_done(draw(st.sampled_from(works)), draw(behaviors)))
    return tuple(found)


def play(flow: FlowTree, data: st.DataObject, *, rough: bool, stops: list[str]) -> None:
    both = SideBySide(flow, data, stops)
    both.begin()
    both.play(rough=rough)
    check_ended(both.harness)
    assert both.leaves_children or not both.harness.running_children(), "an execution it waits for goes on"
    assert not both.timers(), "a timer is left"


@RELAXED
@given(flow=flows(KINDS + 2 * WAITING), data=st.data(), rough=st.booleans())
def test_every_construct_does_as_the_slow_model_says(
    flow: FlowTree, data: st.DataObject, rough: bool
) -> None:
    names = st.sampled_from(sorted(task.id for task in flow.all_tasks()))
    stops = data.draw(st.one_of(st.just([]), st.lists(names, max_size=3)))
    play(replace(flow, sla=data.draw(agreements(flow))), data, rough=rough, stops=stops)


@RELAXED
@given(flow=flows(KINDS + 2 * WAITING), data=st.data(), rough=st.booleans())
def test_what_is_taken_up_again_does_as_the_slow_model_says(
    flow: FlowTree, data: st.DataObject, rough: bool
) -> None:
    both = SideBySide(replace(flow, sla=data.draw(agreements(flow))), data)
    both.begin()
    both.play(rough=rough)
    for _ in range(2):
        again = data.draw(st.sampled_from([both.restart, both.replay, both.change_state]))
        if again():
            both.play(rough=rough)
    check_ended(both.harness)
    assert not both.timers(), "a timer is left"
