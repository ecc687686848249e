"""What a task that waits for another execution has of that one's outputs, however it ends."""

from __future__ import annotations

import pytest
from tests.integration.executor.flows import Flows

CHILD = """
    id: child
    namespace: test
    inputs: [{id: end, type: STRING, defaults: SUCCESS}]
    tasks:
      - {id: early, type: io.kestra.plugin.core.debug.Return, format: made}
      - id: leave
        type: io.kestra.plugin.core.execution.Exit
        state: "{{ inputs.end }}"
        runIf: "{{ inputs.end != 'NONE' }}"
      - {id: late, type: io.kestra.plugin.core.debug.Return, format: made}
    outputs:
      - {id: made, type: STRING, value: "{{ outputs.OF.value }}"}
"""

PARENT = """
    id: parent
    namespace: test
    tasks:
      - id: sub
        type: io.kestra.plugin.core.flow.Subflow
        namespace: test
        flowId: child
        inputs: {end: END}
        FLAGS
"""


@pytest.mark.parametrize(
    ("end", "state"),
    [
        ("SUCCESS", "SUCCESS"),
        ("WARNING", "WARNING"),
        ("FAILED", "FAILED"),
        ("CANCELLED", "SUCCESS"),
        ("KILLED", "KILLED"),
    ],
)
async def test_a_subflow_that_leaves_early_gives_the_outputs_it_has(
    flows: Flows, end: str, state: str
) -> None:
    await flows.save(CHILD.replace("OF", "early"))
    ended = await flows.run(PARENT.replace("END", end).replace("FLAGS", ""))
    sub = ended.run("sub")
    assert (ended.state, sub.state.current.value) == (state, state)
    assert (sub.outputs or {})["outputs"] == {"made": "made"}


@pytest.mark.parametrize(
    ("end", "flags", "states"),
    [
        ("SUCCESS", "", "CREATED RUNNING SUCCESS FAILED"),
        ("SUCCESS", "allowFailure: true", "CREATED RUNNING SUCCESS WARNING"),
        ("CANCELLED", "", "CREATED RUNNING CANCELLED FAILED"),
        ("FAILED", "transmitFailed: false", "CREATED RUNNING FAILED"),
        ("FAILED", "{transmitFailed: false, allowFailure: true}", "CREATED RUNNING FAILED WARNING"),
        ("KILLED", "", "CREATED RUNNING KILLED"),
    ],
)
async def test_outputs_that_cannot_be_had_fail_the_task_that_waits_for_them(
    flows: Flows, end: str, flags: str, states: str
) -> None:
    await flows.save(CHILD.replace("OF", "late"))
    lines = flags.strip("{}").replace(", ", "\n        ")
    ended = await flows.run(PARENT.replace("END", end).replace("FLAGS", lines))
    sub = ended.run("sub")
    assert " ".join(ended.run_history("sub")) == states
    assert "outputs" not in (sub.outputs or {})
    if end != "KILLED":
        (attempt,) = sub.attempts or []
        assert [change.state.value for change in attempt.state.histories] == ["CREATED", states.split()[-1]]
        assert any("Failed to render output values" in line for line in ended.messages("ERROR"))


async def test_a_subflow_whose_outputs_are_wrong_fails_the_task_though_it_passes_no_failure_on(
    flows: Flows,
) -> None:
    await flows.save(CHILD.replace("OF", "nowhere"))
    ended = await flows.run(PARENT.replace("END", "NONE").replace("FLAGS", "transmitFailed: false"))
    assert (ended.state, ended.run("sub").state.current.value) == ("FAILED", "FAILED")
