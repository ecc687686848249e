"""A message and its headers, as flows write them and see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import ConfigDict, Field, ValidationError

from windhover.model.execution import JsonValue
from windhover.plugin.problems import problems_of
from windhover.plugin.serde import Serde
from windhover.plugin.task import Output, TaskFailure
from windhover.plugin.types import DateTime

if TYPE_CHECKING:
    from nats.aio.msg import Msg


class NatsMessage(Output):
    """A message."""

    model_config = ConfigDict(extra="forbid")

    subject: Annotated[str | None, Field(description="The subject that it was published to.")] = None
    headers: Annotated[
        dict[str, str | list[str]] | None, Field(description="Headers; one may have several values.")
    ] = None
    data: Annotated[JsonValue, Field(description="What it says, as text.")] = None
    timestamp: Annotated[DateTime | None, Field(description="When the stream has stored it.")] = None

    @classmethod
    def received(cls, message: Msg) -> NatsMessage:
        """What a message says that came from a stream."""
        return cls(
            subject=message.subject,
            headers=dict(message.headers) if message.headers else None,
            data=Serde.STRING.deserialize(message.data),
            timestamp=message.metadata.timestamp,
        )

    @classmethod
    def written(cls, record: JsonValue) -> NatsMessage:
        """A message as a flow or a file has it.

        Raises:
            TaskFailure: it is none.
        """
        try:
            return cls.model_validate(record)
        except ValidationError as error:
            problems = "; ".join(str(problem) for problem in problems_of(error, record))
            raise TaskFailure(f"`from` holds something that is no message: {problems}") from None

    @property
    def body(self) -> bytes:
        """What is sent; what is no text is sent as JSON."""
        return b"" if self.data is None else Serde.STRING.serialize(self.data)

    @property
    def sent_headers(self) -> dict[str, str] | None:
        """The headers for the client, which takes one value for each."""
        if self.headers is None:
            return None
        return {
            name: value if isinstance(value, str) else ",".join(value) for name, value in self.headers.items()
        }


def identity(message: Msg) -> str:
    """What identifies a message in its stream, however often it is sent.

    The time is in it because a stream that is deleted and made again counts from 1 again.
    """
    metadata = message.metadata
    return f"{metadata.stream}:{metadata.sequence.stream}:{metadata.timestamp.timestamp():.6f}"
