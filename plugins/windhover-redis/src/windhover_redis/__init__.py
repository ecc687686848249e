"""Redis tasks and triggers for Windhover.

A type's name says its module: ``io.kestra.plugin.redis.list.ListPush`` is class ``ListPush`` in
``list/list_push.py``. What they share is in ``connection.py`` (to whom) and ``claims.py`` (taking elements
out of a list without losing any).
"""

PLUGIN_PREFIX = "io.kestra.plugin.redis."

PLUGIN_ALIASES = {
    "io.kestra.plugin.redis.ListPush": "io.kestra.plugin.redis.list.ListPush",
    "io.kestra.plugin.redis.ListPop": "io.kestra.plugin.redis.list.ListPop",
    "io.kestra.plugin.redis.TriggerList": "io.kestra.plugin.redis.list.Trigger",
    "io.kestra.plugin.redis.RealtimeTriggerList": "io.kestra.plugin.redis.list.RealtimeTrigger",
    "io.kestra.plugin.redis.Publish": "io.kestra.plugin.redis.pubsub.Publish",
    "io.kestra.plugin.redis.Get": "io.kestra.plugin.redis.string.Get",
    "io.kestra.plugin.redis.Set": "io.kestra.plugin.redis.string.Set",
    "io.kestra.plugin.redis.Delete": "io.kestra.plugin.redis.string.Delete",
}
