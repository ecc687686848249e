"""To which server, and as whom: the properties that all NATS types have."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from nats.aio.client import Client

#: Seconds that the server has for the opening of a connection.
_TIMEOUT = 30


class NatsConnection(BaseModel):
    """Properties that say which server, as whom."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, defer_build=True)

    url: Annotated[
        str,
        Field(
            min_length=1,
            description="The server, such as `nats://localhost:4222`, or several, separated by commas.",
        ),
    ]
    username: Annotated[str | None, Field(description="User name.")] = None
    password: Annotated[str | None, Field(description="Password.")] = None
    token: Annotated[str | None, Field(description="Token, instead of user name and password.")] = None
    creds: Annotated[
        str | None, Field(description="Credentials (a JWT and a seed): the text of the file, or its path.")
    ] = None

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Client]:
        """A client of the server, as long as the context lasts.

        Raises:
            nats.errors.Error: the server cannot be reached, or refuses.
        """
        import nats

        with _credentials_file(self.creds) as credentials:
            client = await nats.connect(
                [url.strip() for url in self.url.split(",")],
                user=self.username,
                password=self.password,
                token=self.token,
                user_credentials=credentials,
                connect_timeout=_TIMEOUT,
                # A lost connection is for the task's retry or the trigger's next start to mend.
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                error_cb=_ignore,
            )
        try:
            yield client
        finally:
            await client.close()


@contextmanager
def _credentials_file(credentials: str | None) -> Iterator[str | None]:
    """The path of a file with credentials; the client reads them from nowhere else."""
    if credentials is None or "-----BEGIN" not in credentials:
        yield credentials
        return
    with tempfile.NamedTemporaryFile("w", suffix=".creds") as file:
        file.write(credentials)
        file.flush()
        yield file.name


async def _ignore(error: Exception) -> None:
    """What the client reports besides is raised where it matters; by default it would be printed."""
