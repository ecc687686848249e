"""The HTTP application: routes, errors, tenants and authentication put together.

It is FastAPI on Starlette. Typed routes give the OpenAPI document for nothing, and what FastAPI costs
(about 50 µs a request, and 0.3 s at start) is small beside a commit. What is hot avoids its slow parts:
answers are encoded by msgspec from Structs and never validated again, bodies are read from the raw
request, multipart is streamed, and the layers around the routes are plain ASGI.

Documentation page: ``docs/api.md``.
"""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from windhover import __version__
from windhover.webserver.authentication import AuthenticationMiddleware
from windhover.webserver.errors import install_error_handlers
from windhover.webserver.openapi import install_openapi
from windhover.webserver.request_metrics import RequestMetricsMiddleware
from windhover.webserver.routes import (
    backfills,
    concurrency_limits,
    evaluation,
    execution_actions,
    execution_dependencies,
    execution_exports,
    execution_files,
    execution_follow,
    execution_lifecycle,
    execution_lifecycle_bulk,
    executions,
    flow_bulk,
    flows,
    graphs,
    instance,
    kv,
    logs,
    metrics,
    namespace_files,
    namespaces,
    outputs,
    plugins,
    secrets,
    templates,
    triggers,
    webhooks,
)
from windhover.webserver.services import DEFAULT_TENANT, WebServices
from windhover.webserver.tenant_paths import TenantPaths

#: In this order: of two routes that match a path, the first is taken.
_ROUTERS = (
    evaluation.router,
    evaluation.pebble_router,
    webhooks.router,
    graphs.router,
    execution_exports.router,
    execution_actions.router,
    execution_lifecycle_bulk.router,
    execution_lifecycle.router,
    executions.router,
    execution_follow.router,
    execution_dependencies.router,
    execution_files.router,
    flow_bulk.router,
    flows.router,
    flow_bulk.namespace_router,
    concurrency_limits.router,
    logs.router,
    metrics.router,
    outputs.router,
    plugins.router,
    kv.router,
    secrets.router,
    backfills.router,
    triggers.router,
    namespace_files.router,
    namespaces.router,
    templates.router,
    instance.router,
)


def create_app(services: WebServices) -> FastAPI:
    """The API of a server. Nothing is connected or started here; the services must be ready to be used."""
    app = FastAPI(
        title="Windhover",
        summary="Flows, executions, logs and metrics of a Windhover server.",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    for router in _ROUTERS:
        # Not included, which would take each route apart a second time: 0.2 s at the first request.
        app.router.routes.extend(router.routes)
    app.add_route("/ping", _ping, include_in_schema=False)
    install_error_handlers(app)
    install_openapi(app)
    app.add_middleware(RequestMetricsMiddleware, metrics=services.request_metrics)
    # The last one added is the outermost: who may not enter learns nothing of tenants, but a browser that
    # asks whether it may ask (CORS) sends no credentials.
    app.add_middleware(TenantPaths, default=DEFAULT_TENANT, tenants=services.tenants)
    app.add_middleware(AuthenticationMiddleware, authentication=services.authentication)
    cors = services.settings.server.cors
    if cors.enabled:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(cors.allowed_origins) or ["*"],
            allow_methods=["*"],
            allow_headers=["*"],
            # A wildcard must not be combined with credentials: any site could use a visitor's login.
            allow_credentials=bool(cors.allowed_origins) and "*" not in cors.allowed_origins,
        )
    return app


async def _ping(request: Request) -> Response:
    """A sign of life that needs no credentials."""
    return PlainTextResponse("pong")
