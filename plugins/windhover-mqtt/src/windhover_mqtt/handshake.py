"""The receiving end of quality of service 2, one step at a time.

A message of this quality is delivered in two steps, each of which the broker repeats until it is answered:
the message itself (PUBLISH, answered by PUBREC), and that its number is free again (PUBREL, answered by
PUBCOMP). A receiver that remembers, across its own death, which numbers are between the two steps gets every
message once.

paho remembers them in memory, and answers the first step as soon as a message has arrived: one that it holds
then is lost with the process. Here a message is delivered when it arrives, and who receives it gives both
answers, once what they stand for is on the disk. The library has no interface for that: this reaches into it.
"""

from __future__ import annotations

from collections.abc import Callable

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode


class Handshake:
    """Takes over the handshake of a client that does not answer by itself (``manual_ack_set``)."""

    def __init__(self, client: Client, released: Callable[[int], None]) -> None:
        """``released`` is told the number of a message that the broker will not send again."""
        self._client = client
        self._released = released
        self._take_publish = client._handle_publish
        self._send_pubrec = client._send_pubrec
        client._handle_publish = self._on_publish  # type: ignore[method-assign]
        client._handle_pubrel = self._on_pubrel  # type: ignore[method-assign]
        client._send_pubrec = _not_yet  # type: ignore[method-assign, assignment]

    def received(self, number: int) -> None:
        """Tell the broker that a message need not come again; on a lost connection nothing happens."""
        self._send_pubrec(number)

    def complete(self, number: int) -> None:
        """Tell the broker that it may use a number again; on a lost connection nothing happens."""
        self._client.ack(number, 2)

    def _on_publish(self) -> MQTTErrorCode:
        code = self._take_publish()
        while self._client._in_messages:
            _, message = self._client._in_messages.popitem()
            self._client._handle_on_message(message)
        return code

    def _on_pubrel(self) -> MQTTErrorCode:
        number = int.from_bytes(self._client._in_packet["packet"][:2], "big")
        self._released(number)
        return MQTTErrorCode.MQTT_ERR_SUCCESS


def _not_yet(number: int) -> MQTTErrorCode:
    return MQTTErrorCode.MQTT_ERR_SUCCESS
