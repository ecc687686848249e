"""MQTT triggers against a real broker: what is not acknowledged comes again."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import aiomqtt
import pytest
from tests.brokers import Mosquitto
from tests.task_context import first_events, task_context

from windhover.model.execution import JsonValue
from windhover.plugin.trigger import Event
from windhover.worker.inline import InlineWorker
from windhover_mqtt.realtime_trigger import RealtimeTrigger
from windhover_mqtt.subscription import MqttMessage
from windhover_mqtt.trigger import Trigger


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A topic that no other test uses."""
    return f"tests/{request.node.name}"


def realtime(broker: Mosquitto, topic: str, **properties: JsonValue) -> RealtimeTrigger:
    # The name of the client follows from the trigger's, which is the same in all tests.
    named = {"server": broker.url, "topic": topic, "clientId": topic, **properties}
    return RealtimeTrigger.model_validate(named)


async def publish(broker: Mosquitto, topic: str, *payloads: str, retain: bool = False) -> None:
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        for payload in payloads:
            await client.publish(topic, payload, qos=1, retain=retain)


async def listen_once(trigger: RealtimeTrigger, worker: InlineWorker) -> None:
    """Make the broker know the trigger's session."""
    async with trigger.subscribed(trigger.client_id, retained_once=True):
        pass


def payloads(found: list[Event[MqttMessage]]) -> list[JsonValue]:
    return [event.output.payload for event in found]


@pytest.mark.parametrize("version", ["V3", "V5"])
async def test_what_is_not_acknowledged_comes_again(
    broker: Mosquitto, worker: InlineWorker, topic: str, version: str
) -> None:
    trigger = realtime(broker, topic, mqttVersion=version)
    await listen_once(trigger, worker)
    await publish(broker, topic, "1", "2", "3")

    assert payloads(await first_events(trigger, worker, 2, acknowledge=False)) == [1, 2]
    assert payloads(await first_events(trigger, worker, 2, acknowledge=True)) == [1, 2]
    await publish(broker, topic, "4")
    assert payloads(await first_events(trigger, worker, 2, acknowledge=True)) == [3, 4]


async def test_more_messages_than_may_be_unacknowledged(
    broker: Mosquitto, worker: InlineWorker, topic: str
) -> None:
    trigger = realtime(broker, topic)
    await listen_once(trigger, worker)
    await publish(broker, topic, *map(str, range(1_500)))

    assert payloads(await first_events(trigger, worker, 1_500, acknowledge=True)) == list(range(1_500))


async def test_a_retained_message_starts_one_execution_only(
    broker: Mosquitto, worker: InlineWorker, topic: str
) -> None:
    trigger = realtime(broker, topic)
    await publish(broker, topic, '"kept"', retain=True)

    assert payloads(await first_events(trigger, worker, 1, acknowledge=True)) == ["kept"]
    await publish(broker, topic, '"next"')
    assert payloads(await first_events(trigger, worker, 1, acknowledge=True)) == ["next"]


async def test_a_poisonous_message_does_not_stop_the_others(
    broker: Mosquitto, worker: InlineWorker, topic: str
) -> None:
    trigger = realtime(broker, topic)
    await listen_once(trigger, worker)
    await publish(broker, topic, "{bad", '{"good": true}')

    async with task_context(worker) as (ctx, run), aclosing(trigger.events(ctx)) as stream:  # type: ignore[type-var]
        event = await anext(stream)
        await run.logged(f"A message of topic `{topic}` is left out")
    assert event.output.payload == {"good": True}


async def test_topics_that_the_flow_names_no_more_are_silent(
    broker: Mosquitto, worker: InlineWorker, topic: str
) -> None:
    await listen_once(realtime(broker, f"{topic}/old", clientId=topic), worker)
    edited = realtime(broker, f"{topic}/new", clientId=topic)
    await listen_once(edited, worker)
    await publish(broker, f"{topic}/old", "1")
    await publish(broker, f"{topic}/new", "2")

    assert payloads(await first_events(edited, worker, 1, acknowledge=True)) == [2]


async def test_a_lost_connection_is_an_error(worker: InlineWorker, tmp_path: Path, topic: str) -> None:
    with Mosquitto(tmp_path / "mosquitto") as broker:
        trigger = realtime(broker, topic)
        await listen_once(trigger, worker)
        await publish(broker, topic, "1")
        async with (
            asyncio.timeout(60),
            task_context(worker) as (ctx, _),
            aclosing(trigger.events(ctx)) as stream,  # type: ignore[type-var]
        ):
            event = await anext(stream)
            broker.kill()
            with pytest.raises(aiomqtt.MqttError):
                await anext(stream)
        assert event.acknowledge is not None
        await event.acknowledge()  # too late, and no harm


async def test_a_poll_takes_what_has_come(broker: Mosquitto, worker: InlineWorker, topic: str) -> None:
    trigger = Trigger.model_validate(
        {"server": broker.url, "topic": topic, "clientId": topic, "maxRecords": 2, "maxDuration": "PT0.3S"}
    )
    async with task_context(worker) as (ctx, _):
        assert await trigger.poll(ctx) is None
        await publish(broker, topic, "1", "2", "3")
        first = await trigger.poll(ctx)
        assert first is not None
        assert first.output.messages_count == 2
        assert first.acknowledge is not None
        await first.acknowledge()
        rest = await trigger.poll(ctx)
        assert rest is not None
        assert rest.output.messages_count == 1
        again = await trigger.poll(ctx)  # the broker drops the connection of `rest`, and not what it had
        assert again is not None
        assert again.output.messages_count == 1
        for event in (rest, again):
            assert event.acknowledge is not None
            await event.acknowledge()
        assert await trigger.poll(ctx) is None
