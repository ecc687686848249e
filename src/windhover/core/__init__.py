"""The plugin types that come with the server.

The package mirrors the types' names: ``io.kestra.plugin.core.flow.If`` is class ``If`` in
``core/flow/if_.py``, one type a file, so whoever reads a name in a flow knows the file.
"""

from windhover.core.aliases import ALIASES

PLUGIN_PREFIX = "io.kestra.plugin.core."
PLUGIN_ALIASES = ALIASES
