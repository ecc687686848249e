"""MQTT tasks against a real broker."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.brokers import Mosquitto
from tests.task_context import stored_lines

from windhover.model.execution import JsonValue
from windhover.model.state import StateType
from windhover.plugin.definition import validate_properties
from windhover.plugin.problems import InvalidProperties
from windhover.worker.inline import InlineRun, InlineWorker
from windhover_mqtt.publish import Publish
from windhover_mqtt.subscribe import Subscribe


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A topic that no other test uses."""
    return f"tests/{request.node.name}"


async def publish(
    worker: InlineWorker, broker: Mosquitto, topic: str, source: JsonValue, **more: JsonValue
) -> InlineRun:
    properties = {"server": broker.url, "clientId": "publisher", "topic": topic, "from": source, **more}
    run = await worker.run(Publish, properties)
    assert run.state is StateType.SUCCESS, run.messages
    return run


async def subscribe(
    worker: InlineWorker, broker: Mosquitto, topic: JsonValue, **more: JsonValue
) -> InlineRun:
    properties = {"server": broker.url, "clientId": f"subscriber to {topic}", "topic": topic, **more}
    run = await worker.run(Subscribe, {"maxDuration": "PT0.3S", **properties})
    assert run.state is StateType.SUCCESS, run.messages
    return run


async def payloads(worker: InlineWorker, run: InlineRun) -> list[JsonValue]:
    return [msgspec.json.decode(line)["payload"] for line in await stored_lines(worker, run.outputs["uri"])]


async def test_messages_between_two_subscriptions_are_not_missed(
    broker: Mosquitto, worker: InlineWorker, topic: str
) -> None:
    assert (await subscribe(worker, broker, topic)).outputs["messagesCount"] == 0
    published = await publish(worker, broker, topic, [{"value": 1.5}, "text", 3])
    assert published.outputs == {"messagesCount": 3}

    run = await subscribe(worker, broker, topic, maxRecords=2)
    assert await payloads(worker, run) == [{"value": 1.5}, "text"]
    assert await payloads(worker, await subscribe(worker, broker, topic)) == [3]


@pytest.mark.parametrize("version", ["V3", "V5"])
async def test_what_is_known_of_a_message(
    broker: Mosquitto, worker: InlineWorker, topic: str, version: str
) -> None:
    await publish(worker, broker, f"{topic}/cpu", {"value": 1}, retain=True, qos=2, mqttVersion=version)

    run = await subscribe(worker, broker, [f"{topic}/+", "other"], maxRecords=1, qos=2, mqttVersion=version)

    (line,) = await stored_lines(worker, run.outputs["uri"])
    message = msgspec.json.decode(line)
    assert message.pop("id") > 0
    assert message == {"topic": f"{topic}/cpu", "payload": {"value": 1}, "qos": 1, "retain": True}


@pytest.mark.parametrize(
    ("serde", "sent", "received"),
    [("STRING", "a", "a"), ("STRING", {"a": 1}, '{"a":1}'), ("BYTES", "/wA=", "/wA="), ("JSON", "[1]", [1])],
)
async def test_forms_of_messages(
    broker: Mosquitto, worker: InlineWorker, topic: str, serde: str, sent: JsonValue, received: JsonValue
) -> None:
    await publish(worker, broker, topic, [sent], serdeType=serde, retain=True)
    run = await subscribe(worker, broker, topic, serdeType=serde, maxRecords=1)
    assert await payloads(worker, run) == [received]


async def test_every_record_of_a_file_is_published(
    broker: Mosquitto, worker: InlineWorker, topic: str
) -> None:
    await subscribe(worker, broker, topic)
    await publish(worker, broker, topic, [{"number": number} for number in range(500)])
    first = await subscribe(worker, broker, topic, maxRecords=500, maxDuration="PT20S")
    await publish(worker, broker, topic, first.outputs["uri"])

    again = await payloads(
        worker, await subscribe(worker, broker, topic, maxRecords=500, maxDuration="PT20S")
    )

    assert [one["payload"]["number"] for one in again] == list(range(500))  # type: ignore[index, call-overload]


async def test_a_message_that_is_no_json_is_left_out_and_told_of(
    broker: Mosquitto, worker: InlineWorker, topic: str
) -> None:
    await subscribe(worker, broker, topic)
    await publish(worker, broker, topic, ["{bad", '{"good": 1}'], serdeType="STRING")

    run = await subscribe(worker, broker, topic, maxRecords=1)

    assert await payloads(worker, run) == [{"good": 1}]
    assert f"A message of topic `{topic}` is left out: it is no JSON" in run.messages[0]
    assert (await subscribe(worker, broker, topic)).outputs["messagesCount"] == 0


async def test_what_the_broker_refuses_fails(worker: InlineWorker, tmp_path: Path) -> None:
    access = tmp_path / "access"
    access.write_text("topic read public/#\n")
    with Mosquitto(tmp_path / "mosquitto") as broker:
        broker.kill()
        broker.more_configuration = f"acl_file {access}"
        broker.start()
        common = {"server": broker.url, "clientId": "me"}
        refused = await worker.run(Publish, {**common, "topic": "private", "from": "a"})
        unheard = await worker.run(Subscribe, {**common, "topic": "public/a", "maxDuration": "PT0.1S"})
    assert refused.messages == ["The broker refuses a message to `private`: Not authorized"]
    assert unheard.state is StateType.SUCCESS


async def test_a_broker_that_is_not_there(worker: InlineWorker) -> None:
    properties: dict[str, JsonValue] = {"clientId": "me", "topic": "a", "from": "b"}
    run = await worker.run(Publish, {**properties, "server": "tcp://127.0.0.1:1"})
    assert "Connection refused" in run.messages[0]
    run = await worker.run(Publish, {**properties, "server": "http://127.0.0.1"})
    assert run.messages == [
        "`http://127.0.0.1` is no address of an MQTT broker, such as tcp://localhost:1883"
    ]
    run = await worker.run(Publish, {**properties, "server": "ssl://127.0.0.1:1", "crt": "/nowhere"})
    assert run.messages == ["`crt` cannot be read: [Errno 2] No such file or directory: '/nowhere'"]


def test_a_subscription_must_end() -> None:
    with pytest.raises(InvalidProperties, match="maxRecords or maxDuration is needed"):
        validate_properties(Subscribe, {"server": "tcp://localhost", "clientId": "a", "topic": "b"})
