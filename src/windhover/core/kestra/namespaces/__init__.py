"""Tasks on namespaces."""
