"""Tasks that act on executions."""
