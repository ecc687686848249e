"""The example of tasks that act on other executions does what it says."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.integration.executor.flows import Flows

from windhover.model.state import StateType
from windhover.repository.database import open_database
from windhover.server.runtime import Runtime, RuntimeSettings

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "other-executions"


async def test_pay_day(tmp_path: Path) -> None:
    settings = RuntimeSettings(
        home=tmp_path, storage_path=tmp_path / "storage", temporary=tmp_path / "work", environ={}
    )
    database = await open_database(f"sqlite:///{tmp_path / 'examples.db'}")
    runtime = Runtime(database, settings)
    await runtime.start()
    flows = Flows(runtime)
    await flows.save((EXAMPLES / "payment.yaml").read_text())
    try:
        day = await flows.run((EXAMPLES / "pay_day.yaml").read_text())
        assert day.state == "SUCCESS", day.messages()
        started = {
            run.value: str((run.outputs or {})["executionId"])
            for run in day.task_runs
            if run.task_id == "start"
        }
        assert (await flows.ended(started["wages"])).messages("INFO")[-1] == "Paid 1200."
        assert (await flows.ended(started["loan"])).state == "KILLED"
        assert (await flows.load(started["rent"])).execution.state.current is StateType.PAUSED
    finally:
        await runtime.stop(timedelta())
        await runtime.close()
