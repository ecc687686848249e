"""To which broker, and how: the properties that all MQTT types have."""

from __future__ import annotations

import ssl
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from windhover.plugin.task import TaskFailure
from windhover.plugin.types import Duration
from windhover_mqtt.client import Address, Broker

#: Schemes of ``server``: whether over TLS, the usual port, and whether over a web socket.
_SCHEMES = {
    "tcp": (False, 1883, False),
    "mqtt": (False, 1883, False),
    "ssl": (True, 8883, False),
    "tls": (True, 8883, False),
    "mqtts": (True, 8883, False),
    "ws": (False, 80, True),
    "wss": (True, 443, True),
}


class MqttVersion(StrEnum):
    """Versions of the protocol: 3.1.1 and 5."""

    V3 = "V3"
    V5 = "V5"


class MqttConnection(BaseModel):
    """Properties that say which broker, as whom."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, defer_build=True)

    server: Annotated[
        str, Field(description="URI of the broker: `tcp://`, `ssl://`, `ws://` or `wss://`, host and port.")
    ]
    client_id: Annotated[
        str | None, Field(description="Name of the client; the broker drops another client of the same name.")
    ] = None
    mqtt_version: Annotated[MqttVersion, Field(description="Version of the protocol.")] = MqttVersion.V5
    username: Annotated[str | None, Field(description="User name.")] = None
    password: Annotated[str | None, Field(description="Password.")] = None
    auth_method: Annotated[
        str | None, Field(description="Authentication method that is announced to the broker; V5 only.")
    ] = None
    connection_timeout: Annotated[
        Duration, Field(description="How long to wait for the broker's answers.")
    ] = timedelta(seconds=30)
    crt: Annotated[
        str | None,
        Field(description="Certificate of the authority that signed the broker's: PEM text, or its path."),
    ] = None
    https_hostname_verification_enabled: Annotated[
        bool, Field(description="Whether the broker's certificate must name its host.")
    ] = True

    def broker(self) -> Broker:
        """Where the broker is and how it is spoken to.

        Raises:
            TaskFailure: `server` is no such URI, or the certificate cannot be read.
        """
        return Broker(
            address=self._address(),
            version=5 if self.mqtt_version is MqttVersion.V5 else 3,
            username=self.username,
            password=self.password,
            auth_method=self.auth_method,
            timeout=self.connection_timeout.total_seconds(),
        )

    def _address(self) -> Address:
        try:
            parts = urlsplit(self.server if "://" in self.server else f"tcp://{self.server}")
            tls, usual_port, web_socket = _SCHEMES[parts.scheme]
            port = parts.port or usual_port
        except (ValueError, KeyError):
            raise TaskFailure(
                f"`{self.server}` is no address of an MQTT broker, such as tcp://localhost:1883"
            ) from None
        if not parts.hostname:
            raise TaskFailure(f"`{self.server}` names no host")
        return Address(
            parts.hostname, port, self._tls() if tls else None, _path(parts) if web_socket else None
        )

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self.crt is not None:
            try:
                text = self.crt if "-----BEGIN" in self.crt else Path(self.crt).read_text()
                context = ssl.create_default_context(cadata=text)
            except (OSError, ValueError) as error:
                raise TaskFailure(f"`crt` cannot be read: {error}") from None
        context.check_hostname = self.https_hostname_verification_enabled
        return context


def _path(parts: SplitResult) -> str:
    return parts.path or "/mqtt"
