"""A bucket that is there: what the tasks that read and write one have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pydantic import Field

from windhover.plugin.task import TaskFailure
from windhover_nats.connection import NatsConnection

if TYPE_CHECKING:
    from nats.js.kv import KeyValue


class NatsBucket(NatsConnection):
    """Properties that say which bucket."""

    bucket_name: str = Field(min_length=1, description="Name of the bucket.")

    @asynccontextmanager
    async def bucket(self) -> AsyncIterator[KeyValue]:
        """The bucket, as long as the context lasts.

        Raises:
            TaskFailure: there is none of this name.
            nats.errors.Error: the server cannot be reached, or refuses.
        """
        from nats.js.errors import BucketNotFoundError, InvalidBucketNameError

        async with self.connected() as client:
            try:
                bucket = await client.jetstream().key_value(self.bucket_name)
            except (BucketNotFoundError, InvalidBucketNameError):
                raise TaskFailure(f"There is no bucket `{self.bucket_name}`") from None
            yield bucket
