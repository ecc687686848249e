"""MQTT tasks and triggers for Windhover.

A type's name says its module: ``io.kestra.plugin.mqtt.Publish`` is class ``Publish`` in ``publish.py``. What
they share is in ``connection.py`` (to whom, and how), ``client.py`` (the protocol) and ``subscription.py``
(receiving).
"""

PLUGIN_PREFIX = "io.kestra.plugin.mqtt."
