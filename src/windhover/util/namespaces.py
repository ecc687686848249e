"""Names of namespaces: dotted, from the widest to the narrowest."""

from __future__ import annotations


def parents(namespace: str) -> list[str]:
    """The namespaces around one, the nearest first: ``company.team`` lies in ``company``."""
    parts = namespace.split(".")
    return [".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1)]
