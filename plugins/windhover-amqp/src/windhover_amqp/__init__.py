"""AMQP 0.9.1 tasks and triggers for Windhover, for RabbitMQ and brokers like it.

A type's name says its module: ``io.kestra.plugin.amqp.Publish`` is class ``Publish`` in ``publish.py``. What
they share is in ``connection.py`` (to whom, and how), ``message.py`` (a message and its properties) and
``consumer.py`` (receiving).
"""

PLUGIN_PREFIX = "io.kestra.plugin.amqp."
