"""The examples of conditions do what they say, on a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.integration.webserver.server import Server, running_server

from windhover.repository.database import open_database

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "conditions"


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    database = await open_database(f"sqlite:///{tmp_path / 'examples.db'}")
    async with running_server(database, tmp_path) as running:
        for example in sorted(EXAMPLES.glob("*.yaml")):
            await running.create_flow(example.read_text())
        yield running
    await database.close()


async def executions(server: Server, flow_id: str) -> list[dict[str, Any]]:
    query = {"namespace": "examples.conditions", "flowId": flow_id}
    found = await server.client.get("/api/v1/main/executions", params=query)
    results: list[dict[str, Any]] = found.json()["results"]
    return results


async def dates(server: Server, trigger_id: str, start: str, end: str) -> list[str]:
    wanted = {
        "namespace": "examples.conditions",
        "flowId": "opening_hours",
        "triggerId": trigger_id,
        "backfill": {"start": start, "end": end},
    }
    answer = await server.client.post("/api/v1/main/triggers/backfill/preview", json=wanted)
    assert answer.status_code == 200, answer.text
    return [date["date"] for date in answer.json()["dates"]]


async def test_opening_hours(server: Server) -> None:
    found = await dates(server, "while_open", "2026-12-23T00:00:00Z", "2027-01-10T00:00:00Z")

    # 1 January is a holiday, the 2nd the first Saturday of its month, the 9th the second.
    days = ["2026-12-23", "2027-01-02", *(f"2027-01-0{day}" for day in range(4, 9))]
    assert sorted({date[:10] for date in found}) == days
    times = {date[11:16] for date in found}
    assert (min(times), max(times), len(times)) == ("09:00", "18:00", 37)


async def test_mondays(server: Server) -> None:
    found = await dates(server, "mondays", "2026-12-01T00:00:00Z", "2026-12-31T00:00:00Z")
    assert [date[:10] for date in found] == [f"2026-12-{day:02}" for day in (7, 14, 21, 28)]


@pytest.mark.parametrize(
    ("imports", "reason"),
    [
        ([{"rows": "5000"}], "many rows"),
        ([{"region": "east"}], "more than one try"),
        ([{"region": "north"}], "first rows of the north"),
        ([{"region": "south-east"}, {"region": "south-west"}], "both halves of the south"),
    ],
)
async def test_what_is_to_be_looked_at(server: Server, imports: list[dict[str, str]], reason: str) -> None:
    for inputs in imports:
        assert await executions(server, "review") == []
        path = "/api/v1/main/executions/examples.conditions/import"
        answer = await server.client.post(
            path, params={"wait": "true"}, files={name: (None, value) for name, value in inputs.items()}
        )
        assert answer.json()["state"]["current"] in ("SUCCESS", "WARNING"), answer.text
    (review,) = await executions(server, "review")
    ended = await server.reached(review["id"], "SUCCESS", "FAILED")
    assert ("why", reason) in [(label["key"], label["value"]) for label in ended["labels"]]
