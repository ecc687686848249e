"""The plugin types that come with the server; ``io.kestra.plugin.core.flow.If`` is ``core/flow/if_.py``."""
