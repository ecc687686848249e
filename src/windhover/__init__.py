"""Windhover: a declarative, event-driven orchestrator."""

__version__ = "0.1.0"
