"""Random checks over random inputs: what fails, what follows from it, and what then runs."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path as FilePath

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windhover.engine.checks import FailedCheck, begun, consequence, failed_checks
from windhover.engine.creation import FlowInputRenderer, new_execution
from windhover.engine.environment import EngineEnvironment
from windhover.engine.events import Begin
from windhover.model.check import CheckBehavior, CheckStyle
from windhover.model.log import LogLevel
from windhover.model.state import StateType

sys.path.insert(0, str(FilePath(__file__).parents[1] / "unit" / "engine"))
from flow_run import FlowRun

RELAXED = settings(
    max_examples=int(os.environ.get("WINDHOVER_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TASKS = """
tasks:
  - {id: work, type: io.kestra.plugin.core.log.Log, message: x}
afterExecution:
  - {id: after, type: io.kestra.plugin.core.log.Log, message: x}
"""
LEVELS = {
    "ERROR": LogLevel.ERROR,
    "WARNING": LogLevel.WARN,
    "INFO": LogLevel.INFO,
    "SUCCESS": LogLevel.INFO,
}


@dataclass
class Drawn:
    """A check as the flow writes it, and what is to come of it: None if its condition holds."""

    written: dict[str, str]
    failed: FailedCheck | None


@st.composite
def checks(draw: st.DrawFn, number: int, flag: bool) -> Drawn:
    limit = draw(st.integers(-2, 2))
    condition, holds = draw(
        st.sampled_from(
            [
                (f"{{{{ inputs.number > {limit} }}}}", number > limit),
                ("{{ inputs.flag }}", flag),
                ("{{ not inputs.flag }}", not flag),
                # Only the boolean true will do.
                ("{{ inputs.number }}", False),
                ("true", False),
                ("{{ nothing.of.the.kind }}", None),
                ("{{ inputs.number >", None),
            ]
        )
    )
    written = {
        "condition": condition,
        "message": draw(st.sampled_from(["It is {{ inputs.number }}.", "{{ nothing }} of the kind"])),
        "style": draw(st.sampled_from(sorted(LEVELS))),
        "behavior": draw(st.sampled_from(["BLOCK_EXECUTION", "FAIL_EXECUTION", "CREATE_EXECUTION"])),
    }
    if holds is None:
        return Drawn(written, FailedCheck("", CheckStyle.ERROR, CheckBehavior.BLOCK_EXECUTION))
    message = written["message"].replace("{{ inputs.number }}", str(number))
    failed = FailedCheck(message, CheckStyle(written["style"]), CheckBehavior(written["behavior"]))
    return Drawn(written, None if holds else failed)


@RELAXED
@given(number=st.integers(-3, 3), flag=st.booleans(), data=st.data())
def test_the_most_restrictive_check_that_fails_counts(number: int, flag: bool, data: st.DataObject) -> None:
    drawn = data.draw(st.lists(checks(number, flag), max_size=4))
    written = msgspec.json.encode([each.written for each in drawn]).decode()
    run = FlowRun(f"{TASKS}checks: {written}", begin=False)
    inputs = {"number": number, "flag": flag}

    failed = failed_checks(run.flow.checks, inputs, FlowInputRenderer(EngineEnvironment(), run.flow, "one"))
    expected = [each.failed for each in drawn if each.failed is not None]
    assert [(each.style, each.behavior) for each in failed] == [
        (each.style, each.behavior) for each in expected
    ]
    for found, said in zip(failed, expected, strict=True):
        assert found.message == said.message or (not said.message and "Failed to evaluate" in found.message)

    behaviors = {each.behavior.value for each in expected}
    order = ["BLOCK_EXECUTION", "FAIL_EXECUTION", "CREATE_EXECUTION"]
    worst = next((each for each in order if each in behaviors), None)
    assert consequence(failed) == worst
    if worst == "BLOCK_EXECUTION":
        return

    start = begun(new_execution(run.flow, inputs, "one", NOW), failed)
    assert [line.level for line in start.logs] == [LEVELS[each.style.value] for each in expected]
    run.live.record.refusals = start.execution.refusals
    run.apply(Begin())
    if worst == "FAIL_EXECUTION":
        assert run.state is StateType.FAILED
        assert run.waiting() == ["after"]
    else:
        assert run.state is StateType.RUNNING
        assert run.waiting() == ["work"]
