"""To which broker, and as whom: the properties that all AMQP types have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from aio_pika.abc import AbstractChannel

#: Seconds that the broker has for each step of the opening of a connection.
_TIMEOUT = 30


class AmqpConnection(BaseModel):
    """Properties that say which broker, as whom."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, defer_build=True)

    host: Annotated[str | None, Field(description="Host of the broker.")] = None
    port: Annotated[int, Field(ge=1, le=65535, description="Port of the broker.")] = 5672
    username: Annotated[str | None, Field(description="User name; `guest` without one.")] = None
    password: Annotated[str | None, Field(description="Password; `guest` without one.")] = None
    virtual_host: Annotated[str, Field(description="Virtual host, exactly as the broker calls it.")] = "/"
    url: Annotated[
        str | None,
        Field(
            description="URI of the broker, instead of the properties above; `amqps://` for TLS.",
            json_schema_extra={"deprecated": True},
        ),
    ] = None

    @model_validator(mode="after")
    def _names_a_broker(self) -> Self:
        if self.host is None and self.url is None:
            raise ValueError("host is needed")
        return self

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[AbstractChannel]:
        """A channel on a connection of its own, as long as the context lasts.

        Raises:
            ConnectionError: the broker cannot be reached, or refuses.
        """
        import aio_pika

        if self.url is not None:
            connection = await aio_pika.connect(self.url, timeout=_TIMEOUT)
        else:
            connection = await aio_pika.connect(
                host=self.host or "",
                port=self.port,
                login=self.username or "guest",
                password=self.password or "guest",
                virtualhost=self.virtual_host,
                timeout=_TIMEOUT,
            )
        async with connection, connection.channel() as channel:
            yield channel
