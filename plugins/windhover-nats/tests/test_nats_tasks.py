"""NATS tasks against a real server with JetStream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import nats
import pytest
import pytest_asyncio
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from tests.brokers import NatsServer
from tests.task_context import stored_lines

from windhover.model.execution import JsonValue
from windhover.model.state import StateType
from windhover.plugin.definition import validate_properties
from windhover.plugin.problems import InvalidProperties
from windhover.plugin.task import Output, RunnableTask
from windhover.worker.inline import InlineRun, InlineWorker
from windhover_nats.core.consume import Consume
from windhover_nats.core.produce import Produce
from windhover_nats.core.request import Request
from windhover_nats.kv.create_bucket import CreateBucket
from windhover_nats.kv.delete import Delete
from windhover_nats.kv.get import Get
from windhover_nats.kv.put import Put


class Tasks:
    """Runs NATS tasks that must succeed."""

    def __init__(self, worker: InlineWorker, broker: NatsServer, client: Client) -> None:
        self.worker = worker
        self.url = broker.url
        self.stream = client.jetstream()
        self.produced = 0

    async def run(self, task: type[RunnableTask[Output | None]], **properties: JsonValue) -> InlineRun:
        source = {"from" if key == "source" else key: value for key, value in properties.items()}
        run = await self.worker.run(task, {"url": self.url, **source})
        assert run.state is StateType.SUCCESS, run.messages
        return run

    async def produce(self, subject: str, source: JsonValue) -> None:
        """Produces messages, and waits until the stream of the test has them.

        The server answers a Produce task before its streams have stored what it has taken.
        """
        run = await self.run(Produce, subject=subject, source=source)
        self.produced += run.outputs["messagesCount"]
        last = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self.produced,
            ack_policy=AckPolicy.NONE,
        )
        arrivals = await self.stream.pull_subscribe(subject, config=last)
        await arrivals.fetch(1, timeout=10)
        await arrivals.unsubscribe()

    async def messages(self, **properties: JsonValue) -> list[dict[str, JsonValue]]:
        """What a Consume task finds."""
        run = await self.run(Consume, **{"pollDuration": "PT0.3S", **properties})
        lines = await stored_lines(self.worker, run.outputs["uri"])
        assert run.outputs["messagesCount"] == len(lines)
        return [msgspec.json.decode(line) for line in lines]


@pytest.fixture
def tasks(worker: InlineWorker, broker: NatsServer, client: Client) -> Tasks:
    return Tasks(worker, broker, client)


@pytest_asyncio.fixture
async def client(broker: NatsServer) -> AsyncIterator[Client]:
    client = await nats.connect(broker.url)
    yield client
    await client.close()


@pytest_asyncio.fixture
async def subject(client: Client, request: pytest.FixtureRequest) -> str:
    """A subject that no other test uses, kept by a stream."""
    name = str(request.node.name).replace("[", "-").replace("]", "")
    await client.jetstream().add_stream(name=name, subjects=[f"{name}.>"])
    return f"{name}.a"


async def test_a_durable_consumer_goes_on_where_it_was(tasks: Tasks, subject: str) -> None:
    await tasks.produce(subject, [{"data": "a", "headers": {"k": "v"}}, {"data": {"n": 1}}])

    first, second = await tasks.messages(subject=subject, durableId="reader")
    assert (first["subject"], first["data"], first["headers"]) == (subject, "a", {"k": "v"})
    assert datetime.fromisoformat(str(first["timestamp"])) <= datetime.now(UTC)
    assert second["data"] == '{"n":1}'
    assert await tasks.messages(subject=subject, durableId="reader") == []
    assert len(await tasks.messages(subject=subject)) == 2


async def test_where_to_begin(tasks: Tasks, subject: str) -> None:
    await tasks.produce(subject, [{"data": "a"}, {"data": "b"}])
    between = datetime.now(UTC).isoformat()
    await tasks.produce(subject, {"data": "c"})
    for policy, expected in (
        ({"deliverPolicy": "Last"}, ["c"]),
        ({"deliverPolicy": "New"}, []),
        ({"deliverPolicy": "LastPerSubject"}, ["c"]),
        ({"deliverPolicy": "ByStartTime", "since": between}, ["c"]),
        ({"deliverPolicy": "ByStartSequence"}, ["a", "b", "c"]),
    ):
        found = await tasks.messages(subject=subject, **policy)  # type: ignore[arg-type]
        assert [message["data"] for message in found] == expected, policy


async def test_no_more_is_taken_than_asked_for(tasks: Tasks, subject: str) -> None:
    await tasks.produce(subject, [{"data": str(number)} for number in range(25)])

    first = await tasks.messages(subject=subject, durableId="reader", maxRecords=12)
    rest = await tasks.messages(subject=subject, durableId="reader", batchSize=100)

    assert [message["data"] for message in first + rest] == [str(number) for number in range(25)]
    assert len(first) == 12


async def test_messages_of_a_file_are_produced(tasks: Tasks, subject: str) -> None:
    await tasks.produce(subject, [{"data": str(number)} for number in range(300)])
    taken = await tasks.run(Consume, subject=subject, batchSize=100, pollDuration="PT0.3S", durableId="r")
    assert taken.outputs["messagesCount"] == 300

    await tasks.produce(subject, taken.outputs["uri"])

    assert len(await tasks.messages(subject=subject, durableId="r", batchSize=300)) == 300


async def test_a_request_is_answered(tasks: Tasks, client: Client, broker: NatsServer) -> None:
    async def greet(message: Msg) -> None:
        await message.respond(b"Hello " + message.data)

    await client.subscribe("greet", cb=greet)
    await client.flush()
    run = await tasks.run(Request, subject="greet", source={"data": "Ada"})
    assert run.outputs == {"response": "Hello Ada"}
    nobody = await tasks.worker.run(Request, {"url": broker.url, "subject": "none", "from": {"data": "a"}})
    assert nobody.messages == ["Nobody serves `none`"]
    await client.subscribe("deaf")
    await client.flush()
    late = await tasks.worker.run(
        Request, {"url": broker.url, "subject": "deaf", "from": {"data": "a"}, "requestTimeout": "PT0.1S"}
    )
    assert late.messages == ["Nobody has answered within 0.1 seconds"]


async def test_values_of_a_bucket(tasks: Tasks) -> None:
    created = await tasks.run(
        CreateBucket, name="settings", historyPerKey=2, description="Settings", metadata={"team": "a"}
    )
    assert created.outputs == {
        "bucket": "settings",
        "description": "Settings",
        "history": 2,
        "entryCount": 0,
        "bucketSize": -1,
        "valueSize": -1,
        "metadata": {"team": "a"},
    }
    for values in ({"greeting": "Hello", "limits": {"n": 1}}, [{"greeting": "Bye"}, {"other": "x"}]):
        put = await tasks.run(Put, bucketName="settings", values=values)  # type: ignore[arg-type]
    assert put.outputs == {"revisions": {"greeting": 3, "other": 4}}
    read = await tasks.run(Get, bucketName="settings", keys=["greeting", "limits", "none"])
    assert read.outputs == {"output": {"greeting": "Bye", "limits": {"n": 1}}}
    first = await tasks.run(Get, bucketName="settings", keyRevisions=[{"greeting": 1}])
    assert first.outputs == {"output": {"greeting": "Hello"}}
    await tasks.run(Delete, bucketName="settings", keys=["greeting"])
    assert (await tasks.run(Get, bucketName="settings", keys=["greeting"])).outputs == {"output": {}}


async def test_what_is_not_there_is_named(tasks: Tasks, worker: InlineWorker, subject: str) -> None:
    consume: dict[str, JsonValue] = {"url": tasks.url, "subject": "nobody.keeps"}
    run = await worker.run(Consume, consume)
    assert run.messages == [f"No stream of {tasks.url} keeps messages of `nobody.keeps`"]
    run = await worker.run(Put, {"url": tasks.url, "bucketName": "none", "values": {"a": 1}})
    assert run.messages == ["There is no bucket `none`"]
    run = await worker.run(Produce, {"url": tasks.url, "subject": subject, "from": {"dat": "a"}})
    assert run.messages[0].startswith("`from` holds something that is no message: ")
    run = await worker.run(Consume, {"url": "nats://127.0.0.1:1", "subject": "a"})
    assert run.state is StateType.FAILED


async def test_a_name_is_not_taken_from_another_subject(tasks: Tasks, client: Client, subject: str) -> None:
    await tasks.messages(subject=subject, durableId="mine")
    other = subject.removesuffix("a") + "b"
    run = await tasks.worker.run(Consume, {"url": tasks.url, "subject": other, "durableId": "mine"})
    assert run.messages == [f"`mine` is a consumer of `{subject}`, not of `{other}`"]


async def test_a_killed_consumer_gives_its_messages_back_at_once(tasks: Tasks, subject: str) -> None:
    await tasks.produce(subject, [{"data": "a"}, {"data": "b"}])
    run = await tasks.worker.run(
        Consume, {"url": tasks.url, "subject": subject, "durableId": "r", "pollDuration": "PT1M"},
        timeout="PT0.5S",
    )  # fmt: skip
    assert run.state is StateType.FAILED
    async with asyncio.timeout(10):
        assert len(await tasks.messages(subject=subject, durableId="r", maxRecords=2)) == 2


def test_a_time_to_begin_at_is_needed() -> None:
    with pytest.raises(InvalidProperties, match="ByStartTime needs since"):
        validate_properties(Consume, {"url": "a", "subject": "b", "deliverPolicy": "ByStartTime"})
