"""``io.kestra.plugin.mqtt.RealtimeTrigger``"""

from __future__ import annotations

from collections.abc import AsyncIterator

from windhover.plugin.consumer import consumer_name
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.trigger import Event
from windhover.plugin.trigger import RealtimeTrigger as _RealtimeTrigger
from windhover_mqtt.subscription import MqttMessage, MqttSubscription


class RealtimeTrigger(MqttSubscription, _RealtimeTrigger[MqttMessage]):
    """Start an execution for every message of MQTT topics, as soon as it comes."""

    type_name = "io.kestra.plugin.mqtt.RealtimeTrigger"
    examples = (
        Example(
            title="Log every measurement.",
            full=True,
            code="""
id: measurements
namespace: company.team

tasks:
  - id: log
    type: io.kestra.plugin.core.log.Log
    message: "{{ trigger.topic }}: {{ trigger.payload.value }}"

triggers:
  - id: sensors
    type: io.kestra.plugin.mqtt.RealtimeTrigger
    server: tcp://localhost:1883
    topic: sensors/#
""",
        ),
    )

    async def events(self, ctx: RunContext) -> AsyncIterator[Event[MqttMessage]]:
        client_id = self.client_id or consumer_name(ctx)
        async with self.subscribed(client_id, retained_once=True) as subscription:
            while True:
                received = await subscription.receive(ctx)
                yield Event(received.output, acknowledge=received.acknowledge)
