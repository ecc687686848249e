"""Random flows of every construct, and what may happen to them, against the slow model: state by state."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path as FilePath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windhover.engine import batches
from windhover.model.sla import MaxDurationSla

sys.path.insert(0, str(FilePath(__file__).parent))
from flow_trees import KINDS, WAITING, FlowTree, flows
from side_by_side import WINDOW, SideBySide
from test_engine import check_ended

RELAXED = settings(
    max_examples=int(os.environ.get("WINDHOVER_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(autouse=True, scope="module")
def few_batches_in_one_step() -> Iterator[None]:
    """So that small files need several steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "WINDOW", WINDOW)
        yield


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
    behavior = data.draw(st.sampled_from(["FAIL", "CANCEL", "NONE"]))
    sla = MaxDurationSla(id="soon", type="MAX_DURATION", duration="PT1H", behavior=behavior)
    names = st.sampled_from(sorted(task.id for task in flow.all_tasks()))
    stops = data.draw(st.one_of(st.just([]), st.lists(names, max_size=3)))
    play(replace(flow, sla=(sla,) if data.draw(st.booleans()) else ()), data, rough=rough, stops=stops)
