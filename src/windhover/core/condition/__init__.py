"""Conditions: what must hold for a trigger to start an execution."""
