"""The examples that need a message broker run and do what they say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.brokers import Broker, BrokerNotInstalled, Mosquitto, NatsServer, RabbitMq, RedisServer
from tests.integration.scheduler.watching import running

from windhover.cli.run import RunOptions, run_flow
from windhover.repository.database import open_database
from windhover.scheduler.settings import SchedulerSettings

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def make_stream(broker: Broker) -> None:
    """What the example of NATS finds on its server."""

    async def make() -> None:
        import nats

        client = await nats.connect(f"nats://127.0.0.1:{broker.port}")
        await client.jetstream().add_stream(name="orders", subjects=["orders.>"])
        await client.close()

    asyncio.run(make())


def nothing(broker: Broker) -> None:
    """These make themselves what they need."""


@pytest.mark.parametrize(
    ("example", "kind", "inputs", "prepare", "said"),
    [
        ("mqtt", Mosquitto, ["server=tcp://127.0.0.1:{port}"], nothing, "1 message: 42.5"),
        ("amqp", RabbitMq, ["host=127.0.0.1", "port={port}"], nothing, "2 orders are in kestra:///"),
        ("redis", RedisServer, ["url=redis://127.0.0.1:{port}/0"], nothing, "Run 1 took 2 jobs."),
        ("nats", NatsServer, ["url=nats://127.0.0.1:{port}"], make_stream, "2 orders, the last of 40.00 EUR"),
    ],
)
def test_example(
    example: str,
    kind: type[Broker],
    inputs: list[str],
    prepare: Callable[[Broker], None],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    try:
        broker = kind(tmp_path)
    except BrokerNotInstalled as reason:
        pytest.skip(f"The example of {example} is left out: {reason}")
    with broker:
        prepare(broker)
        given = [one.format(port=broker.port) for one in inputs]
        exit_code = run_flow(RunOptions(EXAMPLES / f"{example}.yaml", given, [], True, "INFO", None))

    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    logs = [event["message"] for event in events if event["event"] == "log"]
    assert exit_code == 0, logs
    assert any(message.startswith(said) for message in logs), logs


async def test_messages_are_gathered(tmp_path: Path) -> None:
    try:
        broker = RedisServer(tmp_path / "redis")
    except BrokerNotInstalled as reason:
        pytest.skip(f"The example of a batch is left out: {reason}")
    source = (EXAMPLES / "triggers" / "gather-messages.yaml").read_text()
    database = await open_database(f"sqlite:///{tmp_path / 'examples.db'}")
    with broker:
        async with running(database, tmp_path, SchedulerSettings()) as bench:
            await bench.save(source.replace("redis://localhost:6379/0", broker.url))
            await rpush(broker, "readings", [json.dumps({"litres": number}) for number in range(100)])
            (execution,) = await bench.until(bench.executions)
            ended = await bench.flows.ended(execution.id)
    assert [line.message for line in ended.logs] == ["100 readings, 4950 litres."]


async def rpush(broker: RedisServer, key: str, values: list[str]) -> None:
    from redis.asyncio import Redis

    async with Redis(host="127.0.0.1", port=broker.port) as client:
        await client.rpush(key, *values)
