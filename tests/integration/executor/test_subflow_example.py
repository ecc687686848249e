"""The two flows of the subflow example."""

from __future__ import annotations

from pathlib import Path

from tests.integration.executor.flows import Flows

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "subflow"


async def test_the_report_uses_what_the_subflow_has_counted(flows: Flows) -> None:
    await flows.save((EXAMPLES / "clean_orders.yaml").read_text())
    done = await flows.run((EXAMPLES / "report_orders.yaml").read_text())
    assert done.state == "SUCCESS", done.messages("ERROR")
    assert "2 rows, SUCCESS" in done.messages("INFO")
    child = await flows.ended((done.run("clean").outputs or {})["executionId"])
    labels = {label.key: label.value for label in child.execution.labels}
    assert labels == {
        "part": "cleaning",
        "asked-by": "report_orders",
        "system.correlationId": done.execution.id,
    }
