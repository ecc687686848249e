"""The management port: health, build information and Prometheus metrics.

Documentation page: ``docs/api.md``.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import platform
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Request
from starlette.responses import Response

from windhover import __version__
from windhover.config.server_settings import ManagementSettings
from windhover.repository.errors import RepositoryError, RepositoryUnavailable
from windhover.repository.statement import sql
from windhover.webserver.authentication import read_credentials
from windhover.webserver.errors import ApiError, install_error_handlers
from windhover.webserver.openapi import answers, answers_with, install_openapi
from windhover.webserver.parameters import Services
from windhover.webserver.responses import JsonResponse
from windhover.webserver.services import WebServices, services_of

router = APIRouter(tags=["Management"])

#: A database that takes longer than this, in seconds, is not fit to be used.
_PROBE_TIMEOUT = 5.0
#: Less free space than this, in bytes, is reported as DOWN: commits are about to fail.
_DISK_THRESHOLD = 10 * 1024 * 1024

_PROBE = sql("SELECT 1")
_STARTED = time.time()
_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


class HealthJson(msgspec.Struct, omit_defaults=True):
    """One thing that can be well (UP) or not (DOWN); ``details`` holds what it consists of."""

    name: str
    status: str
    details: dict[str, Any] | None = None


def create_management_app(services: WebServices) -> FastAPI:
    """The application of the management port."""
    app = FastAPI(
        title="Windhover management",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(_authorized)],
    )
    app.state.services = services
    app.include_router(router)
    install_error_handlers(app)
    install_openapi(app)
    return app


@router.get("/health", responses=answers(HealthJson) | answers(HealthJson, 503, "Something is DOWN"))
async def health(services: Services) -> Response:
    """The health of the server and of what it needs."""
    parts = [await _database(services), _disk(services), *_components(services)]
    return _overall(parts)


@router.get("/health/liveness", responses=answers(HealthJson))
async def liveness() -> Response:
    """Whether the process answers at all; if not, restart it."""
    return JsonResponse(HealthJson("kestra", "UP"))


@router.get("/health/readiness", responses=answers(HealthJson) | answers(HealthJson, 503, "Not ready"))
async def readiness(services: Services) -> Response:
    """Whether requests can be served: the database answers and every component runs."""
    return _overall([await _database(services), *_components(services)])


@router.get("/info", responses=answers(dict[str, Any]))
async def info() -> Response:
    """What is running."""
    return JsonResponse(
        {
            "build": {"name": "windhover", "version": __version__},
            "python": {
                "version": platform.python_version(),
                "implementation": platform.python_implementation(),
            },
            "os": {"name": platform.system(), "version": platform.release(), "arch": platform.machine()},
        }
    )


@router.get("/prometheus", responses=answers_with("text/plain", "Metrics in the Prometheus text format"))
async def prometheus(services: Services) -> Response:
    """Metrics of this process."""
    return Response("".join(_exposition(services)), media_type=_EXPOSITION)


async def _authorized(request: Request, services: Annotated[WebServices, Depends(services_of)]) -> None:
    """Ask for the credentials of the management port, where the configuration names some."""
    wanted = _wanted_credentials(services.settings.management)
    if wanted is None:
        return
    given = read_credentials(request.headers)
    shown = "" if given is None else ":".join(given)
    if not hmac.compare_digest(shown.encode(), wanted.encode()):
        raise ApiError(401, "Unauthorized", headers={"WWW-Authenticate": 'Basic realm="management"'})


def _wanted_credentials(settings: ManagementSettings) -> str | None:
    if not settings.username or settings.password is None:
        return None
    return f"{settings.username}:{settings.password.get_secret_value()}"


def _overall(parts: list[HealthJson]) -> Response:
    up = all(part.status == "UP" for part in parts)
    details = {part.name: part for part in parts}
    return JsonResponse(HealthJson("kestra", "UP" if up else "DOWN", details), 200 if up else 503)


async def _database(services: WebServices) -> HealthJson:
    details: dict[str, Any] = {"database": services.database.dialect}
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT):
            await services.database.fetch(_PROBE)
    except (RepositoryUnavailable, RepositoryError, TimeoutError) as error:
        return HealthJson("jdbc", "DOWN", {**details, "error": str(error) or "no answer in time"})
    return HealthJson("jdbc", "UP", details)


def _disk(services: WebServices) -> HealthJson:
    folder = services.settings.storage_path
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    details = {"total": usage.total, "free": usage.free, "threshold": _DISK_THRESHOLD}
    return HealthJson("diskSpace", "UP" if usage.free >= _DISK_THRESHOLD else "DOWN", details)


def _components(services: WebServices) -> list[HealthJson]:
    return [HealthJson(name, "UP" if up else "DOWN") for name, up in services.components().items()]


# ---------------------------------------------------------------- Prometheus


def _exposition(services: WebServices) -> Iterator[str]:
    prefix = services.settings.telemetry.metrics_prefix
    own = {
        "queue_executor_pending": len(services.queue.executor),
        "webserver_followers": services.feed.listener_count,
        "worker_job_pending": len(services.queue.jobs),
        **services.gauges(),
    }
    for name, value in own.items():
        yield from _family(f"{prefix}_{name}", "gauge", [("", float(value))], _HELP.get(name))
    gauges = {
        "process_start_time_seconds": _STARTED,
        "process_uptime_seconds": time.time() - _STARTED,
        "process_resident_memory_bytes": float(_resident_bytes()),
        "system_cpu_count": float(os.cpu_count() or 1),
        "system_load_average_1m": os.getloadavg()[0],
    }
    for name, value in gauges.items():
        yield from _family(name, "gauge", [("", value)])
    yield from _family("process_cpu_seconds_total", "counter", [("", time.process_time())])
    yield from _requests(services)


def _requests(services: WebServices) -> Iterator[str]:
    summary: list[tuple[str, float]] = []
    longest: list[tuple[str, float]] = []
    for (method, uri, status), times in services.request_metrics:
        labels = f'{{method="{method}",uri="{_escaped(uri)}",status="{status}"}}'
        summary.append((f"_count{labels}", float(times.count)))
        summary.append((f"_sum{labels}", times.total))
        longest.append((labels, times.longest))
    yield from _family("http_server_requests_seconds", "summary", summary)
    yield from _family("http_server_requests_seconds_max", "gauge", longest)


def _family(
    name: str, kind: str, samples: Iterable[tuple[str, float]], description: str | None = None
) -> Iterator[str]:
    """One metric; each sample is what follows the name, and the value."""
    text = description or _HELP.get(name) or name.replace("_", " ")
    yield f"# HELP {name} {text}\n# TYPE {name} {kind}\n"
    for suffix, value in samples:
        yield f"{name}{suffix} {value!r}\n"


_HELP = {
    "executor_live_executions": "Executions that the executor has in memory",
    "queue_executor_pending": "Events and commands that wait for the executor",
    "webserver_followers": "Clients that follow an execution or its logs",
    "worker_job_pending": "Tasks that wait for a place in the worker",
    "worker_job_running": "Tasks that the worker runs now",
    "worker_job_thread": "Tasks that the worker can run at once",
    "process_start_time_seconds": "When this process was started, in seconds since 1970",
    "process_uptime_seconds": "For how long this process has been running",
    "process_resident_memory_bytes": "Memory that this process holds",
    "process_cpu_seconds_total": "Time that processors have spent on this process",
    "system_cpu_count": "Processors of this machine",
    "system_load_average_1m": "Load of this machine in the last minute",
    "http_server_requests_seconds": "Answered requests of the API and the time they took",
    "http_server_requests_seconds_max": "The longest time that a request of the API took",
}


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _resident_bytes() -> int:
    """Memory that the process holds; 0 where the system does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
