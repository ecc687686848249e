"""MQTT over TLS: whose certificate is trusted, and for which host."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.brokers import BrokerNotInstalled, Mosquitto

from windhover.model.execution import JsonValue
from windhover.model.state import StateType
from windhover.worker.inline import InlineWorker
from windhover_mqtt.publish import Publish


def certificate(folder: Path) -> Path:
    """A certificate for `localhost` that signs itself; its key lies beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "server.crt").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "server.crt"


async def test_the_certificate_of_the_broker_is_checked(worker: InlineWorker, tmp_path: Path) -> None:
    trusted = certificate(tmp_path)
    try:
        broker = Mosquitto(tmp_path / "mosquitto")
    except BrokerNotInstalled as reason:
        pytest.skip(f"Tests with an MQTT broker are left out: {reason}")
    broker.more_configuration = f"certfile {trusted}\nkeyfile {tmp_path / 'server.key'}"
    common: dict[str, JsonValue] = {"clientId": "me", "topic": "a", "from": "b"}
    named, numbered = f"ssl://localhost:{broker.port}", f"ssl://127.0.0.1:{broker.port}"
    with broker:
        for properties, problem in (
            ({"server": named, "crt": str(trusted)}, None),
            ({"server": named, "crt": trusted.read_text()}, None),
            ({"server": named}, "certificate verify failed"),
            ({"server": numbered, "crt": str(trusted)}, "certificate is not valid for '127.0.0.1'"),
            ({"server": numbered, "crt": str(trusted), "httpsHostnameVerificationEnabled": False}, None),
        ):
            run = await worker.run(Publish, {**common, **properties})  # type: ignore[dict-item]
            if problem is None:
                assert run.state is StateType.SUCCESS, run.messages
            else:
                assert problem in run.messages[0]
