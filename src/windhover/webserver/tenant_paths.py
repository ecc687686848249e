"""Paths with and without a tenant, made one.

Kestra 1.x writes ``/api/v1/main/flows`` where older clients write ``/api/v1/flows``. Routes are declared
with the tenant alone; a path without one is about the default tenant.
"""

from __future__ import annotations

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from windhover.webserver.errors import bad_request, error_response, not_found

_PREFIX = "/api/v1/"

#: What a tenant has: the first words of the paths below it.
TENANT_RESOURCES = frozenset(
    {
        "basicAuth",
        "executions",
        "expressions",
        "flows",
        "kv",
        "logs",
        "metrics",
        "namespaces",
        "outputs",
        "secrets",
        "triggers",
        "usages",
    }
)


class TenantPaths:
    """Puts the default tenant into paths that name none, and refuses tenants that do not exist."""

    def __init__(self, app: ASGIApp, default: str, tenants: Collection[str]) -> None:
        self._app = app
        self._default = default
        self._tenants = tenants

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        if "\0" in path:
            # No database keeps such a name, and PostgreSQL does not even look for it.
            await error_response(path, bad_request("a path cannot hold the character NUL"))(
                scope, receive, send
            )
            return
        if scope["type"] == "http" and path.startswith(_PREFIX):
            first, _, rest = path[len(_PREFIX) :].partition("/")
            if first in self._tenants:
                pass
            elif first in TENANT_RESOURCES:
                scope = {**scope, "path": f"{_PREFIX}{self._default}/{path[len(_PREFIX) :]}"}
            elif rest.partition("/")[0] in TENANT_RESOURCES:
                await error_response(path, not_found(f"there is no tenant '{first}'"))(scope, receive, send)
                return
        await self._app(scope, receive, send)
