"""``io.kestra.plugin.mqtt.RealtimeTrigger``"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

from windhover.plugin.consumer import consumer_name
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.trigger import Event, Forget
from windhover.plugin.trigger import RealtimeTrigger as _RealtimeTrigger
from windhover_mqtt.subscription import Freed, MqttMessage, MqttSubscription

#: The quality of service whose messages have numbers that identify them.
_EXACTLY_ONCE = 2
_DIGITS = 16


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

    async def events(self, ctx: RunContext) -> AsyncIterator[Event[MqttMessage] | Forget]:
        client_id = self.client_id or consumer_name(ctx)
        session = self._session(client_id)
        async with self.subscribed(client_id, retained_once=True, highest_qos=2) as subscription:
            if not subscription.is_known:
                # The numbers of a new session have nothing to do with those of the last one.
                yield Forget(session)
            while True:
                received = await subscription.next(ctx)
                if isinstance(received, Freed):
                    yield Forget(f"{session}{received.number}/", received.complete)
                    continue
                # From here until it is released the number is that of this message, whoever receives it.
                key = f"{session}{received.output.id}/" if received.output.qos == _EXACTLY_ONCE else None
                yield Event(received.output, key, received.acknowledge)

    def _session(self, client_id: str) -> str:
        """What the keys of a session begin with, at each broker and under each name another one."""
        digest = hashlib.sha256(f"{self.server}\n{client_id}".encode()).hexdigest()
        return f"{digest[:_DIGITS]}/"
