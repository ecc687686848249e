"""A client of an MQTT broker that acknowledges messages when it is told to.

aiomqtt acknowledges a message as soon as it has arrived. Here the broker keeps it until the execution that it
starts is committed, which the library below aiomqtt, paho, can do; this module and :mod:`handshake` are the
places that reach down to it.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import aiomqtt
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

#: How many messages the broker may send before the first of them is acknowledged; MQTT 5 only.
_RECEIVE_MAXIMUM = 1_000

#: How many messages may be on their way to the broker at the same time.
MAX_PENDING = 20

#: The quality of service that takes two steps.
_EXACTLY_ONCE = 2

#: Reasons from this number on are refusals.
_FAILURE = 128


@dataclass(frozen=True, slots=True)
class Address:
    """Where a broker listens; ``path`` is that of a web socket."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker is and how it is spoken to; ``version`` is 3 or 5, ``timeout`` is in seconds."""

    address: Address
    version: int
    username: str | None
    password: str | None
    auth_method: str | None
    timeout: float


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom a client connects.

    ``session`` is how many seconds the broker keeps its subscriptions and their messages when it is gone; 0
    for not at all.
    """

    client_id: str | None = None
    session: int = 0


@dataclass(frozen=True, slots=True)
class Released:
    """A message of quality 2 that the broker will not send again; its number may be that of another one."""

    number: int


class MqttClient:
    """A connection, while :func:`connect` is open."""

    def __init__(self, client: aiomqtt.Client, *, five: bool) -> None:
        """``five`` is whether version 5 is spoken."""
        from windhover_mqtt.handshake import Handshake

        self._client = client
        self._five = five
        #: Whether the broker still knows this client; set by the connection.
        self.is_known = False
        self._refusals: list[str] = []
        self._inform = client._client.on_publish
        client._client.on_publish = self._on_publish
        self._connected = client._client.on_connect
        client._client.on_connect = self._on_connect
        # Among the messages, so that all is received in the order in which it came.
        self._handshake = Handshake(
            client._client, lambda number: client._queue.put_nowait(cast("aiomqtt.Message", Released(number)))
        )

    async def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """Send a message, and wait until the broker has it (unless ``qos`` is 0).

        Raises:
            PermissionError: the broker has refused this message, or one sent at the same time.
            aiomqtt.MqttError: the connection is lost, or the broker does not answer.
        """
        await self._client.publish(topic, payload, qos=qos, retain=retain)
        if self._refusals:
            raise PermissionError(f"The broker refuses a message to `{topic}`: {self._refusals[0]}")

    def _on_connect(self, *arguments: Any) -> None:
        self.is_known = arguments[2].session_present  # nor for this
        if self._connected is not None:
            self._connected(*arguments)

    def _on_publish(self, *arguments: Any) -> None:
        reason = arguments[3]  # aiomqtt has no eye for it
        if reason.is_failure:
            self._refusals.append(str(reason))
        if self._inform is not None:
            self._inform(*arguments)

    async def subscribe(self, topics: Sequence[str], *, qos: int, retained_once: bool) -> None:
        """Subscribe to topics; wildcards may be in them.

        With ``retained_once`` the retained messages are not sent again to a session that has had them; a
        broker of version 3 sends them each time.

        Raises:
            PermissionError: the broker refuses one of them.
            aiomqtt.MqttError: the connection is lost, or the broker does not answer.
        """
        from paho.mqtt.subscribeoptions import SubscribeOptions

        handling = (
            SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
            if retained_once
            else SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
        )
        if self._five:
            options = SubscribeOptions(qos=qos, retainHandling=handling)
            granted: Sequence[int | ReasonCode] = await self._client.subscribe(
                [(topic, options) for topic in topics]
            )
        else:
            granted = await self._client.subscribe([(topic, qos) for topic in topics])
        for topic, reason in zip(topics, granted, strict=True):
            code = reason if isinstance(reason, int) else reason.value
            if code >= _FAILURE:
                raise PermissionError(f"The broker refuses a subscription to `{topic}`: {reason}")

    async def receive(self) -> aiomqtt.Message | Released:
        """Wait for the next message, or until the broker is done with one of quality 2.

        Raises:
            aiomqtt.MqttError: the connection is lost.
        """
        return await anext(self._client.messages)

    def acknowledge(self, message: aiomqtt.Message) -> None:
        """Tell the broker that it need not send a message again. On a lost connection nothing happens."""
        if message.qos == _EXACTLY_ONCE:
            self._handshake.received(message.mid)
        else:
            self._client._client.ack(message.mid, message.qos)

    def complete(self, released: Released) -> None:
        """Tell the broker that it may use a number again. On a lost connection nothing happens."""
        self._handshake.complete(released.number)


@asynccontextmanager
async def connect(broker: Broker, identity: Identity) -> AsyncIterator[MqttClient]:
    """Open a connection for as long as the context lasts.

    Raises:
        aiomqtt.MqttError: the broker cannot be reached, or refuses.
    """
    import aiomqtt

    five = broker.version == 5
    keep = identity.session > 0
    client = aiomqtt.Client(
        broker.address.host,
        broker.address.port,
        username=broker.username,
        password=broker.password,
        identifier=identity.client_id,
        protocol=aiomqtt.ProtocolVersion.V5 if five else aiomqtt.ProtocolVersion.V311,
        clean_session=None if five else not keep,
        clean_start=not keep if five else 3,
        properties=_connect_properties(broker, identity) if five else None,
        transport="tcp" if broker.address.path is None else "websockets",
        websocket_path=broker.address.path,
        tls_context=broker.address.tls,
        timeout=broker.timeout,
    )
    client._client.manual_ack_set(True)
    client.pending_calls_threshold = MAX_PENDING  # above it, a line is logged for each message
    connection = MqttClient(client, five=five)
    async with client:
        yield connection


def _connect_properties(broker: Broker, identity: Identity) -> Properties:
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.ReceiveMaximum = _RECEIVE_MAXIMUM
    properties.SessionExpiryInterval = identity.session
    if broker.auth_method is not None:
        properties.AuthenticationMethod = broker.auth_method
    return properties
