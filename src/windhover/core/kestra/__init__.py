"""Types of ``io.kestra.plugin.kestra``, by which flows act on the server they run on.

The package mirrors the names as :mod:`windhover.core` does: ``io.kestra.plugin.kestra.executions.Kill``
is class ``Kill`` in ``core/kestra/executions/kill.py``.
"""

PLUGIN_PREFIX = "io.kestra.plugin.kestra."
