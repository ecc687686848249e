"""A whole server in this process, without a port: API, executor and worker on one database."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from windhover.config.loading import load
from windhover.engine.encryption import SecretCipher
from windhover.engine.environment import EngineEnvironment
from windhover.executor import Executor, LargeValues
from windhover.plugin.registry import shared_registry
from windhover.queue.local import LocalQueue
from windhover.repository.database import Database
from windhover.repository.executions import ExecutionRepository
from windhover.repository.flow_definitions import FlowDefinitions
from windhover.repository.flows import FlowRepository
from windhover.repository.gatherings import GatheringRepository
from windhover.repository.released_files import ReleasedFileRepository
from windhover.server.released_files import ReleasedFiles
from windhover.storage import Storage
from windhover.webserver import WebServices, create_app
from windhover.worker.environment import WorkerEnvironment
from windhover.worker.inline import InlineServer
from windhover.worker.worker import Worker

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@dataclass(frozen=True)
class Server:
    """The parts of a running server, and a client of its API."""

    services: WebServices
    app: Any
    client: httpx.AsyncClient

    async def create_flow(self, source: str) -> dict[str, Any]:
        response = await self.client.post("/api/v1/main/flows", content=source)
        assert response.status_code == 200, response.text
        flow: dict[str, Any] = response.json()
        return flow

    async def execute(self, flow_id: str, **arguments: Any) -> dict[str, Any]:
        """Run a flow of namespace ``company.team`` to its end."""
        params = {"wait": "true", **arguments.pop("params", {})}
        path = f"/api/v1/main/executions/company.team/{flow_id}"
        response = await self.client.post(path, params=params, **arguments)
        assert response.status_code == 200, response.text
        execution: dict[str, Any] = response.json()
        return execution

    async def reached(self, execution_id: str, *states: str) -> dict[str, Any]:
        """An execution as soon as it is in one of these states."""
        with self.services.feed.listen(execution_id) as listener:
            async with asyncio.timeout(60):
                while True:
                    response = await self.client.get(f"/api/v1/main/executions/{execution_id}")
                    execution: dict[str, Any] = response.json()
                    if execution["state"]["current"] in states:
                        return execution
                    await listener.wait(5.0)


@contextlib.asynccontextmanager
async def running_server(
    database: Database,
    folder: Path,
    configuration: Mapping[str, object] | None = None,
    *,
    executor: bool = True,
    **options: Any,
) -> AsyncIterator[Server]:
    """Start a server and stop it again. ``options`` are further fields of :class:`WebServices`."""
    settings = load([], {"HOME": str(folder)}, configuration)
    queue = LocalQueue()
    storage = Storage.local(folder / "storage")
    definitions = FlowDefinitions(FlowRepository(database), shared_registry())
    files = storage.for_tenant("main")
    environment = EngineEnvironment(
        load_stored=lambda stored: json.loads(files.read_now(stored.uri)),
        namespace_variables=definitions.namespaces.variables,
    )
    services = WebServices(
        database,
        definitions,
        queue,
        storage,
        settings,
        environment=environment,
        encrypt=SecretCipher(KEY).encrypt,
        remove_files=ReleasedFiles(ReleasedFileRepository(database), storage).remove_together,
        **options,
    )
    running: list[asyncio.Task[None]] = []
    engine = Executor(
        ExecutionRepository(database),
        definitions,
        queue,
        environment,
        gatherings=GatheringRepository(database),
        large_values=LargeValues(storage),
    )
    worker = Worker(
        queue.jobs,
        queue.executor,
        queue.broadcasts,
        WorkerEnvironment(
            storage=storage, server=InlineServer(storage), temporary=folder / "work", home_id="test"
        ),
        concurrency=8,
    )
    if executor:
        await engine.start()
        running = [asyncio.create_task(engine.run()), asyncio.create_task(worker.run())]
    app = create_app(services)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://windhover.test") as client:
            yield Server(services, app, client)
    finally:
        if running:
            await worker.drain(timedelta(seconds=5))
            engine.stop()
            await asyncio.gather(*running)
        await storage.close()
