"""Tasks about files of namespaces."""
