"""The examples of triggers do what they say, on a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from tests.integration.webserver.server import Server, running_server

from windhover.repository.batched_events import BatchedEventRepository
from windhover.repository.database import open_database
from windhover.scheduler.event_batches import EventBatches
from windhover.scheduler.settings import SchedulerSettings

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "triggers"


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    database = await open_database(f"sqlite:///{tmp_path / 'examples.db'}")
    async with running_server(database, tmp_path) as running:
        for example in sorted(EXAMPLES.glob("*.yaml")):
            await running.create_flow(example.read_text())
        yield running
    await database.close()


async def logs_of(server: Server, namespace: str, flow_id: str) -> list[str]:
    """The log lines of what was started of a flow, which must be one execution."""
    query = {"namespace": namespace, "flowId": flow_id}
    found = (await server.client.get("/api/v1/main/executions", params=query)).json()["results"]
    (execution,) = found
    await server.reached(execution["id"], "SUCCESS", "FAILED")
    lines: list[dict[str, Any]] = (await server.client.get(f"/api/v1/main/logs/{execution['id']}")).json()
    return [line["message"] for line in lines]


async def run(server: Server, flow_id: str) -> None:
    path = f"/api/v1/main/executions/examples.triggers/{flow_id}"
    assert (await server.client.post(path, params={"wait": "true"})).status_code == 200


async def test_the_report_waits_for_both(server: Server) -> None:
    await run(server, "load")
    await run(server, "extract")
    assert "42 rows are in the warehouse." in await logs_of(server, "examples.triggers", "report")


async def test_what_depends_on_both_is_delivered(server: Server) -> None:
    await run(server, "extract")
    await run(server, "load")
    assert "load was the last that was waited for." in await logs_of(server, "examples.triggers", "delivery")


async def test_failures_are_told(server: Server) -> None:
    source = (EXAMPLES / "extract.yaml").read_text().replace("42", "{{ nope }}")
    await server.client.put("/api/v1/main/flows/examples.triggers/extract", content=source)
    await run(server, "extract")
    lines = await logs_of(server, "examples.alerts", "alert")
    assert "examples.triggers.extract failed at count." in lines


async def test_orders_come_over_http(server: Server) -> None:
    path = "/api/v1/main/executions/webhook/examples.triggers/orders/a-long-secret"
    order = {"item": "lamp", "count": 2}
    for _ in range(2):
        response = await server.client.post(path, json=order, headers={"X-Delivery": "1"})
        assert response.json() == {"confirmed": "2 of lamp"}
    assert (await server.client.post(path, json={"item": "lamp", "count": 0})).status_code == 409


async def test_readings_are_added_up_together(server: Server) -> None:
    path = "/api/v1/main/executions/webhook/examples.triggers/readings/a-long-secret"
    for number in range(100):
        reading = {"sensor": "cellar", "litres": number}
        response = await server.client.post(path, json=reading, headers={"X-Delivery": str(number)})
        assert response.status_code == 202
    services = server.services
    batches = EventBatches(
        BatchedEventRepository(services.database),
        services.definitions,
        services.storage,
        services.queue,
        services.environment,
        clock=services.clock,
        settings=SchedulerSettings(),
    )
    await batches.work()
    assert await logs_of(server, "examples.triggers", "readings") == ["100 readings, 4950 litres."]
