"""NATS tasks and triggers for Windhover.

A type's name says its module: ``io.kestra.plugin.nats.core.Produce`` is class ``Produce`` in
``core/produce.py``. What they share is in ``connection.py`` (to whom, and how), ``message.py`` (a message and
its headers) and ``consumer.py`` (receiving from a stream).
"""

PLUGIN_PREFIX = "io.kestra.plugin.nats."

PLUGIN_ALIASES = {
    "io.kestra.plugin.nats.Produce": "io.kestra.plugin.nats.core.Produce",
    "io.kestra.plugin.nats.Consume": "io.kestra.plugin.nats.core.Consume",
    "io.kestra.plugin.nats.Request": "io.kestra.plugin.nats.core.Request",
    "io.kestra.plugin.nats.Trigger": "io.kestra.plugin.nats.core.Trigger",
    "io.kestra.plugin.nats.RealtimeTrigger": "io.kestra.plugin.nats.core.RealtimeTrigger",
}
