"""Random flows that have run go on in another revision: what ended well and is still there stays as it is."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path as FilePath

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windhover.engine.messages import NothingToRestart, TaskRunNotFound
from windhover.engine.replay import replay, restart_as
from windhover.engine.restart import Reworked
from windhover.model.state import StateType

sys.path.insert(0, str(FilePath(__file__).parent))
from flow_trees import KINDS, WAITING, FlowTree, flows
from harness import Harness
from revisions import revisions
from test_waiting_flows import begun, run_to_end

RELAXED = settings(
    max_examples=int(os.environ.get("WINDHOVER_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def go_on(harness: Harness, new: Reworked, revision: FlowTree, data: st.DataObject, *, crashes: bool) -> None:
    """Let the new execution end, in the other revision."""
    harness.flow = replace(revision, sla=())
    harness.children.clear()
    well = {StateType.SUCCESS, StateType.WARNING}
    known = {run.id for run in new.task_runs if run.state.current in well}
    harness.take_up(new)
    worked = run_to_end(harness, data, crashes=crashes)
    assert not worked & known, "what was taken over was run again"


@RELAXED
@given(flow=flows(KINDS + WAITING), data=st.data(), crashes=st.booleans())
def test_a_restart_goes_on_in_any_revision(flow: FlowTree, data: st.DataObject, crashes: bool) -> None:
    harness = begun(flow, data)
    run_to_end(harness, data, kills=True)
    execution, runs = harness.records()
    revision = data.draw(revisions(flow))
    try:
        new = restart_as(execution, runs, revision, harness.at(), harness.environment.new_id, ran_in=flow)  # type: ignore[arg-type]
    except NothingToRestart:
        return
    go_on(harness, new, revision, data, crashes=crashes)


@RELAXED
@given(flow=flows(KINDS + WAITING), data=st.data(), crashes=st.booleans())
def test_a_replay_goes_on_in_any_revision(flow: FlowTree, data: st.DataObject, crashes: bool) -> None:
    harness = begun(flow, data)
    run_to_end(harness, data, kills=True)
    execution, runs = harness.records()
    if not runs:
        return
    revision = data.draw(revisions(flow))
    chosen = data.draw(st.sampled_from(runs))
    try:
        new = replay(
            execution, runs, revision, harness.at(), harness.environment.new_id,  # type: ignore[arg-type]
            task_run_id=chosen.id, ran_in=flow,  # type: ignore[arg-type]
        )  # fmt: skip
    except TaskRunNotFound:
        return  # the revision has no such task
    go_on(harness, new, revision, data, crashes=crashes)
