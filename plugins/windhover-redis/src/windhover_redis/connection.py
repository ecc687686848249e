"""To which server: the property that all Redis types have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from windhover.model.execution import JsonValue
from windhover.plugin.serde import Serde
from windhover.plugin.task import TaskFailure

if TYPE_CHECKING:
    from redis.asyncio import Redis

#: Seconds that the server has for an answer; longer than any command here waits.
_TIMEOUT = 30


class RedisSerde(StrEnum):
    """The form of a value in Redis."""

    STRING = "STRING"
    JSON = "JSON"

    def serialize_value(self, value: JsonValue) -> bytes:
        """A value for the server."""
        return Serde(self.value).serialize(value)

    def deserialize_value(self, value: bytes) -> JsonValue:
        """A value of the server.

        Raises:
            UnreadableMessage: it should be JSON and is none.
        """
        return Serde(self.value).deserialize(value)


def as_bytes(value: bytes | str) -> bytes:
    """What the server has sent; its client would send text when it was made to decode."""
    return value.encode() if isinstance(value, str) else value


class RedisConnection(BaseModel):
    """The property that says which server."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, defer_build=True)

    url: Annotated[
        str, Field(description="URI of the server: `redis://:password@host:6379/0`, `rediss://` for TLS.")
    ]

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Redis]:
        """A client of the server, as long as the context lasts.

        Raises:
            TaskFailure: `url` is none.
        """
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        try:
            # A command whose answer is lost may have been carried out: none is sent twice.
            client = Redis.from_url(
                self.url,
                socket_timeout=_TIMEOUT,
                socket_connect_timeout=_TIMEOUT,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError as error:
            raise TaskFailure(f"`url`: {error}") from None
        async with client:
            yield client
