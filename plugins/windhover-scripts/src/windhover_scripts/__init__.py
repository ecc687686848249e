"""Shell and Python script tasks for Windhover.

A type's name says its module: ``io.kestra.plugin.scripts.shell.Commands`` is class ``Commands`` in
``shell/commands.py``. What all script tasks share is in ``script_task.py`` and the modules it uses.
"""

PLUGIN_PREFIX = "io.kestra.plugin.scripts."
