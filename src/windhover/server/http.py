"""A web application on a port, inside a process that does other things too."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp


class PortTaken(Exception):
    """The port cannot be listened on."""


class HttpServer:
    """Serves one application; port 0 takes a free one, then told by ``port``."""

    def __init__(self, application: ASGIApp, host: str, port: int, *, idle_timeout: int = 60) -> None:
        import uvicorn

        config = uvicorn.Config(
            application,
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="warning",
            timeout_keep_alive=idle_timeout,
            server_header=False,
            # Streams that are followed do not end by themselves.
            timeout_graceful_shutdown=2,
        )
        self._server: uvicorn.Server = uvicorn.Server(config)
        self._host = host
        self._socket = self._listen(host, port)
        self._serving: asyncio.Task[None] | None = None

    @staticmethod
    def _listen(host: str, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            listener.close()
            raise PortTaken(f"Port {port} of {host} cannot be listened on: {error.strerror}") from error
        return listener

    @property
    def port(self) -> int:
        number: int = self._socket.getsockname()[1]
        return number

    async def start(self) -> None:
        """Return once requests are answered."""
        self._serving = asyncio.create_task(self._serve(), name=f"http-{self.port}")
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
                raise PortTaken(f"Port {self.port} cannot be served")
            await asyncio.sleep(0.001)

    async def _serve(self) -> None:
        # `serve` would take over the signals of the process; what they mean is decided elsewhere.
        await self._server._serve(sockets=[self._socket])

    async def stop(self) -> None:
        """Answer what was asked, then close."""
        self._server.should_exit = True
        if self._serving is not None:
            await asyncio.gather(self._serving, return_exceptions=True)
        self._socket.close()
