"""The examples of what flows take from outside their text: a described namespace, and a template."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from tests.integration.webserver.server import Server, running_server

from windhover.repository.database import open_database

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    database = await open_database(f"sqlite:///{tmp_path / 'examples.db'}")
    async with running_server(database, tmp_path) as running:
        yield running
    await database.close()


async def outputs(server: Server, flow: Path) -> object:
    await server.create_flow(flow.read_text())
    path = f"/api/v1/main/executions/company.examples/{flow.stem}"
    ended = await server.client.post(path, params={"wait": "true"})
    return ended.json()["outputs"]


async def test_namespace(server: Server) -> None:
    folder = EXAMPLES / "namespace"
    body = (folder / "company.examples.json").read_bytes()
    answer = await server.client.put("/api/v1/main/namespaces/company.examples", content=body)
    assert answer.status_code == 200
    assert await outputs(server, folder / "price_list.yaml") == {
        "title": "Corner shop",
        "remark": "All prices are in EUR.",
    }


async def test_template(server: Server) -> None:
    folder = EXAMPLES / "template"
    template = (folder / "greeting.yaml").read_bytes()
    answer = await server.client.post("/api/v1/main/templates", content=template)
    assert answer.status_code == 200
    assert await outputs(server, folder / "welcome.yaml") == {"said": "Good morning, Ada!"}
