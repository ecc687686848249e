"""Quality of service 2: each message starts one execution, wherever between the steps the receiver dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiomqtt
import pytest
from tests.brokers import Mosquitto
from tests.integration.scheduler.watching import WatchingServer, running
from tests.task_context import task_context

from windhover.model.trigger_state import TriggerKey
from windhover.plugin.trigger import Event, Forget
from windhover.repository.database import open_database
from windhover.repository.statement import sql
from windhover.scheduler.settings import SchedulerSettings
from windhover.worker.inline import InlineWorker
from windhover_mqtt.client import MqttClient
from windhover_mqtt.realtime_trigger import RealtimeTrigger
from windhover_mqtt.subscription import MqttMessage

#: Messages of quality 2 that are between the two steps.
_REMEMBERED = sql("SELECT count(*) FROM trigger_events WHERE key LIKE '%/'")

Item = Event[MqttMessage] | Forget

FLOW = """\
id: seen
namespace: io.test
tasks:
  - id: say
    type: io.kestra.plugin.core.debug.Return
    format: "{{{{ trigger.payload }}}}"
triggers:
  - id: t
    type: io.kestra.plugin.mqtt.RealtimeTrigger
    server: {server}
    topic: {topic}
    clientId: {topic}
    mqttVersion: {version}
    qos: {qos}
"""


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A topic that no other test uses."""
    return f"exactly/{request.node.name}".replace("[", "/").replace("]", "")


@pytest.fixture(params=["V3", "V5"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def trigger(broker: Mosquitto, topic: str, version: str) -> RealtimeTrigger:
    named = {"server": broker.url, "topic": topic, "clientId": topic, "mqttVersion": version, "qos": 2}
    return RealtimeTrigger.model_validate(named)


async def publish(broker: Mosquitto, topic: str, *payloads: str) -> None:
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        for payload in payloads:
            await client.publish(topic, payload, qos=2)


@asynccontextmanager
async def listening(trigger: RealtimeTrigger, worker: InlineWorker) -> AsyncIterator[AsyncIterator[Item]]:
    """What a trigger yields, until the connection is cut."""
    async with (
        asyncio.timeout(60),
        task_context(worker) as (ctx, _),
        aclosing(trigger.events(ctx)) as stream,  # type: ignore[type-var]
    ):
        yield stream


async def event(stream: AsyncIterator[Item]) -> Event[MqttMessage]:
    item = await anext(stream)
    assert isinstance(item, Event), item
    return item


async def forget(stream: AsyncIterator[Item]) -> Forget:
    item = await anext(stream)
    assert isinstance(item, Forget), item
    return item


async def acknowledge(item: Item) -> None:
    assert item.acknowledge is not None
    await item.acknowledge()


async def test_a_new_session_has_numbers_of_its_own(trigger: RealtimeTrigger, worker: InlineWorker) -> None:
    async with listening(trigger, worker) as stream:
        everything = await forget(stream)
        assert everything.acknowledge is None
    async with listening(trigger, worker) as stream:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.3)


async def test_a_message_that_is_not_acknowledged_comes_again_with_its_key(
    broker: Mosquitto, trigger: RealtimeTrigger, worker: InlineWorker, topic: str
) -> None:
    async with listening(trigger, worker) as stream:
        everything = await forget(stream)
        await publish(broker, topic, "1", "1")
        first, second = await event(stream), await event(stream)
    async with listening(trigger, worker) as stream:
        again = [await event(stream), await event(stream)]
    keys = [first.key, second.key]
    assert [one.key for one in again] == keys
    assert len(set(keys)) == 2
    assert all(key is not None and key.startswith(everything.prefix) for key in keys)


async def test_a_number_is_free_when_the_broker_has_heard_both_answers(
    broker: Mosquitto, trigger: RealtimeTrigger, worker: InlineWorker, topic: str
) -> None:
    async with listening(trigger, worker) as stream:
        await forget(stream)
        await publish(broker, topic, "1")
        message = await event(stream)
        await acknowledge(message)
        released = await forget(stream)
    assert released.prefix == message.key
    # The second answer was never given, so the broker says again that the message is released.
    async with listening(trigger, worker) as stream:
        again = await forget(stream)
        assert again.prefix == message.key
        await acknowledge(again)
        await publish(broker, topic, "2")
        assert (await event(stream)).output.payload == 2


async def test_messages_of_a_lower_quality_have_no_key(
    broker: Mosquitto, trigger: RealtimeTrigger, worker: InlineWorker, topic: str
) -> None:
    async with listening(trigger, worker) as stream:
        await forget(stream)
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await client.publish(topic, "1", qos=1)
        assert (await event(stream)).key is None


@asynccontextmanager
async def server(tmp_path: Path) -> AsyncIterator[WatchingServer]:
    """A server that is killed at the end: it lets go of nothing."""
    database = await open_database(f"sqlite:///{tmp_path / 'server.db'}")
    settings = SchedulerSettings(tick=timedelta(milliseconds=50))
    async with running(database, tmp_path, settings) as bench:
        bench.key = TriggerKey("main", "io.test", "seen", "t")
        yield bench
        await bench.kill()


async def until_listening(bench: WatchingServer) -> None:
    async def listens() -> bool:
        state = await bench.runtime.triggers.get(bench.key)
        return state is not None and state.worker_id is not None

    await bench.until(listens)


async def until_all_is_said(bench: WatchingServer) -> None:
    """Until the broker has nothing more to say of earlier messages: what is published then comes last."""
    await bench.until(lambda: _has_key(bench, 0))


async def _has_key(bench: WatchingServer, keys: int) -> bool:
    ((count,),) = await bench.runtime.database.fetch(_REMEMBERED)
    return bool(count == keys)


@pytest.mark.parametrize("lost", ["acknowledge", "complete"])
async def test_a_server_that_dies_before_it_answers(
    broker: Mosquitto,
    topic: str,
    version: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lost: str,
) -> None:
    """Between the commit and either answer: the message has started its execution, and starts no other."""
    source = FLOW.format(server=broker.url, topic=topic, version=version, qos=2)
    with monkeypatch.context() as dying:
        dying.setattr(MqttClient, lost, lambda client, message: None)
        async with server(tmp_path) as bench:
            await bench.save(source)
            await until_listening(bench)
            await publish(broker, topic, '"same"', '"same"')
            assert await bench.values(2) == ["same", "same"]
            await bench.until(lambda: _has_key(bench, 2 if lost == "acknowledge" else 0))
    async with server(tmp_path) as bench:
        await publish(broker, topic, '"last"')
        values = await bench.values(3)
        await until_all_is_said(bench)
        assert sorted(values) == ["last", "same", "same"]
        assert len(await bench.executions()) == 3


async def test_quality_1_may_start_a_second_execution(
    broker: Mosquitto, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the documentation says of it."""
    source = FLOW.format(server=broker.url, topic=topic, version="V5", qos=1)
    with monkeypatch.context() as dying:
        dying.setattr(MqttClient, "acknowledge", lambda client, message: None)
        async with server(tmp_path) as bench:
            await bench.save(source)
            await until_listening(bench)
            await publish(broker, topic, '"same"')
            await bench.values(1)
    async with server(tmp_path) as bench:
        assert await bench.values(2) == ["same", "same"]
