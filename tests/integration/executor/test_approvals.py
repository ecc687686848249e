"""Approvals: what is asked, what is decided, and what becomes of the execution."""

from __future__ import annotations

import pytest
from tests.integration.executor.flows import Ended, Flows

from windhover.engine.messages import ResumeExecution
from windhover.model.state import StateType
from windhover.plugin.flowable import Decision

ASK = """
    id: ask
    namespace: company.team
    tasks:
      - id: ask
        type: io.kestra.plugin.core.flow.Approval
        PROPERTIES
        onWait: [{id: notify, type: io.kestra.plugin.core.log.Log, message: Somebody is asked.}]
        onApprove:
          - {id: pay, type: io.kestra.plugin.core.log.Log, message: "Paid {{ outputs.ask.inputs.n }}."}
        onDeny: [{id: keep, type: io.kestra.plugin.core.log.Log, message: "Kept: {{ outputs.ask.comment }}"}]
      - {id: after, type: io.kestra.plugin.core.log.Log, message: "{{ outputs.ask.decision }}"}
    errors:
      - {id: alarm, type: io.kestra.plugin.core.log.Log, message: alarm}
    """


async def _decided(
    flows: Flows, decision: Decision, properties: str = "", comment: str | None = None
) -> Ended:
    flow = await flows.save(ASK.replace("PROPERTIES", properties or "description: asks"))
    execution_id = await flows.start(flow)
    waiting = await flows.until(
        execution_id,
        lambda e: e.states().get("notify") == "SUCCESS" and e.execution.state.current is StateType.PAUSED,
    )
    assert waiting.states()["ask"] == "PAUSED"
    assert "after" not in waiting.states()
    await flows.runtime.queue.executor.ask(
        ResumeExecution(execution_id, {"n": 3}, "ada", None, decision, comment)
    )
    return await flows.ended(execution_id)


async def test_an_approval_runs_its_branch_and_goes_on(flows: Flows) -> None:
    done = await _decided(flows, Decision.APPROVED)
    assert done.state == "SUCCESS"
    assert [
        message for message in done.messages("INFO") if message.startswith(("Paid", "Approved by", "APP"))
    ] == [
        "Approved by ada.",
        "Paid 3.",
        "APPROVED",
    ]
    outputs = done.run("ask").outputs or {}
    assert {name: outputs[name] for name in ("decision", "auto", "by", "inputs")} == {
        "decision": "APPROVED",
        "auto": False,
        "by": "ada",
        "inputs": {"n": 3},
    }


@pytest.mark.parametrize(
    ("properties", "state", "ran"),
    [
        ("", "CANCELLED", {"keep"}),
        ("denyBehavior: CONTINUE", "SUCCESS", {"keep", "after"}),
        ("denyBehavior: WARN", "WARNING", {"keep", "after"}),
        ("denyBehavior: FAIL", "FAILED", {"keep", "alarm"}),
        ("denyBehavior: SUCCEED", "SUCCESS", {"keep"}),
        ("denyBehavior: \"{{ 'kill' }}\"", "KILLED", {"keep"}),
    ],
)
async def test_what_a_denial_means(flows: Flows, properties: str, state: str, ran: set[str]) -> None:
    done = await _decided(flows, Decision.DENIED, properties, "too dear")
    assert done.state == state
    assert {"keep", "after", "alarm", "pay"} & set(done.states()) == ran
    assert "Kept: too dear" in done.messages("INFO")


async def test_nobody_decides_in_time(flows: Flows) -> None:
    done = await flows.run(ASK.replace("PROPERTIES", "timeout: PT0.2S"))
    assert done.state == "CANCELLED"
    outputs = done.run("ask").outputs or {}
    assert (outputs["decision"], "due" in outputs) == ("EXPIRED", True)
    failed = await flows.run(ASK.replace("PROPERTIES", "timeout: PT0.2S\n        expireBehavior: FAIL"))
    assert failed.state == "FAILED"
    assert {"alarm"} == {"alarm", "after", "pay", "keep"} & set(failed.states())


async def test_an_automatic_approval_asks_nobody(flows: Flows) -> None:
    source = ASK.replace("PROPERTIES", 'autoApprove: "{{ 1 == 1 }}"').replace(
        "{{ outputs.ask.inputs.n }}", "it"
    )
    done = await flows.run(source)
    assert done.state == "SUCCESS"
    assert done.history == ["CREATED", "RUNNING", "SUCCESS"]
    assert done.run("ask").outputs == {"decision": "APPROVED", "auto": True}
    assert {"pay", "after"} <= set(done.states())
    assert "notify" not in done.states()


async def test_a_branch_that_fails_is_not_hidden(flows: Flows) -> None:
    source = ASK.replace(
        'type: io.kestra.plugin.core.log.Log, message: "Kept',
        'type: io.kestra.plugin.core.execution.Fail, errorMessage: "Kept',
    )
    flow = await flows.save(source.replace("PROPERTIES", "denyBehavior: SUCCEED"))
    execution_id = await flows.start(flow)
    await flows.reaches(execution_id, StateType.PAUSED)
    await flows.runtime.queue.executor.ask(
        ResumeExecution(execution_id, decision=Decision.DENIED, comment="no")
    )
    assert (await flows.ended(execution_id)).state == "FAILED"


async def test_a_behavior_that_is_none_fails_at_once(flows: Flows) -> None:
    done = await flows.run(ASK.replace("PROPERTIES", "denyBehavior: \"{{ 'shrug' }}\""))
    assert done.state == "FAILED"
    assert any("`denyBehavior` must be one of CONTINUE" in line for line in done.messages("ERROR"))
