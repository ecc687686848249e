"""How bodies of messages become values, and values bodies."""

from __future__ import annotations

import pytest

from windhover.model.execution import JsonValue
from windhover.plugin.serde import Serde, UnreadableMessage


@pytest.mark.parametrize(
    ("serde", "value", "body"),
    [
        (Serde.STRING, "héllo", "héllo".encode()),
        (Serde.STRING, {"a": [1, None]}, b'{"a":[1,null]}'),
        (Serde.STRING, 1.5, b"1.5"),
        (Serde.STRING, None, b"null"),
        (Serde.JSON, {"a": "b"}, b'{"a":"b"}'),
        (Serde.JSON, '{"a": 1}', b'{"a": 1}'),
        (Serde.JSON, "[broken", b'"[broken"'),
        (Serde.JSON, "text", b'"text"'),
        (Serde.BYTES, "/wA=", b"\xff\x00"),
    ],
)
def test_values_to_bodies(serde: Serde, value: JsonValue, body: bytes) -> None:
    assert serde.serialize(value) == body


@pytest.mark.parametrize(
    ("serde", "body", "value"),
    [
        (Serde.STRING, b"\xff!", "\ufffd!"),
        (Serde.STRING, b'{"a": 1}', '{"a": 1}'),
        (Serde.JSON, b' {"a": [1.5, true]} ', {"a": [1.5, True]}),
        (Serde.JSON, b"123456789012345678901234567890", 123456789012345678901234567890),
        (Serde.BYTES, b"\xff\x00", "/wA="),
    ],
)
def test_bodies_to_values(serde: Serde, body: bytes, value: JsonValue) -> None:
    assert serde.deserialize(body) == value


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b'"\xff"', b"[" * 100_000, b"{} {}"])
def test_what_is_no_json_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(UnreadableMessage, match="it is no JSON") as error:
        Serde.JSON.deserialize(body)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("value", ["no base64!", 5, None])
def test_bytes_are_given_in_base64(value: JsonValue) -> None:
    with pytest.raises(ValueError, match="base64"):
        Serde.BYTES.serialize(value)
