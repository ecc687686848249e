"""A message and its properties, as flows write them and see them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from pydantic import ConfigDict, Field

from windhover.model.execution import JsonValue
from windhover.plugin.serde import Serde
from windhover.plugin.task import Output
from windhover.plugin.types import DateTime, Duration

if TYPE_CHECKING:
    import aio_pika
    from aio_pika.abc import AbstractIncomingMessage


class AmqpMessage(Output):
    """A message: what it says, and the properties that AMQP has for it."""

    model_config = ConfigDict(extra="forbid")

    data: Annotated[JsonValue, Field(description="What it says, read and written as `serdeType` tells.")] = (
        None
    )
    headers: Annotated[dict[str, JsonValue] | None, Field(description="Headers of the application.")] = None
    content_type: Annotated[str | None, Field(description="MIME type of the data.")] = None
    content_encoding: Annotated[str | None, Field(description="MIME encoding of the data.")] = None
    delivery_mode: Annotated[
        int | None, Field(ge=1, le=2, description="2 for a message that outlives the broker, 1 for another.")
    ] = None
    priority: Annotated[int | None, Field(ge=0, le=255, description="Priority in the queue.")] = None
    message_id: Annotated[
        str | None,
        Field(description="Identity of the message; a real-time trigger starts one execution for each."),
    ] = None
    correlation_id: Annotated[str | None, Field(description="The message that this one answers.")] = None
    reply_to: Annotated[str | None, Field(description="The queue for answers.")] = None
    expiration: Annotated[Duration | None, Field(description="How long it may wait in a queue.")] = None
    timestamp: Annotated[DateTime | None, Field(description="When it was made, to the second.")] = None
    type: Annotated[str | None, Field(description="Type of the message, for applications.")] = None
    user_id: Annotated[str | None, Field(description="The user that publishes it; the broker checks.")] = None
    app_id: Annotated[str | None, Field(description="The application that publishes it.")] = None

    @classmethod
    def received(cls, message: AbstractIncomingMessage, serde: Serde) -> AmqpMessage:
        """What a message that has come says.

        Raises:
            UnreadableMessage: its body is not what `serdeType` tells.
        """
        expiration = message.expiration
        return cls(
            data=serde.deserialize(message.body),
            headers={name: _json(value) for name, value in message.headers.items()} or None,
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            delivery_mode=int(message.delivery_mode) if message.delivery_mode else None,
            priority=message.priority or None,
            message_id=message.message_id,
            correlation_id=message.correlation_id,
            reply_to=message.reply_to,
            expiration=timedelta(seconds=expiration) if isinstance(expiration, int | float) else None,
            timestamp=message.timestamp if isinstance(message.timestamp, datetime) else None,
            type=message.type,
            user_id=message.user_id,
            app_id=message.app_id,
        )

    def to_send(self, serde: Serde) -> aio_pika.Message:
        """The message for the broker.

        Raises:
            ValueError: the data cannot be written as `serdeType` tells.
        """
        import aio_pika

        return aio_pika.Message(
            serde.serialize(self.data),
            headers=self.headers,
            content_type=self.content_type,
            content_encoding=self.content_encoding,
            delivery_mode=self.delivery_mode,
            priority=self.priority,
            correlation_id=self.correlation_id,
            reply_to=self.reply_to,
            expiration=self.expiration,
            message_id=self.message_id,
            timestamp=self.timestamp,
            type=self.type,
            user_id=self.user_id,
            app_id=self.app_id,
        )


def _json(value: object) -> JsonValue:
    """A value of AMQP's tables in terms of JSON."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode(errors="replace")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return str(value)
